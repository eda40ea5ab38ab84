import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Command } from '../../../src/cli/command-tree.ts';
import { exitCodes } from '../../../src/cli/errors.ts';
import { buildProgram, runCommandLine } from '../../../src/cli/program.ts';
import { loadConfig } from '../../../src/config/config.ts';
import { allRoutes } from '../../../src/rest/routes/index.ts';
import type { Services } from '../../../src/services/services.ts';
import { fakeTerminal } from '../../kit/fake-terminal.ts';

function program(): Command {
  const refuse = (): never => {
    throw new Error('Nothing is started to look at commands');
  };
  return buildProgram(
    { terminal: fakeTerminal(), signal: new AbortController().signal },
    { start: refuse, migrate: refuse, keys: refuse },
  );
}

/** Routes take services only to call them later. */
const everyService = new Proxy({}, { get: () => ({}) }) as Services;
const root = program();
const everything = [...root.tree()];
const leaves = everything.filter((command) => command.children.length === 0 && command.name() !== 'complete');
const nameOf = (command: Command): string => ['gantry', ...command.words].join(' ');
const flagsOf = (command: Command): string[] => command.options.map(({ long, flags }) => long ?? flags);

/** Lists that are short, or not of the manager: read whole, without pages. */
const wholeLists = [
  'blueprints labels list',
  'config list',
  'deployments groups labels list',
  'deployments labels list',
  'groups list',
  'keys list',
  'plugins blueprint-labels list',
  'plugins deployment-labels list',
  'plugins resource-tags list',
  'profiles list',
  'workflows list',
];

