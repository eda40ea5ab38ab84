import type { Command } from 'commander';
import { buildProgram } from '../../src/cli/program.ts';
import { administrationGroups } from '../compat/commands/administration.ts';
import { cfyCommands, untried } from '../compat/commands/all.ts';
import { resourceGroups } from '../compat/commands/resources.ts';
import { commandOf } from '../compat/commands/step.ts';
import { fakeTerminal } from '../kit/fake-terminal.ts';

/** Commands of `gantry` that do what a command of another name does. */
const renamed: Readonly<Record<string, string>> = {
  'auditlog list': 'audit list',
  'auditlog truncate': 'audit truncate',
  'certificates generate-replace-config': 'certs',
  'certificates replace': 'certs',
  'executions operations': 'operations',
  'executions groups details': 'executions groups get',
  'db-nodes list': 'cluster db-nodes list',
  'cluster managers list': 'managers list',
  'events list': 'events',
  'plugins download_yaml': 'plugins download-yaml',
  'profiles show-current': 'profiles show',
  apply: 'install',
};

/** Every command of `gantry`, such as `deployments list`. */
function gantryCommands(): ReadonlySet<string> {
  const setting = { terminal: fakeTerminal(), signal: new AbortController().signal };
  const refuse = (): never => {
    throw new Error('Nothing is started to list commands');
  };
  const names = new Set<string>();
  const walk = (command: Command, words: readonly string[]): void => {
    names.add(words.join(' '));
    command.commands.forEach((child) => walk(child, [...words, child.name()]));
  };
  walk(buildProgram(setting, { start: refuse, migrate: refuse, keys: refuse }), []);
  return names;
}

function ownOf(command: string, own: ReadonlySet<string>): string {
  const other = Object.entries(renamed).find(([name]) => command === name || command.startsWith(`${name} `));
  const name = other ? command.replace(other[0], other[1]) : command;
  const found = [name, other?.[1]].find((candidate) => candidate !== undefined && own.has(candidate));
  return found === undefined ? '' : `\`gantry ${found}\``;
}

/** The page that lists every command of `cfy`, whether it is tried against the manager, and what `gantry` has for it. */
export function cfyPage(note: string): string {
  const own = gantryCommands();
  const tried = new Set([...resourceGroups, ...administrationGroups].flatMap(({ steps }) => steps.map(commandOf)));
  const rows = cfyCommands.map((command) => {
    const result = tried.has(command) ? 'works' : `not tried: ${untried[command] ?? ''}`;
    return `| \`cfy ${command}\` | ${result} | ${ownOf(command, own)} |`;
  });
  return [
    note,
    '# Commands of `cfy`',
    '',
    'The unmodified `cfy` 7.0.5 from PyPI is run against the manager, command by command (`test/compat`). `works` means that',
    'the command ran there and what it did was checked. The last column is the command of `gantry` that does the same.',
    '',
    '| command | with Gantry | own command |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
