import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { checkOffline } from '../../src/cli/offline.ts';
import { describeProblems } from '../../src/dsl/report/problem.ts';
import { blueprintZip, RestService, simpleBlueprint } from './kit.ts';
import { refusals } from './refusal-cases.ts';
import { requestRefusals } from './request-refusal-cases.ts';

interface ErrorBody {
  message: string;
  error_code: string;
  server_traceback: null;
}

describe('refusals of the service', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start();
    expect((await rest.upload('good', { 'blueprint.yaml': simpleBlueprint })).status).to.equal(201);
    expect((await rest.call('PUT', '/deployments/taken', { body: { blueprint_id: 'good' } })).status).to.equal(201);
  });

  after(() => rest?.stop());

  for (const { what, method, path, options, status, code, message } of [...refusals, ...requestRefusals]) {
    it(`refuses ${what}`, async () => {
      const answer = await rest.call(method, path, options);
      const body = answer.json<ErrorBody>();
      expect(body.message).to.match(message);
      expect([answer.status, body.error_code]).to.deep.equal([status, code]);
      expect(body.server_traceback).to.equal(null);
      expect(answer.headers.get('content-type')).to.match(/^application\/json/);
    });
  }

  it('reports the mistakes of a blueprint in the same words as the command line', async () => {
    const files = {
      'blueprint.yaml': simpleBlueprint.replace('imports:', 'imports:\n  - broken/nodes.yaml'),
      'broken/nodes.yaml': 'node_templates:\n  a: {type: cloudify.nodes.Rot}\n  b: {typ: cloudify.nodes.Root}\n',
    };
    await rest.upload('wordy', files);
    const { error } = (await rest.call('GET', '/blueprints/wordy')).json<{ error: string }>();
    const folder = await mkdtemp(join(tmpdir(), 'gantry-test-'));
    try {
      const archive = join(folder, 'wordy.zip');
      await writeFile(archive, blueprintZip('wordy', files));
      const { problems } = await checkOffline(archive, 'blueprint.yaml');
      expect(problems.map(({ file, line }) => `${String(file)}:${String(line)}`)).to.include.members([
        'broken/nodes.yaml:2',
        'broken/nodes.yaml:3',
      ]);
      expect(error).to.equal(`Invalid blueprint - ${describeProblems(problems)}`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('parses imports by the rules of the provider context, and says what is wrong with these', async () => {
    const setResolver = async (parameters: object): Promise<void> => {
      const body = { name: 'provider', context: { cloudify: { import_resolver: { parameters } } } };
      const answer = await rest.call('POST', '/provider/context?update=true', { body });
      expect(answer.status, answer.text).to.equal(200);
    };
    const blueprint = simpleBlueprint.replace('cloudify/types/types.yaml', 'http://types.example.com/types_1_3.yaml');
    await setResolver({ rules: [{ 'http://types.example.com/': 'resource:cloudify/types/' }] });
    const uploaded = await rest.upload('ruled', { 'blueprint.yaml': blueprint });
    expect(uploaded.status, uploaded.text).to.equal(201);
    await setResolver({ rules: 'none' });
    await rest.upload('unruled', { 'blueprint.yaml': blueprint });
    const failed = (await rest.call('GET', '/blueprints/unruled')).json<{ state: string; error: string }>();
    expect(failed).to.include({ state: 'failed_parsing' });
    expect(failed.error).to.contain('Failed to instantiate resolver').and.contain('must be a list');
    await setResolver({});
  });

  it('leaves no row behind for an archive that was refused on arrival', async () => {
    for (const id of ['text', 'large', 'nothing', 'both', 'outside']) {
      expect((await rest.call('GET', `/blueprints/${id}`)).status, id).to.equal(404);
    }
  });

  it('refuses an expired token', async () => {
    const created = await rest.call('POST', '/tokens', { body: { expiration_date: '+1h' } });
    const { id, value } = created.json<{ id: string; value: string }>();
    expect((await rest.call('GET', '/deployments', { token: value })).status).to.equal(200);
    await rest.database.query(`update tokens set expiration_date = now() - interval '1 minute' where id = $1`, [id]);
    const answer = await rest.call('GET', '/deployments', { token: value });
    expect(answer.status).to.equal(401);
    expect(answer.json<ErrorBody>().message).to.equal('User unauthorized: Token is expired');
  });

  it('refuses to start executions in a broken environment', async () => {
    const answer = await rest.call('POST', '/executions', { body: { deployment_id: 'typed', workflow_id: 'install' } });
    expect(answer.status).to.equal(400);
    expect(answer.json<ErrorBody>().error_code).to.equal('deployment_creation_error');
  });

  it('slows down clients that try many passwords', async () => {
    let status = 0;
    for (let attempt = 0; attempt < 12 && status !== 429; attempt += 1) {
      status = (await rest.call('GET', '/version', { user: 'guess', password: `p${attempt}` })).status;
      status = (await rest.call('GET', '/version', { user: 'admin', password: `p${attempt}` })).status;
    }
    expect(status).to.equal(429);
  });
});
