import { expect } from 'chai';
import { lockQueue } from '../../src/store/execution-queue.ts';
import { putQuota } from '../../src/store/tenant-quotas.ts';
import { addBlueprint, addDeployment, addExecution } from '../db/samples.ts';
import { until } from '../kit/until.ts';
import { RestService, blueprintZip, simpleBlueprint } from './kit.ts';
import type { Answer } from './kit.ts';

const emptyPlan = {
  ...{ inputs: {}, outputs: {}, capabilities: {}, nodes: [], workflows: {}, groups: {}, scaling_groups: {} },
  ...{ policies: {}, policy_types: {}, policy_triggers: {}, labels: {}, blueprint_labels: {}, resource_tags: {} },
  ...{ imported_blueprints: [], imported_blueprints_dependencies: {}, deployment_settings: {}, description: null },
  ...{ deployment_plugins_to_install: [], workflow_plugins_to_install: [], host_agent_plugins_to_install: [] },
};

/** Requests that are sent without waiting for each other. */
const many = 8;

describe('simultaneous requests', function () {
  this.timeout(120_000);
  let rest: RestService;

  before(async () => {
    // nothing ends by itself, so that every request finds what the others have left
    rest = await RestService.start({ hasEngine: false });
    await addBlueprint(rest.database, 'app');
    await rest.database.query('update blueprints set plan = $1', [JSON.stringify(emptyPlan)]);
    const { storageId } = await addDeployment(rest.database, 'there');
    await rest.database.query(
      `update deployments set workflows = '{"install": {"operation": "x", "plugin": "y", "parameters": {}}}'
       where storage_id = $1`,
      [storageId],
    );
  });

  after(() => rest?.stop());

  function statuses(answers: readonly Answer[]): string {
    return answers.map(({ status, text }) => (status < 500 ? String(status) : `${status} ${text}`)).join(' ');
  }

  /** Sends the same request many times at once; one may succeed. */
  async function race(method: string, path: string, body?: unknown): Promise<{ won: number; lost: Answer[] }> {
    const answers = await Promise.all(Array.from({ length: many }, () => rest.call(method, path, { body })));
    const lost = answers.filter(({ status }) => status >= 300);
    expect(Math.max(...answers.map(({ status }) => status)), statuses(answers)).to.be.lessThan(500);
    return { won: answers.length - lost.length, lost };
  }

  const creations: [string, string, unknown?][] = [
    ['PUT', '/deployments/same?async_create=true', { blueprint_id: 'app' }],
    ['PUT', '/secrets/same', { value: 'x' }],
    ['PUT', '/sites/same', {}],
    ['PUT', '/filters/deployments/same', { filter_rules: [] }],
    ['PUT', '/users', { username: 'same', password: 'same-password' }],
    ['POST', '/user-groups', { group_name: 'same' }],
    ['POST', '/tenants/same'],
    ['PUT', '/secrets-providers', { name: 'same', type: 'local' }],
    [
      'PUT',
      '/execution-schedules/same?deployment_id=there',
      { workflow_id: 'install', since: '2030-01-01', recurrence: '1 day' },
    ],
    ['PUT', '/permissions/viewer/license_upload'],
    ['PUT', '/tenants/users', { tenant_name: 'default_tenant', username: 'same', role: 'viewer' }],
    ['PUT', '/user-groups/users', { group_name: 'same', username: 'same' }],
  ];
  for (const [method, path, body] of creations) {
    it(`${method} ${path} succeeds once, and is a conflict for the others`, async () => {
      const { won, lost } = await race(method, path, body);
      expect(won, statuses(lost)).to.equal(1);
      expect(new Set(lost.map(({ status }) => status)), statuses(lost)).to.deep.equal(new Set([409]));
      expect(lost.map(({ text }) => text).join('\n')).to.not.match(/tenant \d/);
    });
  }

  const removals: [string, string, unknown?][] = [
    ['DELETE', '/secrets/same'],
    ['DELETE', '/sites/same'],
    ['DELETE', '/filters/deployments/same'],
    ['DELETE', '/execution-schedules/same?deployment_id=there'],
    ['DELETE', '/secrets-providers/same'],
    ['DELETE', '/user-groups/users', { group_name: 'same', username: 'same' }],
    ['DELETE', '/tenants/users', { tenant_name: 'default_tenant', username: 'same' }],
    ['DELETE', '/user-groups/same'],
    ['DELETE', '/users/same'],
    ['DELETE', '/tenants/same'],
  ];
  for (const [method, path, body] of removals) {
    it(`${method} ${path} succeeds, or reports that the resource is gone`, async () => {
      const { won, lost } = await race(method, path, body);
      expect(won, statuses(lost)).to.be.greaterThan(0);
      expect(
        lost.every(({ status }) => status === 404),
        statuses(lost),
      ).to.equal(true);
      expect((await rest.call(method, path, { body })).status).to.equal(404);
    });
  }

  it('take the files of a blueprint away before its id is free for another one, and bring them back if it stays', async () => {
    const raw = blueprintZip('again', { 'blueprint.yaml': simpleBlueprint });
    expect((await rest.call('PUT', '/blueprints/again?async_upload=true', { raw })).status).to.equal(201);
    // at the end of the transaction it waits for the test, and is refused
    await rest.database.query(`
      create function hold() returns trigger language plpgsql as $$
        begin
          perform pg_advisory_xact_lock(1);
          raise foreign_key_violation;
        end
      $$;
      create constraint trigger hold after delete on blueprints deferrable initially deferred
        for each row execute function hold()`);
    const archive = (): Promise<Answer> => rest.call('GET', '/blueprints/again/archive');
    const { removing } = await rest.database.transaction(async (transaction) => {
      await transaction.query('select pg_advisory_xact_lock(1)');
      const removing = rest.call('DELETE', '/blueprints/again?force=true');
      await until('the files to be gone', async () => (await archive()).status === 404);
      expect((await rest.call('GET', '/blueprints/again')).status).to.equal(200);
      return { removing };
    });
    expect((await removing).status).to.equal(409);
    expect((await archive()).status).to.equal(200);
    await rest.database.query('drop trigger hold on blueprints; drop function hold');
    expect((await rest.call('DELETE', '/blueprints/again?force=true')).status).to.equal(204);
    expect((await archive()).status).to.equal(404);
  });

  it('start one execution of a deployment', async () => {
    const started = await race('POST', '/executions', { deployment_id: 'there', workflow_id: 'install' });
    expect(started.won, statuses(started.lost)).to.equal(1);
    const [running] = await rest.database.query<{ count: number }>(
      `select count(*)::integer as count from executions
       join deployments on deployments.storage_id = executions.deployment_id where deployments.id = 'there'`,
    );
    expect(running?.count).to.equal(1);
  });

  const starts: [string, string, unknown?][] = [
    ['POST', '/executions', { deployment_id: 'there', workflow_id: 'install', queue: true }],
    ['POST', '/deployment-updates/there/update/initiate', { blueprint_id: 'app' }],
    ['POST', '/execution-groups', { deployment_group_id: 'those', workflow_id: 'install' }],
    ['DELETE', '/deployments/there?force=true'],
    ['PUT', '/deployment-groups/those', { blueprint_id: 'app', new_deployments: [{}] }],
    ['PATCH', '/deployment-groups/those', { add: { new_deployments: [{}] } }],
    ['DELETE', '/deployment-groups/those?delete_deployments=true&force=true'],
  ];
  for (const [method, path, body] of starts) {
    it(`${method} ${path} holds nothing while it waits for its turn in the queue`, async () => {
      await rest.call('PUT', '/deployment-groups/those', { body: { blueprint_id: 'app', deployment_ids: ['there'] } });
      await putQuota(rest.database, 0, { deployments: 100, executions: undefined, storageBytes: undefined });
      const { answering } = await rest.database.transaction(async (transaction) => {
        await lockQueue(transaction);
        const answering = rest.call(method, path, { body });
        await until('the request to wait', async () => {
          const waiting = await rest.database.query(`select from pg_locks where locktype = 'advisory' and not granted`);
          return waiting.length > 0;
        });
        // who lets others begin needs the rows of their deployments, groups and tenants
        await transaction.query(`select from deployments where id = 'there' for no key update nowait`);
        await transaction.query('select from deployment_groups for key share nowait');
        await transaction.query('select from tenant_quotas for update nowait');
        return { answering };
      });
      expect((await answering).status).to.be.lessThan(500);
    });
  }

  it('cancel, kill, requeue and resume an execution in any order, and leave it in a valid state', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { storageId } = await addDeployment(rest.database);
      const { id } = await addExecution(rest.database, { deploymentStorageId: storageId, status: 'pending' });
      const actions = ['cancel', 'kill', 'requeue', 'resume', 'force-cancel', 'pause', 'unpause', 'force-resume'];
      const answers = await Promise.all(
        actions.map((action) => rest.call('POST', `/executions/${id}`, { body: { action } })),
      );
      expect(
        answers.every(({ status }) => [200, 400, 409].includes(status)),
        statuses(answers),
      ).to.equal(true);
      const [row] = await rest.database.query<{ status: string; ended: boolean }>(
        'select status, ended_at is not null as ended from executions where id = $1',
        [id],
      );
      expect(row?.ended, row?.status).to.equal(row?.status === 'cancelled');
    }
  });

  it('delete a blueprint and create deployments of it: either it stays with them, or none is there', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { id } = await addBlueprint(rest.database);
      await rest.database.query('update blueprints set plan = $2 where id = $1', [id, JSON.stringify(emptyPlan)]);
      const answers = await Promise.all([
        rest.call('PUT', `/deployments/${id}-1?async_create=true`, { body: { blueprint_id: id } }),
        rest.call('DELETE', `/blueprints/${id}`),
        rest.call('PUT', `/deployments/${id}-2?async_create=true`, { body: { blueprint_id: id } }),
      ]);
      expect(Math.max(...answers.map(({ status }) => status)), statuses(answers)).to.be.lessThan(500);
      const isGone = (await rest.call('GET', `/blueprints/${id}`)).status === 404;
      const made = await rest.database.query(`select from deployments where id like $1`, [`${id}-%`]);
      expect(made.length > 0, statuses(answers)).to.equal(!isGone);
    }
  });
});