/** Splits a command line as a shell does that knows quotes. */
function wordsOf(line: string): string[] {
  const words = [...line.matchAll(/(?:"([^"]*)"|'([^']*)'|[^\s"']+)+/g)].map(([word]) => word);
  return words.map((word) => word.replaceAll(/["']/g, ''));
}

/** What a shell would run of a line: no redirection, no comment. */
function commandPart(line: string): string {
  return line.replace(/\s(?:[>|#]|2>).*$/, '').replace(/^source <\((.*)\)$/, '$1');
}

/** A program that reads command lines and does nothing. */
const checked = program();
for (const command of checked.tree()) {
  command.action(() => undefined).configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
}

/** @throws CommanderError when a command line is not understood */
async function parses(line: string): Promise<void> {
  await checked.parseAsync(wordsOf(commandPart(line)).slice(1), { from: 'user' });
}

describe('every command', () => {
  it('has a description', () => {
    expect(everything.filter((command) => command.description() === '').map(nameOf)).to.deep.equal([]);
  });

  it('shows an example in its help that it understands', async () => {
    for (const command of leaves) {
      expect(command.examples, nameOf(command)).not.to.be.empty;
      for (const line of command.examples) {
        expect(line, nameOf(command)).to.match(/(^|\()gantry /);
        // the word of the default command may be left out
        const name = nameOf(command).replace(/^gantry events list$/, 'gantry events');
        expect(commandPart(line).startsWith(name), `${line} in ${name}`).to.equal(true);
        await parses(line).catch((error: unknown) => expect.fail(`${line}: ${String(error)}`));
      }
    }
  });

  it('has no option that hides one of all commands', () => {
    const shared = root.options.flatMap(({ long, short }) => [long, short]).filter(Boolean);
    for (const command of everything.slice(1)) {
      const own = command.options.flatMap(({ long, short }) => [long, short]);
      expect(
        own.filter((flag) => shared.includes(flag)),
        nameOf(command),
      ).to.deep.equal([]);
    }
  });

  it('prints help of at most 120 columns but for examples', () => {
    for (const command of everything) {
      const help = command.helpInformation().split('\n');
      expect(
        help.filter((line) => line.length > 120),
        nameOf(command),
      ).to.deep.equal([]);
    }
  });

  it('has a heading in the list of all commands', () => {
    const listed = root.createHelp().visibleCommands(root);
    expect(listed.filter((command) => command.helpGroup() === '').map((command) => command.name())).to.deep.equal([]);
  });
});

describe('every list', () => {
  const lists = leaves.filter((command) => command.name() === 'list' && !wholeLists.includes(command.words.join(' ')));
  const routes = allRoutes({ config: loadConfig({}), services: everyService }).filter(({ method }) => method === 'get');
  const routeOf = (path: string): (typeof routes)[number] | undefined =>
    routes.find((route) => route.path.replaceAll(/:\w+/g, '*') === path);

  it('is one of those that are known to be read whole, or has pages', () => {
    const without = lists.filter((command) => command.listing === undefined && command.words[0] !== 'events');
    expect(without.map(nameOf)).to.deep.equal([]);
    for (const command of lists) {
      expect(flagsOf(command), nameOf(command)).to.include.members(['--size', '--offset']);
    }
  });

  it('reads an endpoint that is there, and is of all tenants where the endpoint is', () => {
    for (const command of leaves.filter(({ listing }) => listing !== undefined)) {
      const route = routeOf(command.listing?.path ?? '');
      expect(route, `${nameOf(command)} reads ${command.listing?.path ?? ''}`).not.to.equal(undefined);
      const hasAllTenants = route?.access !== 'open' && route?.access.hasAllTenants === true;
      expect(flagsOf(command).includes('--all-tenants'), nameOf(command)).to.equal(hasAllTenants);
    }
  });

  it('takes rules where the manager has a search', () => {
    for (const command of leaves.filter(({ listing }) => listing?.hasRules === true)) {
      const search = `/searches${command.listing?.path ?? ''}`;
      const found = allRoutes({ config: loadConfig({}), services: everyService }).some(({ path }) => path === search);
      expect(found, search).to.equal(true);
    }
  });
});

describe('a manager that is interrupted while it starts', () => {
  it('does not claim that something goes on', async () => {
    const terminal = fakeTerminal();
    const interruption = new AbortController();
    const folder = await mkdtemp(join(tmpdir(), 'gantry-up-'));
    const interrupted = (): Promise<never> => {
      interruption.abort(new DOMException('Interrupted', 'AbortError'));
      return Promise.reject(new Error('not any more'));
    };
    const code = await runCommandLine(['up', '--data', folder], terminal, interruption.signal, {
      start: interrupted,
      migrate: interrupted,
      keys: interrupted,
    });
    await rm(folder, { recursive: true });
    expect([code, terminal.errors()]).to.deep.equal([130, 'Interrupted\n']);
  });
});

describe('the commands in the documentation', () => {
  it('end with codes that are told, in the help too', async () => {
    const page = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
    const told = [...page.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(told).to.deep.equal(Object.values(exitCodes));
    const terminal = fakeTerminal();
    await runCommandLine(['--help'], terminal, new AbortController().signal, {
      start: () => Promise.reject(new Error('not here')),
      migrate: () => Promise.reject(new Error('not here')),
      keys: () => Promise.reject(new Error('not here')),
    });
    const [, list = ''] = /Exit codes:\n([^]*?)\n\n/.exec(terminal.output()) ?? [];
    expect(list.match(/\d+/g)?.map(Number)).to.deep.equal(Object.values(exitCodes));
  });

  it('are understood', async () => {
    const base = new URL('../../../', import.meta.url);
    const pages = ['README.md', ...(await readdir(new URL('docs/', base))).map((name) => `docs/${name}`)];
    let count = 0;
    for (const page of pages.filter((name) => name.endsWith('.md'))) {
      const text = await readFile(new URL(page, base), 'utf8');
      for (const [, line = ''] of text.matchAll(/^\$ (?:bin\/)?(gantry .*)$/gm)) {
        count += 1;
        await parses(line).catch((error: unknown) => expect.fail(`${page}: ${line}: ${String(error)}`));
      }
    }
    expect(count).to.be.greaterThan(5);
  });
});
