import { buildProgram } from '../../src/cli/program.ts';
import { administrationGroups } from '../compat/commands/administration.ts';
import { cfyCommands, untried } from '../compat/commands/all.ts';
import { differenceOf } from '../compat/commands/differences.ts';
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
  'db-nodes': 'cluster db-nodes',
  'cluster managers list': 'managers list',
  'cluster remove': 'managers remove',
  'plugins download_yaml': 'plugins download-yaml',
  'plugins list_updates': 'plugins history',
  'profiles show-current': 'profiles show',
  apply: 'install',
};

const oneAddress = 'a profile is one address: put a proxy before several managers (production.md)';
/** Why `gantry` has no command that does the same. */
const needless: Readonly<Record<string, string>> = {
  'blueprints create-requirements': 'lists Python packages for the client; operations run on the manager',
  'cluster update-profile': oneAddress,
  'community register': 'there is nothing to register with',
  init: 'nothing to prepare: profiles are made when they are used',
  'license check': 'no licence is needed',
  'license environments count': 'nothing is licensed by number; see `gantry deployments list`',
  'license environments list': 'nothing is licensed by number; see `gantry deployments list`',
  'license list': 'no licence is needed',
  'license remove': 'no licence is needed',
  'license upload': 'no licence is needed',
  'plugins bundle-upload': 'its site is gone; upload each plugin: `gantry plugins upload`',
  'plugins validate': '`gantry plugins upload` checks before it stores anything',
  'profiles set-cluster': oneAddress,
};

/** Every command of `gantry`, such as `deployments list`. */
function gantryCommands(): ReadonlySet<string> {
  const setting = { terminal: fakeTerminal(), signal: new AbortController().signal };
  const refuse = (): never => {
    throw new Error('Nothing is started to list commands');
  };
  const names = new Set<string>();
  for (const command of buildProgram(setting, { start: refuse, migrate: refuse, keys: refuse }).tree()) {
    names.add(command.words.join(' '));
  }
  return names;
}

/** @throws Error when there is neither a command nor a reason, or both */
function ownOf(command: string, own: ReadonlySet<string>): string {
  const other = Object.entries(renamed).find(([name]) => command === name || command.startsWith(`${name} `));
  const name = other ? command.replace(other[0], other[1]) : command;
  const found = [name, other?.[1]].find((candidate) => candidate !== undefined && own.has(candidate));
  const reason = needless[command];
  if ((found === undefined) === (reason === undefined)) {
    throw new Error(`cfy ${command}: name either the command of gantry that does it, or why there is none`);
  }
  return found === undefined ? (reason ?? '') : `\`gantry ${found}\``;
}

interface CommandRow {
  readonly group: string;
  readonly command: string;
  /** Why the command is not run against the manager; undefined = it is, and works. */
  readonly untried: string | undefined;
  readonly difference: string | undefined;
  readonly own: string;
}

function commandRows(): CommandRow[] {
  const own = gantryCommands();
  const tried = new Set([...resourceGroups, ...administrationGroups].flatMap(({ steps }) => steps.map(commandOf)));
  return cfyCommands.map((command) => ({
    group: command.split(' ')[0] ?? command,
    command,
    untried: tried.has(command) ? undefined : (untried[command] ?? ''),
    difference: differenceOf(command),
    own: ownOf(command, own),
  }));
}

function grouped(rows: readonly CommandRow[]): Map<string, CommandRow[]> {
  const groups = new Map<string, CommandRow[]>();
  rows.forEach((row) => groups.set(row.group, [...(groups.get(row.group) ?? []), row]));
  return groups;
}

function isOwn({ own }: CommandRow): boolean {
  return own.startsWith('`gantry ') && own.endsWith('`') && own.split('`').length === 3;
}

function works({ untried: reason }: CommandRow): boolean {
  return reason === undefined;
}

/** The page that lists every command of `cfy`, whether it is tried against the manager, and what `gantry` has for it. */
export function cfyPage(note: string): string {
  const sections = [...grouped(commandRows())].flatMap(([group, rows]) => [
    `## ${group}`,
    '',
    '| command | with Gantry | differs | own command |',
    '|---|---|---|---|',
    ...rows.map((row) => {
      const result = works(row) ? 'works' : `not tried: ${row.untried ?? ''}`;
      return `| \`cfy ${row.command}\` | ${result} | ${row.difference ?? ''} | ${row.own} |`;
    }),
    '',
  ]);
  return [
    note,
    '# Commands of `cfy`',
    '',
    'The unmodified `cfy` 7.0.5 from PyPI is run against the manager, command by command (`test/compat`). `works` means that',
    'the command ran there and what it did was checked. `differs` says in short what is different on purpose; the whole story',
    'stands in [compatibility.md](compatibility.md). The last column is the command of `gantry` that does the same, or why',
    'there is none.',
    '',
    ...sections,
  ].join('\n');
}

/** A table of the groups of commands with links to {@link cfyPage}. */
export function cfySummary(): string {
  const all = commandRows();
  const line = (name: string, rows: readonly CommandRow[]): string => {
    const numbers = [
      rows.length,
      rows.filter(works).length,
      rows.filter((row) => !works(row)).length,
      rows.filter(({ difference }) => difference !== undefined).length,
      rows.filter(isOwn).length,
    ];
    return `| ${name} | ${numbers.join(' | ')} |`;
  };
  return [
    '| group of `cfy` | commands | work | not tried | differ on purpose | in `gantry` |',
    '|---|---|---|---|---|---|',
    ...[...grouped(all)].map(([group, rows]) => line(`[${group}](cfy.md#${group})`, rows)),
    line('**all**', all),
  ].join('\n');
}
