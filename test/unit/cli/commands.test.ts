import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { CommandLine } from '../../kit/command-line.ts';
import type { Outcome } from '../../kit/command-line.ts';
import { FakeManager, listAnswer } from '../../kit/fake-manager.ts';
import type { FakeHandler } from '../../kit/fake-manager.ts';

describe('command line', () => {
  let line: CommandLine;
  let folder: string;

  beforeEach(async () => {
    line = await CommandLine.open();
    ({ folder } = line);
  });

  afterEach(async () => {
    await line.close();
  });

  function gantry(words: readonly string[], options: { secret?: string } = {}): Promise<Outcome> {
    return line.run(words, options);
  }

  function withManager(handler: FakeHandler): Promise<FakeManager> {
    return line.answer(handler);
  }

  describe('usage', () => {
    const cases: { title: string; words: string[]; code: number; says: RegExp }[] = [
      { title: 'suggests the nearest command', words: ['statsu'], code: 2, says: /Did you mean status/ },
      { title: 'names a missing argument', words: ['install'], code: 2, says: /missing required argument 'path'/ },
      { title: 'names a missing option', words: ['executions', 'start', 'install'], code: 2, says: /--deployment-id/ },
      { title: 'refuses a number that is none', words: ['blueprints', 'list', '--size', 'x'], code: 2, says: /"x"/ },
      { title: 'says how to get a manager', words: ['status'], code: 2, says: /gantry up/ },
      { title: 'refuses two formats', words: ['status', '--json', '--yaml'], code: 2, says: /Choose one/ },
      { title: 'shows help', words: ['--help'], code: 0, says: /^$/ },
      {
        title: 'names unknown profiles',
        words: ['status', '--profile', 'nope'],
        code: 2,
        says: /There is no profile nope/,
      },
      {
        title: 'refuses a path that is not there',
        words: ['blueprints', 'upload', '/nowhere/x.yaml', '--url', 'localhost'],
        code: 2,
        says: /There is no file or folder/,
      },
      {
        title: 'says what an input looks like',
        words: ['deployments', 'create', 'd', '-b', 'b', '-i', 'nonsense', '--url', 'localhost'],
        code: 2,
        says: /neither name=value/,
      },
    ];
    for (const { title, words, code, says } of cases) {
      it(title, async () => {
        const outcome = await gantry(words);
        expect(outcome.errors).to.match(says);
        expect(outcome.code).to.equal(code);
      });
    }

    it('gives every command a description, and examples to the first ones people need', async () => {
      const { output } = await gantry(['--help']);
      expect(output).to.contain('gantry install blueprints/hello-world');
      for (const words of [['up'], ['install'], ['blueprints', 'upload'], ['executions', 'start']]) {
        expect((await gantry([...words, '--help'])).output).to.match(/Examples?:/);
      }
    });
  });

  describe('exit codes', () => {
    const cases: { status: number; error: string; code: number; says: RegExp }[] = [
      { status: 404, error: 'not_found_error', code: 3, says: /sorry/ },
      { status: 401, error: 'unauthorized_error', code: 4, says: /Check user and password/ },
      { status: 403, error: 'forbidden_error', code: 4, says: /Ask an administrator/ },
      { status: 409, error: 'conflict_error', code: 6, says: /sorry/ },
      { status: 400, error: 'dependent_exists_error', code: 1, says: /sorry/ },
    ];
    for (const { status, error, code, says } of cases) {
      it(`answers ${code} to ${status} ${error}`, async () => {
        await withManager(() => ({ status, body: { error_code: error, message: 'sorry', server_traceback: null } }));
        const outcome = await gantry(['blueprints', 'get', 'b']);
        expect(outcome.errors).to.match(says);
        expect(outcome.code).to.equal(code);
      });
    }

    const remedies: { error: string; status: number; message: string; says: string }[] = [
      {
        status: 404,
        error: 'not_found_error',
        message: 'Requested `Deployment` with ID `web` was not found',
        says: 'See which there are: gantry deployments list',
      },
      {
        status: 400,
        error: 'dependent_exists_error',
        message: "Can't delete deployment web - There are live nodes for this deployment.",
        says: 'Uninstall it first',
      },
      {
        status: 400,
        error: 'nonexistent_workflow_error',
        message: 'Workflow x does not exist in the deployment web',
        says: 'gantry workflows list',
      },
      { status: 409, error: 'conflict_error', message: 'web already exists', says: 'Choose another name' },
    ];
    for (const { status, error, message, says } of remedies) {
      it(`says what helps against: ${message}`, async () => {
        await withManager(() => ({ status, body: { error_code: error, message, server_traceback: null } }));
        expect((await gantry(['deployments', 'get', 'web'])).errors)
          .to.contain(message)
          .and.contain(says);
      });
    }

    it('says that an execution without events is not there, and that one has none', async () => {
      const sorry = { error_code: 'not_found_error', message: 'sorry', server_traceback: null };
      await withManager(({ path }) => (path.endsWith('/events') ? listAnswer([]) : { status: 404, body: sorry }));
      expect((await gantry(['events', 'x'])).code).to.equal(3);
      await withManager(({ path }) => (path.endsWith('/events') ? listAnswer([]) : { body: { id: 'x' } }));
      expect(await gantry(['events', 'x'])).to.deep.equal({ code: 0, output: 'No events.\n', errors: '' });
    });

    it('answers 5 when nobody listens, and says how to start a manager', async () => {
      const stopped = await FakeManager.start(() => ({}));
      const { url } = stopped;
      await stopped.stop();
      const outcome = await gantry(['status', '--url', url]);
      expect(outcome.code).to.equal(5);
      expect(outcome.errors).to.contain('gantry up');
    });
  });

  describe('results', () => {
    const blueprint = { id: 'web', state: 'uploaded', created_at: '2030-01-31T12:00:00.000Z', labels: [] };

    it('prints tables for people', async () => {
      await withManager(() => listAnswer([blueprint], 7));
      const { output, errors } = await gantry(['blueprints', 'list']);
      expect(output).to.match(/web.*uploaded.*2030-01-31 12:00:00/);
      expect(errors).to.contain('1 of 7 shown');
    });

    it('prints JSON and YAML for programs', async () => {
      await withManager(() => listAnswer([blueprint]));
      expect(JSON.parse((await gantry(['blueprints', 'list', '--json'])).output)).to.deep.equal([blueprint]);
      expect((await gantry(['blueprints', 'list', '--yaml'])).output).to.contain('- id: web');
    });

    it('sends inputs of every form with their types', async () => {
      await writeFile(join(folder, 'inputs.yaml'), 'name: from file\nport: 1\n');
      const { seen } = await withManager(() => ({ status: 201, body: { id: 'd' } }));
      const inputs = ['-i', join(folder, 'inputs.yaml'), '-i', 'port=80;flag=true', '-i', '{"list": [1, 2]}'];
      await gantry(['deployments', 'create', 'd', '-b', 'web', ...inputs]);
      expect(JSON.parse(seen[0]?.body.toString() ?? '')).to.deep.include({
        blueprint_id: 'web',
        inputs: { name: 'from file', port: 80, flag: true, list: [1, 2] },
      });
    });

    it('fails with the reason when an execution fails, and says how to go on', async () => {
      await withManager(({ method, path }) => {
        if (method === 'POST') {
          return { status: 201, body: { id: 'x', status: 'pending', status_display: 'pending' } };
        }
        return path.endsWith('/events')
          ? listAnswer([{ timestamp: '2030-01-31T12:00:00.123Z', type: 'cloudify_event', message: 'Task failed' }])
          : { body: { id: 'x', status: 'failed', workflow_id: 'install', error: 'port 80 is taken' } };
      });
      const outcome = await gantry(['executions', 'start', 'install', '-d', 'web', '--follow']);
      expect(outcome.code).to.equal(1);
      expect(outcome.errors).to.match(/12:00:00\.123 .*Task failed/);
      expect(outcome.errors).to.contain('port 80 is taken');
      expect(outcome.errors).to.contain('gantry executions resume x');
    });

    it('updates plugins as far as it is told to', async () => {
      const update = { id: 'u', state: 'no_changes_required', blueprint_id: 'web', execution_id: 'x' };
      const { seen } = await withManager(() => ({ body: update }));
      const words = ['plugins', 'update', 'web', '--minor', '--latest', 'a', '--latest', 'b', '-p', 'a', '--force'];
      const { code, errors, output } = await gantry(words);
      expect(code, errors).to.equal(0);
      expect(`${output}${errors}`).to.contain('has the newest plugins it may have');
      expect(seen[0]?.path).to.equal('/api/v3.1/plugins-updates/web/update/initiate');
      expect(JSON.parse(seen[0]?.body.toString() ?? '')).to.deep.equal({
        plugin_names: ['a'],
        all_to_latest: false,
        all_to_minor: true,
        to_latest: ['a', 'b'],
        to_minor: [],
        force: true,
        all_tenants: false,
      });
    });

    it('tells what came of an update of plugins', async () => {
      await withManager(({ method, path }) => {
        const update = { id: 'u', blueprint_id: 'web', execution_id: 'x', deployments_per_tenant: { t: ['one'] } };
        if (path.endsWith('/events')) {
          return listAnswer([]);
        }
        return path.includes('/executions/')
          ? { body: { id: 'x', status: 'terminated', workflow_id: 'update_plugin' } }
          : { body: { ...update, state: method === 'POST' ? 'executing_workflow' : 'successful' } };
      });
      const outcome = await gantry(['plugins', 'update', 'web']);
      expect(outcome.code, outcome.errors).to.equal(0);
      expect(`${outcome.output}${outcome.errors}`).to.contain('Plugins of blueprint web and its deployments updated');
      expect((await gantry(['plugins', 'get-update', 'u'])).output).to.match(/successful/);
    });

    it('waits while the deployment is still being created', async () => {
      let count = 0;
      await withManager(() => {
        count += 1;
        return count < 3
          ? { status: 400, body: { error_code: 'deployment_environment_creation_pending_error', message: 'wait' } }
          : { status: 201, body: { id: 'x', status: 'pending', status_display: 'pending' } };
      });
      expect((await gantry(['executions', 'start', 'install', '-d', 'web'])).code).to.equal(0);
      expect(count).to.equal(3);
    });

    it('never prints the value of a stored secret', async () => {
      await withManager(({ body }) => ({
        body: { key: 'k', value: (JSON.parse(String(body)) as { value: string }).value },
      }));
      const { output } = await gantry(['secrets', 'create', 'k', '--json'], { secret: 'hunter2' });
      expect(output).not.to.contain('hunter2');
    });
  });

  describe('profiles', () => {
    it('keeps them in a file that only their owner can read, and uses them', async () => {
      const fake = await FakeManager.start(({ path }) =>
        path === '/api/version' ? { body: { version: '7', edition: 'premium' } } : listAnswer([]),
      );
      const used = await gantry(['profiles', 'use', fake.url, '--username', 'me', '--name', 'here'], { secret: 'pw' });
      expect(used.code).to.equal(0);
      const file = join(folder, 'profiles.json');
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
      await gantry(['blueprints', 'list']);
      expect(fake.seen.at(-1)?.headers.authorization).to.equal(`Basic ${Buffer.from('me:pw').toString('base64')}`);
      expect((await gantry(['profiles', 'list', '--json'])).output).not.to.contain('pw');
      await gantry(['profiles', 'delete', 'here']);
      expect(JSON.parse(await readFile(file, 'utf8'))).to.deep.equal({ profiles: {} });
      await fake.stop();
    });

    it('does not store a manager that refuses the password', async () => {
      const fake = await FakeManager.start(() => ({
        status: 401,
        body: { error_code: 'unauthorized_error', message: 'User unauthorized' },
      }));
      expect((await gantry(['profiles', 'use', fake.url], { secret: 'wrong' })).code).to.equal(4);
      expect(JSON.parse((await gantry(['profiles', 'list', '--json'])).output)).to.deep.equal([]);
      await fake.stop();
    });

    it('says which file is damaged', async () => {
      await writeFile(join(folder, 'profiles.json'), '{');
      const outcome = await gantry(['status']);
      expect(outcome.code).to.equal(2);
      expect(outcome.errors).to.contain('profiles.json is damaged');
    });
  });
});
