import { expect } from 'chai';
import { HeldOperations } from '../kit/held-operations.ts';
import { until } from '../kit/until.ts';
import { RestService, simpleBlueprint } from './kit.ts';
import type { Answer } from './kit.ts';

/** Its installation lasts as long as a test holds the operation. */
const slowBlueprint = `tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
plugins: { test: { executor: central_deployment_agent, install: false } }
node_templates:
  server:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle: { create: test.create }
`;

describe('quotas of tenants', function () {
  this.timeout(60_000);
  let rest: RestService;
  const held = new HeldOperations();

  before(async () => {
    rest = await RestService.start({ hasScheduler: true, run: held.run });
    expect((await rest.upload('app', { 'blueprint.yaml': simpleBlueprint })).status).to.equal(201);
  });

  after(() => rest?.stop());

  afterEach(() => limit({ deployments: null, executions: null, storage_bytes: null }));

  function limit(limits: object): Promise<Answer> {
    return rest.call('PUT', '/tenants/default_tenant/quotas', { body: limits, tenant: null });
  }

  function deploy(id: string): Promise<Answer> {
    return rest.call('PUT', `/deployments/${id}`, { body: { blueprint_id: 'app' } });
  }

  it('have no limits by default, and show the usage', async () => {
    const answer = await rest.call('GET', '/tenants/default_tenant/quotas', { tenant: null });
    const { limits, used } = answer.json<{ limits: object; used: { storage_bytes: number } }>();
    expect(limits).to.deep.equal({ deployments: null, executions: null, storage_bytes: null });
    expect(used).to.include({ deployments: 0, executions: 0 });
    expect(used.storage_bytes).to.be.greaterThan(simpleBlueprint.length);
  });

  it('keep limits that are not named', async () => {
    await limit({ deployments: 5 });
    const changed = await limit({ executions: 7 });
    expect(changed.json<{ limits: object }>().limits).to.deep.equal({
      deployments: 5,
      executions: 7,
      storage_bytes: null,
    });
    for (const wrong of [{ deployments: -1 }, { deployments: 1.5 }, { executions: 'many' }, { other: 1 }]) {
      expect((await limit(wrong)).status).to.equal(400);
    }
    expect((await rest.call('PUT', '/tenants/nowhere/quotas', { body: {}, tenant: null })).status).to.equal(404);
  });

  it('limit deployments, also when many are created at once', async () => {
    await limit({ deployments: 2 });
    const answers = await Promise.all(['d1', 'd2', 'd3', 'd4', 'd5'].map(deploy));
    expect(answers.filter(({ status }) => status === 201)).to.have.length(2);
    const [refused] = answers.filter(({ status }) => status !== 201);
    expect(refused?.status).to.equal(403);
    expect(refused?.json<object>()).to.deep.include({
      error_code: 'quota_exceeded_error',
      quota: { what: 'deployments', limit: 2, used: 2 },
    });
    expect(refused?.text).to.contain('may have 2 deployments and has 2');
    const rows = await rest.database.query('select from deployments');
    expect(rows).to.have.length(2);
  });

  it('limit concurrent executions, including resumed ones', async () => {
    const { items } = (await rest.call('GET', '/deployments?_include=id')).json<{ items: { id: string }[] }>();
    const [id = ''] = items.map((item) => item.id);
    await limit({ executions: 0 });
    const start = await rest.call('POST', '/executions', { body: { deployment_id: id, workflow_id: 'install' } });
    expect([start.status, start.json<{ error_code: string }>().error_code]).to.deep.equal([
      403,
      'quota_exceeded_error',
    ]);
    await rest.database.query(
      `insert into executions (id, tenant_id, creator_id, visibility, status, workflow_id, deployment_id)
       select 'failed-one', 0, 0, 'tenant', 'failed', 'install', storage_id from deployments where id = $1`,
      [id],
    );
    const resume = await rest.call('POST', '/executions/failed-one', { body: { action: 'resume' } });
    expect(resume.json<{ error_code: string }>().error_code, resume.text).to.equal('quota_exceeded_error');
    const [row] = await rest.database.query<{ status: string }>(
      `select status from executions where id = 'failed-one'`,
    );
    expect(row?.status).to.equal('failed');
    await limit({ executions: 1 });
    const fits = await rest.call('POST', '/executions', { body: { deployment_id: id, workflow_id: 'install' } });
    expect(fits.status, fits.text).to.equal(201);
  });

  it('limit the storage on the file server', async () => {
    const before = await rest.call('GET', '/tenants/default_tenant/quotas');
    const used = before.json<{ used: { storage_bytes: number } }>().used.storage_bytes;
    await limit({ storage_bytes: used + 10 });
    const refused = await rest.upload('second', { 'blueprint.yaml': simpleBlueprint });
    expect([refused.status, refused.json<{ error_code: string }>().error_code]).to.deep.equal([
      403,
      'quota_exceeded_error',
    ]);
    expect(await rest.database.query(`select from blueprints where id = 'second'`)).to.deep.equal([]);
    const after = await rest.call('GET', '/tenants/default_tenant/quotas');
    expect(after.json<{ used: { storage_bytes: number } }>().used.storage_bytes).to.equal(used);
    await limit({ storage_bytes: used + 100_000 });
    expect((await rest.upload('second', { 'blueprint.yaml': simpleBlueprint })).status).to.equal(201);
  });

  it('apply to executions of groups and schedules, which wait until the limit allows them', async () => {
    expect((await rest.upload('slow', { 'blueprint.yaml': slowBlueprint })).status).to.equal(201);
    await until('what ran before', async () =>
      (await statuses('install', 'd')).every((one) => /terminated|failed/.test(one)),
    );
    expect((await rest.call('PUT', '/deployment-groups/all', { body: { blueprint_id: 'slow' } })).status).to.equal(200);
    await limit({ deployments: 4, storage_bytes: null });
    const more = { new_deployments: [{ id: 'g1' }, { id: 'g2' }, { id: 'g3' }] };
    const refused = await rest.call('PUT', '/deployment-groups/all', { body: { blueprint_id: 'slow', ...more } });
    expect(refused.json<object>(), refused.text).to.include({ error_code: 'quota_exceeded_error' });
    await limit({ deployments: null, executions: 1 });
    // the manager's own work on deployments does not count
    const made = await rest.call('PUT', '/deployment-groups/all', { body: { blueprint_id: 'slow', ...more } });
    expect(made.status, made.text).to.equal(200);
    await until('the deployments', async () => (await statuses('create_deployment_environment', 'g')).length === 3);

    held.hold();
    const started = await rest.call('POST', '/execution-groups', {
      body: { deployment_group_id: 'all', workflow_id: 'install', concurrency: 3 },
    });
    expect(started.status, started.text).to.equal(200);
    await held.started(1);
    expect(await statuses('install', 'g')).to.have.members(['started', 'queued', 'queued']);
    const forced = await rest.call('POST', '/execution-groups', {
      body: { deployment_group_id: 'all', workflow_id: 'install', concurrency: 1, force: true },
    });
    expect(forced.json<object>(), forced.text).to.include({ error_code: 'quota_exceeded_error' });
    await limit({ executions: 2 });
    await until(
      'the next one',
      async () => (await statuses('install', 'g')).filter((one) => one === 'started').length === 2,
    );

    const soon = new Date(Date.now() + 100).toISOString();
    const [one] = await rest.database.query<{ id: string }>(`select id from deployments where id like 'd%' limit 1`);
    const schedule = await rest.call('PUT', `/execution-schedules/soon?deployment_id=${one?.id}`, {
      body: { workflow_id: 'uninstall', since: soon, recurrence: '1 day' },
    });
    expect(schedule.status, schedule.text).to.equal(201);
    await until('the schedule', async () => (await statuses('uninstall', 'd')).length === 1);
    expect(await statuses('uninstall', 'd')).to.deep.equal(['queued']);
    held.release();
    await until('all of them', async () =>
      [...(await statuses('install', 'g')), ...(await statuses('uninstall', 'd'))].every((one) => one === 'terminated'),
    );
  });

  async function statuses(workflow: string, prefix: string): Promise<string[]> {
    const rows = await rest.database.query<{ status: string }>(
      `select execution.status from executions execution join deployments deployment
         on deployment.storage_id = execution.deployment_id
       where execution.workflow_id = $1 and deployment.id like $2 || '%' and not (
         execution.workflow_id = 'create_deployment_environment' and execution.status <> 'terminated')`,
      [workflow, prefix],
    );
    return rows.map(({ status }) => status);
  }

  it('count for one tenant only', async () => {
    await limit({ deployments: 0 });
    expect((await rest.call('POST', '/tenants/other')).status).to.equal(201);
    const upload = await rest.call('GET', '/tenants/other/quotas', { tenant: null });
    expect(upload.json<{ limits: object }>().limits).to.deep.include({ deployments: null });
  });
});
