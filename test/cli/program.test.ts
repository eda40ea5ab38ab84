import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Command } from '../../src/cli/command-tree.ts';
import { buildProgram, runCommandLine } from '../../src/cli/program.ts';
import { packageRoot } from '../../src/config/package-root.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { ServingProgram, buildOnce, cleanEnvironment, runGantry, runProgram } from '../kit/program.ts';
import { fakeTerminal } from '../kit/fake-terminal.ts';
import type { FakeTerminal } from '../kit/fake-terminal.ts';
import { completedBy, hasProgram } from '../kit/shells.ts';

const hello = join(packageRoot(), 'blueprints', 'hello-world');

const refuse = (): never => {
  throw new Error('Nothing is started here');
};
const control = { start: refuse, migrate: refuse, keys: refuse };

/** Runs a command line in this process, which spares the start of another one. */
function commandLine(words: readonly string[], terminal: FakeTerminal): Promise<number> {
  return runCommandLine(words, terminal, new AbortController().signal, control);
}

/** Commands that list, and need no argument for it. */
function listCommands(): Command[] {
  const setting = { terminal: fakeTerminal(), signal: new AbortController().signal };
  const all = [...buildProgram(setting, control).tree()];
  return all.filter(({ listing, registeredArguments: given }) => listing && !given.some(({ required }) => required));
}

