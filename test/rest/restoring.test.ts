import { expect } from 'chai';
import { zip } from '../unit/files/archives.ts';
import { blueprintZip, RestService, simpleBlueprint } from './kit.ts';
import type { CallOptions } from './kit.ts';
import { describeRestoredDeployments } from './restored-deployments.ts';
import { describeRestoredDetails } from './restored-details.ts';

describe('restored resources and changes of ownership', function () {
  this.timeout(60_000);
  let rest: RestService;
  const ada: CallOptions = { user: 'ada', password: 'ada-password' };
  const time = '2020-02-02T02:02:02.000Z';

  before(async () => {
    rest = await RestService.start();
    await rest.call('PUT', '/users', { body: { username: 'ada', password: 'ada-password' } });
    await rest.call('PUT', '/tenants/users', {
      body: { tenant_name: 'default_tenant', username: 'ada', role: 'user' },
    });
    expect((await rest.upload('app', { 'blueprint.yaml': simpleBlueprint })).status).to.equal(201);
    expect((await rest.call('PUT', '/deployments/app', { body: { blueprint_id: 'app' } })).status).to.equal(201);
  });

  after(() => rest?.stop());

  const origin = { created_by: 'ada', created_at: time };
  const restored: [string, string, string, object][] = [
    ['a site', 'PUT', '/sites/old', origin],
    ['a secret', 'PUT', '/secrets/old', { value: 'v', ...origin }],
    ['a filter', 'PUT', '/filters/deployments/old', { filter_rules: [], ...origin }],
    ['a secrets provider', 'PUT', '/secrets-providers', { name: 'old', type: 'local', ...origin }],
    ['a blueprint', 'PATCH', '/blueprints/app', { creator: 'ada', created_at: time }],
  ];
  for (const [what, method, path, body] of restored) {
    it(`keeps who made ${what} and when, for those who may say so`, async () => {
      const others = Object.fromEntries(
        Object.entries(body).map(([name, value]) => [name, value === 'ada' ? 'admin' : (value as string)]),
      );
      const refusal = await rest.call(method, path, { ...ada, body: others });
      expect(refusal.status).to.equal(403);
      const wrong = Object.fromEntries(
        Object.entries(body).map(([name, value]) => [name, value === 'ada' ? 1 : value]),
      );
      expect((await rest.call(method, path, { body: wrong })).status).to.equal(400);
      const answer = await rest.call(method, path, { body });
      expect(answer.status, answer.text).to.equal(200);
      expect(answer.json<object>()).to.include(origin);
    });
  }

  it('uploads a blueprint as it was', async () => {
    const raw = blueprintZip('old', { 'blueprint.yaml': simpleBlueprint });
    const answer = await rest.call('PUT', `/blueprints/old?created_by=ada&created_at=${time}`, { raw });
    expect(answer.json<object>()).to.include({ ...origin, state: 'uploaded' });
    const nobody = await rest.call('PUT', '/blueprints/newer?created_by=nobody', { raw });
    expect(nobody.status).to.equal(404);
  });

  it('creates deployments and schedules as they were', async () => {
    const made = [
      ['/deployments/old', { blueprint_id: 'app' }],
      ['/execution-schedules/old?deployment_id=app', { workflow_id: 'install', since: '2030-01-01', count: 1 }],
    ] as const;
    for (const [path, body] of made) {
      for (const wrong of [{ created_by: 'admin' }, { created_at: time }]) {
        const refusal = await rest.call('PUT', path, { ...ada, body: { ...body, ...wrong } });
        expect([refusal.status, refusal.json<{ error_code: string }>().error_code]).to.deep.equal([
          403,
          'forbidden_error',
        ]);
      }
      const nobody = await rest.call('PUT', path, { body: { ...body, created_by: 'nobody' } });
      expect(nobody.status).to.equal(404);
      const answer = await rest.call('PUT', path, { body: { ...body, ...origin } });
      expect(answer.status, answer.text).to.equal(201);
      expect(answer.json<object>()).to.include(origin);
    }
  });

  it("keeps the time of a user's last login", async () => {
    const times = { created_at: time, first_login_at: time, last_login_at: time };
    const answer = await rest.call('PUT', '/users', { body: { username: 'old', password: 'old-password', ...times } });
    expect(answer.json<object>()).to.include(times);
    const bad = await rest.call('PUT', '/users', {
      body: { username: 'x', password: 'xxxxx', created_at: 'long ago' },
    });
    expect(bad.status).to.equal(400);
  });

  it('changes the owner of a deployment', async () => {
    expect((await rest.call('PATCH', '/deployments/app', { ...ada, body: { creator: 'ada' } })).status).to.equal(403);
    const answer = await rest.call('PATCH', '/deployments/app', { body: { creator: 'ada' } });
    expect(answer.json<object>()).to.include({ created_by: 'ada' });
    expect((await rest.call('PATCH', '/deployments/app', { body: { creator: 'nobody' } })).status).to.equal(404);
  });

  it('takes the archive of an upload that is under way, and no other', async () => {
    const raw = zip([{ name: 'x/blueprint.yaml', content: 'x' }]);
    const late = await rest.call('PUT', '/blueprints/app/archive', { raw });
    expect([late.status, late.json<{ error_code: string }>().error_code]).to.deep.equal([400, 'illegal_action_error']);
    await rest.database.query(
      `insert into blueprints (id, tenant_id, creator_id, visibility, state) values ('coming', 0, 0, 'tenant', 'pending')`,
    );
    const answer = await rest.call('PUT', '/blueprints/coming/archive', { raw });
    expect([answer.status, answer.body]).to.deep.equal([200, null]);
    expect((await rest.download('/blueprints/coming/archive')).equals(raw)).to.equal(true);
    expect((await rest.call('PUT', '/blueprints/coming/archive', { raw: 'no archive' })).status).to.equal(400);
    expect((await rest.call('PATCH', '/blueprints/coming/icon', { raw: 'png' })).status).to.equal(400);
  });

  it('keeps an archive without running anything, until its plan and state are set', async () => {
    const raw = blueprintZip('kept', { 'blueprint.yaml': simpleBlueprint, 'scripts/hello.sh': 'echo hello' });
    const kept = await rest.call('PUT', '/blueprints/kept?skip_execution=true&application_file_name=blueprint.yaml', {
      raw,
    });
    expect(kept.status, kept.text).to.equal(201);
    expect(kept.json<object>()).to.include({ state: 'uploading', plan: null });
    const { plan } = (await rest.call('GET', '/blueprints/app')).json<{ plan: object }>();
    const file = '/resources/blueprints/default_tenant/kept/scripts/hello.sh';
    expect((await rest.call('GET', file)).status).to.equal(404);
    const told = await rest.call('PATCH', '/blueprints/kept', { body: { plan, state: 'uploaded' } });
    expect(told.json<object>()).to.include({ state: 'uploaded', main_file_name: 'blueprint.yaml' });
    expect((await rest.call('GET', file)).text).to.equal('echo hello');
  });

  describe('an execution of the past', () => {
    const past = {
      deployment_id: 'app',
      workflow_id: 'install',
      force_status: 'failed',
      id: 'past',
      error: 'it broke',
      started_at: '2020-02-02T02:02:03.000Z',
      ended_at: '2020-02-02T02:02:04.000Z',
      ...origin,
    };

    it('is stored as it was, and nothing is run', async () => {
      const answer = await rest.call('POST', '/executions', { body: past });
      expect(answer.status, answer.text).to.equal(201);
      const { force_status: status, ...told } = past;
      expect(answer.json<object>()).to.include({ ...told, status, total_operations: 0 });
      const [sent] = await rest.database.query(`select from outbox where body::text like '%"past"%'`);
      expect(sent).to.equal(undefined);
      expect((await rest.call('POST', '/executions', { body: past })).status).to.equal(409);
    });

    it('may have run on no deployment', async () => {
      const body = {
        ...past,
        id: 'system',
        deployment_id: '',
        workflow_id: 'create_snapshot',
        is_system_workflow: true,
      };
      const answer = await rest.call('POST', '/executions', { body });
      expect(answer.json<object>()).to.include({ id: 'system', deployment_id: null, is_system_workflow: true });
    });

    it('becomes the latest of its deployment only when it is younger', async () => {
      const latest = async (): Promise<unknown> =>
        (await rest.call('GET', '/deployments/app')).json<{ latest_execution: unknown }>().latest_execution;
      const before = await latest();
      await rest.call('POST', '/executions', { body: { ...past, id: 'older' } });
      expect(await latest()).to.equal(before);
      await rest.call('POST', '/executions', {
        body: { ...past, id: 'younger', started_at: '2999-01-01T00:00:00.000Z' },
      });
      expect(await latest()).to.equal('younger');
    });

    const refusals: [string, object, number][] = [
      ['that runs', { force_status: 'started' }, 400],
      ['in a status nobody knows', { force_status: 'sleeping' }, 400],
      ['that is to run later', { scheduled_time: '299901010000+0000' }, 400],
      ['without its status', { force_status: null }, 400],
      ['of a user nobody knows', { created_by: 'nobody' }, 404],
      ['of a deployment nobody knows', { deployment_id: 'moon' }, 404],
    ];
    for (const [what, change, status] of refusals) {
      it(`is refused ${what}`, async () => {
        const answer = await rest.call('POST', '/executions', { body: { ...past, id: 'refused', ...change } });
        expect(answer.status, answer.text).to.equal(status);
        expect((await rest.call('GET', '/executions/refused')).status).to.equal(404);
      });
    }

    it('is stored for those only who may', async () => {
      const { created_by: _by, created_at: _at, ...own } = past;
      const answer = await rest.call('POST', '/executions', { ...ada, body: { ...own, id: 'mine' } });
      expect(answer.status).to.equal(403);
    });
  });

  describeRestoredDeployments(() => rest, ada, time);
  describeRestoredDetails(() => rest, ada, time);

  it('finds nodes, types and groups in the plan of a blueprint', async () => {
    const ids = async (path: string, body: object = {}): Promise<string[]> => {
      const answer = await rest.call('POST', `/searches/${path}`, { body });
      expect(answer.status, answer.text).to.equal(200);
      return answer.json<{ items: { id: string }[] }>().items.map(({ id }) => id);
    };
    expect(await ids('nodes?blueprint_id=app')).to.deep.equal(['server']);
    expect(await ids('nodes', { constraints: { blueprint_id: 'app', name_pattern: { contains: 'x' } } })).to.deep.equal(
      [],
    );
    const types = { constraints: { blueprint_id: 'app', valid_values: ['cloudify.nodes.Root'] } };
    expect(await ids('node-types', types)).to.deep.equal(['server']);
    expect(await ids('scaling-groups?blueprint_id=app')).to.deep.equal([]);
    expect((await rest.call('POST', '/searches/nodes?blueprint_id=moon', { body: {} })).status).to.equal(404);
    const both = await rest.call('POST', '/searches/nodes?blueprint_id=app&deployment_id=app', { body: {} });
    expect(both.status).to.equal(400);
  });

  it('starts nothing while maintenance mode waits for running executions', async () => {
    await rest.database.query(`update executions set status = 'started' where workflow_id = 'upload_blueprint'`);
    const entering = await rest.call('POST', '/maintenance/activate');
    expect(entering.json<{ status: string }>().status).to.equal('activating');
    const body = { deployment_id: 'app', workflow_id: 'install' };
    const refused = await rest.call('POST', '/executions', { body });
    expect([refused.status, refused.json<{ error_code: string }>().error_code]).to.deep.equal([
      503,
      'entering_maintenance_mode',
    ]);
    expect((await rest.call('GET', '/executions')).status).to.equal(200);
    expect((await rest.call('PUT', '/sites/another', { body: {} })).status).to.equal(200);
    await rest.database.query(`update executions set status = 'terminated' where workflow_id = 'upload_blueprint'`);
    const active = await rest.call('PUT', '/sites/third', { body: {} });
    expect([active.status, active.json<{ error_code: string }>().error_code]).to.deep.equal([
      503,
      'maintenance_mode_active',
    ]);
    expect((await rest.call('POST', '/maintenance/deactivate')).status).to.equal(200);
  });
});
