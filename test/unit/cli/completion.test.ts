import { expect } from 'chai';
import { CommandLine } from '../../kit/command-line.ts';
import { listAnswer } from '../../kit/fake-manager.ts';
import type { FakeHandler } from '../../kit/fake-manager.ts';

const named: Readonly<Record<string, readonly object[]>> = {
  '/api/v3.1/blueprints': [
    { id: 'web', description: 'A web server\nwith pages' },
    { id: 'worker', description: null },
  ],
  '/api/v3.1/deployments': [{ id: 'web-1', blueprint_id: 'web' }],
  '/api/v3.1/executions': [{ id: '3f0c', workflow_id: 'install' }],
  '/api/v3.1/deployment-groups': [{ id: 'fleet', description: 'all of them' }],
  '/api/v3.1/node-instances': [{ id: 'server_x1', deployment_id: 'web-1' }],
  '/api/v3.1/secrets': [{ key: 'db_password' }],
  '/api/v3.1/tenants': [{ name: 'default_tenant' }, { name: 'test' }],
  '/api/v3.1/workflows': [{ name: 'install' }, { name: 'heal' }],
};

const manager: FakeHandler = ({ path }) => (named[path] ? listAnswer(named[path]) : undefined);

describe('completion', () => {
  let line: CommandLine;

  beforeEach(async () => {
    line = await CommandLine.open();
    await line.answer(manager);
  });

  afterEach(async () => {
    await line.close();
  });

  /** The words offered behind what is typed, and `:files`. */
  async function offered(...words: string[]): Promise<string[]> {
    const { code, output, errors } = await line.run(['complete', '--', ...words]);
    expect({ code, errors }).to.deep.equal({ code: 0, errors: '' });
    return output
      .split('\n')
      .filter(Boolean)
      .map((text) => text.split('\t')[0] ?? '');
  }

  const cases: { title: string; words: string[]; offers: string[] }[] = [
    { title: 'commands', words: ['deploy'], offers: ['deployments'] },
    {
      title: 'commands of a group',
      words: ['executions', 'groups', 'set-'],
      offers: ['set-concurrency', 'set-success-group', 'set-failure-group'],
    },
    { title: 'commands of a group by its other name', words: ['blueprint', 'upl'], offers: ['upload'] },
    { title: 'options', words: ['deployments', 'list', '--filter'], offers: ['--filter-id'] },
    { title: 'options of all commands', words: ['deployments', 'list', '--pass'], offers: ['--password-file'] },
    {
      title: 'choices',
      words: ['blueprints', 'upload', 'x', '--visibility', ''],
      offers: ['private', 'tenant', 'global'],
    },
    { title: 'choices of arguments', words: ['completion', 'f'], offers: ['fish'] },
    { title: 'blueprints', words: ['blueprints', 'get', 'w'], offers: ['web', 'worker'] },
    {
      title: 'blueprints as value of an option',
      words: ['deployments', 'create', 'x', '-b', 'wo'],
      offers: ['worker'],
    },
    {
      title: 'values behind =',
      words: ['deployments', 'create', '--blueprint-id=wo'],
      offers: ['--blueprint-id=worker'],
    },
    {
      title: 'values behind = in words as bash splits them',
      words: ['deployments', 'create', '--blueprint-id', '=', 'wo'],
      offers: ['worker'],
    },
    {
      title: 'values right behind =',
      words: ['deployments', 'create', '--blueprint-id', '='],
      offers: ['web', 'worker'],
    },
    { title: 'deployments', words: ['uninstall', ''], offers: ['web-1'] },
    { title: 'executions', words: ['executions', 'follow', ''], offers: ['3f0c'] },
    { title: 'arguments behind options', words: ['executions', '--json', '-t', 'test', 'get', '3'], offers: ['3f0c'] },
    { title: 'groups of deployments', words: ['deployments', 'groups', 'extend', ''], offers: ['fleet'] },
    { title: 'the second argument', words: ['deployments', 'labels', 'add', 'a:b', ''], offers: ['web-1'] },
    { title: 'node instances', words: ['node-instances', 'get', ''], offers: ['server_x1'] },
    { title: 'secrets', words: ['secrets', 'delete', 'db'], offers: ['db_password'] },
    { title: 'tenants', words: ['status', '-t', ''], offers: ['default_tenant', 'test'] },
    { title: 'workflows', words: ['executions', 'start', '-d', 'web-1', 'he'], offers: ['heal'] },
    { title: 'files', words: ['install', ''], offers: [':files'] },
    { title: 'files as value of an option', words: ['status', '--ca', ''], offers: [':files'] },
    { title: 'nothing for a name that is new', words: ['tenants', 'create', ''], offers: [] },
    { title: 'nothing where nothing can follow', words: ['blueprints', 'get', 'web', ''], offers: [] },
  ];
  for (const { title, words, offers } of cases) {
    it(`offers ${title}`, async () => {
      expect(await offered(...words)).to.deep.equal(offers);
    });
  }

  it('offers every command', async () => {
    expect(await offered(''))
      .to.include.members(['install', 'deployments', 'completion', 'help'])
      .and.not.include('complete');
  });

  it('says what a name is', async () => {
    const { output } = await line.run(['complete', '--', 'blueprints', 'get', '']);
    expect(output).to.equal('web\tA web server\nworker\t\n');
  });

  it('asks with what is on the command line', async () => {
    const { seen } = await line.answer(manager);
    await line.run(['complete', '--', 'node-instances', 'list', '--tenant', 'test', '-d', 'web-1', '-n', '']);
    expect(seen[0]?.headers['tenant']).to.equal('test');
    expect(seen[0]?.query.get('deployment_id')).to.equal('web-1');
  });

  it('offers stored profiles', async () => {
    await line.run(['profiles', 'use', 'http://127.0.0.1:1', '--no-check', '--token', 't', '--name', 'here']);
    expect(await offered('status', '--profile', '')).to.deep.equal(['here']);
    expect(await offered('profiles', 'delete', 'h')).to.deep.equal(['here']);
  });

  it('offers nothing, and says nothing, when the manager refuses', async () => {
    await line.answer(() => ({ status: 401, body: { error_code: 'unauthorized_error', message: 'no' } }));
    expect(await offered('uninstall', '')).to.deep.equal([]);
  });
});