describe('the gantry program', function () {
  this.timeout(120_000);
  let folder: string;

  before(async () => {
    await buildOnce();
    folder = await mkdtemp(join(tmpdir(), 'gantry-cli-'));
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('starts from its launcher', async () => {
    const { code, stdout } = await runProgram(join(packageRoot(), 'bin', 'gantry'), ['version', '--client']);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^\d+\.\d+\.\d+/);
  });

  it('checks and plans a blueprint without a manager', async () => {
    const checked = await runGantry(['blueprints', 'validate', hello]);
    expect(checked).to.deep.include({ code: 0, stdout: `${hello} is a valid blueprint\n` });
    const planned = await runGantry(['blueprints', 'plan', hello]);
    const plan = JSON.parse(planned.stdout) as { nodes: { id: string }[] };
    expect(plan.nodes.map(({ id }) => id)).to.have.members(['page', 'server']);
  });

  it('names file, line and remedy of a mistake', async () => {
    const file = join(folder, 'wrong.yaml');
    const lines = [
      'tosca_definitions_version: cloudify_dsl_1_3',
      'imports: [cloudify/types/types.yaml]',
      'node_templates:',
      '  web:',
      '    type: cloudify.nodes.Rood',
    ];
    await writeFile(file, lines.join('\n'));
    const { code, stderr } = await runGantry(['blueprints', 'validate', file]);
    expect(code).to.equal(1);
    expect(stderr).to.contain('wrong.yaml:5:');
    expect(stderr).to.contain('cloudify.nodes.Rood');
  });

  const wrongStarts: { title: string; words: string[]; environment?: Record<string, string>; says: RegExp }[] = [
    { title: 'a port out of range', words: ['up', '--port', '70000'], says: /port/i },
    { title: 'an unknown role', words: ['serve', '--roles', 'rest,cook'], says: /cook/ },
    { title: 'a database that is none', words: ['up', '--database', 'mysql://x'], says: /postgres:\/\// },
    { title: 'a broker that is none', words: ['up', '--amqp', 'http://x'], says: /amqp:\/\// },
    { title: 'an unknown setting', words: ['up'], environment: { GANTRY_PROT: '1' }, says: /GANTRY_PROT/ },
    { title: 'an unknown log level', words: ['up', '--log-level', 'loud'], says: /loud/ },
  ];
  for (const { title, words, environment, says } of wrongStarts) {
    it(`refuses to start with ${title}`, async () => {
      const data = join(folder, 'never');
      const { code, stderr } = await runGantry([...words, ...(words[0] === 'up' ? ['--data', data] : [])], environment);
      expect(code).to.equal(2);
      expect(stderr).to.match(says);
    });
  }

  it('says that a port is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await runGantry(['up', '--data', join(folder, 'taken'), '--port', String(port)]);
    server.close();
    expect(code).to.equal(1);
    expect(stderr).to.contain(`Port ${port}`);
  });

  describe('that is up', () => {
    let manager: EmbeddedManager;

    before(async () => {
      manager = await startEmbeddedManager();
    });

    after(async () => {
      await manager?.stop();
    });

    it('answers status', async () => {
      const { code, stdout } = await manager.gantry('status');
      expect(code).to.equal(0);
      expect(stdout).to.contain(manager.url);
    });

    it('refuses a wrong password with exit code 4', async () => {
      const { code, stderr } = await manager.gantry('status', '--password', 'wrong');
      expect(code).to.equal(4);
      expect(stderr).to.match(/Check user and password/);
    });

    it('runs the whole life of a deployment step by step', async () => {
      const steps: [number, ...string[]][] = [
        [0, 'blueprints', 'upload', hello, '-b', 'web'],
        [6, 'blueprints', 'upload', hello, '-b', 'web'],
        [0, 'blueprints', 'inputs', 'web'],
        [0, 'deployments', 'create', 'web', '-b', 'web', '-i', 'greeting=Good evening', '-l', 'kind:test'],
        [0, 'executions', 'start', 'install', '-d', 'web', '--follow'],
        [0, 'node-instances', 'list', '-d', 'web'],
        [0, 'nodes', 'list', '-d', 'web'],
        [0, 'outputs', 'web'],
        [0, 'deployments', 'capabilities', 'web'],
        [0, 'deployments', 'update-labels', 'web', 'kind:other'],
        [1, 'blueprints', 'delete', 'web'],
        [1, 'deployments', 'delete', 'web'],
        [0, 'executions', 'list', '-d', 'web'],
        [0, 'events', 'delete', 'web', '--include-logs'],
        [0, 'executions', 'delete', '--to', '2000-01-01'],
        [0, 'workflows', 'get', 'heal', '-d', 'web'],
        [3, 'workflows', 'get', 'nothing', '-d', 'web'],
        [0, 'deployments', 'labels', 'add', 'tier:gold', 'web'],
        [0, 'deployments', 'list', '--label', 'tier:gold', '--attribute-rule', 'blueprint_id=web'],
        [0, 'blueprints', 'package', hello, '-o', join(folder, 'packed.tar.gz')],
        [0, 'uninstall', 'web', '--keep-blueprint'],
        [3, 'deployments', 'get', 'web'],
        [0, 'blueprints', 'download', 'web', '-o', join(folder, 'web.tar.gz')],
        [0, 'blueprints', 'validate', join(folder, 'web.tar.gz'), '--remote'],
        [0, 'blueprints', 'delete', 'web'],
      ];
      for (const [code, ...words] of steps) {
        const result = await manager.gantry(...words);
        expect(result.code, `${words.join(' ')}\n${result.stdout}\n${result.stderr}`).to.equal(code);
      }
    });

    it('changes runtime properties', async () => {
      await manager.gantry('install', hello, '-b', 'properties', '-q');
      const listed = await manager.gantry('node-instances', 'list', '-d', 'properties', '-n', 'page', '--json');
      const [instance] = JSON.parse(listed.stdout) as { id: string }[];
      const id = instance?.id ?? '';
      const change = async (...words: string[]): Promise<Record<string, unknown>> => {
        const { stdout, stderr } = await manager.gantry(
          'node-instances',
          words[0] ?? '',
          id,
          ...words.slice(1),
          '--json',
        );
        expect(stderr).to.equal('');
        return (JSON.parse(stdout) as { runtime_properties: Record<string, unknown> }).runtime_properties;
      };
      expect(await change('update-runtime', '-p', 'a.b=1', '-p', '{"deep": {"x": 1, "y": 2}}')).to.deep.include({
        'a.b': 1,
        deep: { x: 1, y: 2 },
      });
      expect((await change('update-runtime', '-p', '{"deep": {"x": 3}}'))['deep']).to.deep.equal({ x: 3, y: 2 });
      const left = await change('delete-runtime', '-p', 'deep.y', '-p', 'a.b');
      expect(left)
        .to.deep.include({ deep: { x: 3 } })
        .and.not.have.property('a.b');
      const refused = await manager.gantry('node-instances', 'delete-runtime', id, '-p', 'deep.z');
      expect(refused).to.include({ code: 2, stderr: 'error: There is no runtime property deep.z\n' });
    });

    it('lists everything in the ways that the lists of the manager can', async () => {
      const environment = { GANTRY_URL: manager.url, GANTRY_USERNAME: 'admin', GANTRY_PASSWORD: manager.password };
      for (const command of listCommands()) {
        const { isSortable, isSearchable, hasAllTenants } = command.listing!;
        const words = [
          ...command.words,
          ...['--size', '2', '--offset', '0'],
          ...(isSearchable ? ['--search', 'a'] : []),
          ...(hasAllTenants ? ['--all-tenants'] : []),
        ];
        const sorted = [...words, '--sort', 'no_such_field', '--descending'];
        const [plain, refused] = [fakeTerminal({ environment }), fakeTerminal({ environment })];
        expect(await commandLine(words, plain), `${words.join(' ')}: ${plain.errors()}`).to.equal(0);
        // a field that is not there is refused by what sorts, and an unknown option by what does not
        expect(await commandLine(sorted, refused), sorted.join(' ')).to.equal(isSortable ? 1 : 2);
      }
    });

    it('shows progress on a terminal, and lines of text elsewhere', async function () {
      if (!hasProgram('script')) {
        this.skip();
      }
      const words = ['install', hello, '-b', 'progress'];
      const launcher = join(packageRoot(), 'bin', 'gantry');
      const environment = { GANTRY_URL: manager.url, GANTRY_USERNAME: 'admin', GANTRY_PASSWORD: manager.password };
      const shown = await runProgram('script', ['-qec', `${launcher} ${words.join(' ')}`, '/dev/null'], {
        environment: { ...cleanEnvironment(environment), CI: undefined, TERM: 'xterm' },
      });
      expect(shown.stdout).to.match(/install progress .*[█░].* \d+\/\d+ operations/);
      const { stderr } = await manager.gantry('uninstall', 'progress');
      expect(stderr).to.match(/^\d\d:\d\d:\d\d\.\d{3} EVENT .*'uninstall' workflow execution succeeded$/m);
      expect(stderr).not.to.match(/[█░\u001b]/);
    });

    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      it(`is completed by ${shell}`, async function () {
        if (!hasProgram(shell)) {
          this.skip();
        }
        const launcher = join(packageRoot(), 'bin', 'gantry');
        const environment = { GANTRY_URL: manager.url, GANTRY_USERNAME: 'admin', GANTRY_PASSWORD: manager.password };
        await manager.gantry('secrets', 'create', `of-${shell}`, '--value', 'x');
        const lines = [
          'gantry depl',
          'gantry secrets list --all',
          `gantry secrets get of-${shell}`,
          'gantry tenants get ',
        ];
        expect(await completedBy(shell, launcher, lines, environment)).to.deep.equal([
          ['deployments'],
          ['--all-tenants'],
          [`of-${shell}`],
          ['default_tenant'],
        ]);
      });
    }

    it('manages tokens, tenants, users and secrets', async () => {
      await writeFile(join(folder, 'password'), 'a-password\n');
      const token = JSON.parse((await manager.gantry('tokens', 'create', '--json')).stdout) as Record<string, string>;
      const steps: [number, ...string[]][] = [
        [0, 'status', '--token', token['value'] ?? ''],
        [0, 'tokens', 'delete', token['id'] ?? ''],
        [4, 'status', '--token', token['value'] ?? ''],
        [0, 'tenants', 'create', 'other'],
        [0, 'users', 'create', 'eve', '--new-password-file', join(folder, 'password')],
        [0, 'tenants', 'add-user', 'other', 'eve', '-r', 'viewer'],
        [0, 'blueprints', 'list', '-u', 'eve', '--password', 'a-password', '-t', 'other'],
        [4, 'blueprints', 'upload', hello, '-u', 'eve', '--password', 'a-password', '-t', 'other'],
        [0, 'tenants', 'remove-user', 'other', 'eve'],
        [0, 'users', 'delete', 'eve'],
        [0, 'tenants', 'delete', 'other'],
        [0, 'secrets', 'create', 'key', '--value', 'one'],
        [6, 'secrets', 'create', 'key', '--value', 'two'],
        [0, 'secrets', 'update', 'key', '--value', 'two'],
        [0, 'secrets', 'delete', 'key'],
      ];
      for (const [code, ...words] of steps) {
        const result = await manager.gantry(...words);
        expect(result.code, `${words.join(' ')}\n${result.stdout}\n${result.stderr}`).to.equal(code);
      }
    });
  });

  it('stops cleanly when it is told to, and takes no time for it', async () => {
    const data = join(folder, 'stopped');
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const words = ['up', '--data', data, '--port', '0', '--no-store-profile'];
      const program = await ServingProgram.start(words);
      await program.ready;
      program.child.kill(signal);
      expect(await program.ended).to.deep.equal({ code: 0, signal: null });
    }
  });
});
