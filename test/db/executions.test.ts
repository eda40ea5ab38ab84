import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { ExecutionStatus } from '../../src/domain/states.ts';
import { executionStatuses, executionTransitions } from '../../src/domain/states.ts';
import type { Database } from '../../src/store/database.ts';
import { deleteDeployment } from '../../src/store/deployments.ts';
import {
  deleteEndedExecutions,
  findBlockingExecutions,
  findRunnableExecutions,
  nextScheduledTime,
  takeDueExecutions,
  readQueueState,
  takeQueuedSystemWorkflow,
} from '../../src/store/execution-queue.ts';
import {
  changeExecutionStatus,
  claimExecution,
  createExecutions,
  findExecution,
  findExecutionByToken,
  findOrphanedExecutions,
  listExecutions,
  releaseExecutions,
  setExecutionToken,
} from '../../src/store/executions.ts';
import { beat, forgetDeadProcesses, leave, listProcesses } from '../../src/store/processes.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addDeployment, addExecution, everything, owner } from './samples.ts';

describe('executions in the store', () => {
  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });
  after(() => test.close());
  beforeEach(() => database.query('delete from executions'));

  const setHeartbeatAge = async (name: string, seconds: number): Promise<void> => {
    await database.query(
      `update processes set last_seen = now() - make_interval(secs => $2), started_at = now() - interval '1 hour'
       where name = $1`,
      [name, seconds],
    );
  };

  for (const { event, from, to } of executionTransitions) {
    it(`change from ${from.join(', ')} to ${to} at "${event}", from nothing else`, async () => {
      const rows = await createExecutions(
        database,
        executionStatuses.map((status) => ({
          ...owner,
          id: `${event}-${status}`,
          workflowId: 'install',
          status,
          parameters: {},
        })),
      );
      expect(rows).to.have.length(executionStatuses.length);
      const changed: ExecutionStatus[] = [];
      for (const status of executionStatuses) {
        const execution = await changeExecutionStatus(database, `${event}-${status}`, { event, error: 'why' });
        if (execution) {
          expect(execution).to.include({ status: to, error: 'why' });
          changed.push(status);
        } else {
          expect(await findExecution(database, `${event}-${status}`)).to.include({ status });
        }
      }
      expect(changed).to.have.members([...from]);
    });
  }

  it('get their times, and lose them at a resume', async () => {
    const { id } = await addExecution(database);
    const started = await changeExecutionStatus(database, id, { event: 'start' });
    expect(started?.startedAt).to.be.instanceOf(Date);
    expect(started?.endedAt).to.equal(undefined);
    const failed = await changeExecutionStatus(database, id, { event: 'fail', error: 'broken' });
    expect(failed?.endedAt).to.be.instanceOf(Date);
    const resumed = await changeExecutionStatus(database, id, { event: 'resume', error: '' });
    expect(resumed).to.include({ status: 'pending', resume: true, error: '', endedAt: undefined });
    expect(resumed?.startedAt).to.deep.equal(started?.startedAt);
  });

  it('tell listeners the id of what is new and what changed, after the commit', async () => {
    const heard: (string | undefined)[] = [];
    const stop = await database.listen('gantry_executions', (payload) => heard.push(payload));
    const { id } = await addExecution(database);
    await database
      .transaction(async (transaction) => {
        await changeExecutionStatus(transaction, id, { event: 'start' });
        throw new Error('never mind');
      })
      .catch(() => undefined);
    await changeExecutionStatus(database, id, { event: 'start' });
    const last = randomUUID();
    await addExecution(database, { id: last });
    while (heard.at(-1) !== last) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stop();
    expect(heard).to.deep.equal([id, id, last]);
  });

  it('tell the scheduler of what may begin and of what has ended, and of nothing else', async () => {
    const heard: (string | undefined)[] = [];
    const stop = await database.listen('gantry_queue', (payload) => heard.push(payload));
    const { id } = await addExecution(database, { status: 'queued' });
    for (const event of ['dispatch', 'start', 'succeed']) {
      await changeExecutionStatus(database, id, { event });
    }
    await addExecution(database);
    await addExecution(database, { status: 'scheduled' });
    while (heard.at(-1) !== 'scheduled') {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stop();
    expect(heard).to.deep.equal(['queued', 'terminated', 'scheduled']);
  });

  it('are refused a second time', async () => {
    const { id } = await addExecution(database);
    expect(await addExecution(database, { id }).catch((error: unknown) => error)).to.include({
      code: 'conflict_error',
    });
  });

  describe('claims', () => {
    it('give an execution to one of many', async () => {
      const { id } = await addExecution(database);
      const names = Array.from({ length: 8 }, (_, index) => `executor-${index}`);
      await Promise.all(names.map((name) => beat(database, { name, roles: ['executor'] })));
      const claims = await Promise.all(names.map((name) => claimExecution(database, id, name, 6)));
      const winners = claims.filter((claim) => claim !== undefined);
      expect(winners).to.have.length(1);
      expect(await claimExecution(database, id, winners[0]?.executor ?? '', 6)).to.include({ id });
    });

    it('take over from dead and former processes, not from live ones', async () => {
      await beat(database, { name: 'old', roles: [] });
      await beat(database, { name: 'new', roles: [] });
      const { id } = await addExecution(database);
      expect(await claimExecution(database, id, 'old', 6)).to.include({ executor: 'old' });
      expect(await claimExecution(database, id, 'new', 6)).to.equal(undefined);
      expect(await findOrphanedExecutions(database, 6)).to.deep.equal([]);
      await setHeartbeatAge('old', 7);
      expect((await findOrphanedExecutions(database, 6)).map((execution) => execution.id)).to.deep.equal([id]);
      expect(await claimExecution(database, id, 'new', 6)).to.include({ executor: 'new' });
      await leave(database, 'new');
      expect(await claimExecution(database, id, 'old', 6)).to.include({ executor: 'old' });
      await releaseExecutions(database, 'old', [id]);
      expect((await findExecution(database, id))?.executor).to.equal(undefined);
    });

    it('are for active executions only, and end with them', async () => {
      const { id } = await addExecution(database, { status: 'queued' });
      expect(await claimExecution(database, id, 'x', 6)).to.equal(undefined);
      await changeExecutionStatus(database, id, { event: 'dispatch' });
      await claimExecution(database, id, 'x', 6);
      const ended = await changeExecutionStatus(database, id, { event: 'succeed' });
      expect(ended?.executor).to.equal(undefined);
      expect(await claimExecution(database, id, 'x', 6)).to.equal(undefined);
    });

    it('are missed by orphans nobody took up for a while', async () => {
      const { id } = await addExecution(database);
      expect(await findOrphanedExecutions(database, 6)).to.deep.equal([]);
      await database.query(`update executions set status_changed_at = now() - interval '7 seconds'`);
      expect((await findOrphanedExecutions(database, 6)).map((execution) => execution.id)).to.deep.equal([id]);
    });
  });

  it('forget processes that have been dead for long', async () => {
    await beat(database, { name: 'gone', roles: ['rest'], info: { version: '1' } });
    await setHeartbeatAge('gone', 100);
    expect((await listProcesses(database, 6)).map(({ name }) => name)).not.to.include('gone');
    expect((await listProcesses(database)).map(({ name }) => name)).to.include('gone');
    expect(await forgetDeadProcesses(database, 50)).to.equal(1);
  });

  it('are found by the hash of their token', async () => {
    const { id } = await addExecution(database, { tokenHash: 'first' });
    expect(await findExecutionByToken(database, 'first')).to.include({ id });
    await setExecutionToken(database, id, 'second');
    expect(await findExecutionByToken(database, 'first')).to.equal(undefined);
    expect(await findExecutionByToken(database, 'second')).to.include({ id });
  });

  describe('queue', () => {
    it('offers the oldest of each free deployment, within the concurrency of groups', async () => {
      const [free, busy, creating] = await Promise.all([1, 2, 3].map(() => addDeployment(database)));
      const at = (deployment: typeof free, more: object): Promise<{ id: string; storageId: number }> =>
        addExecution(database, { status: 'queued', deploymentStorageId: deployment?.storageId, ...more });
      const first = await at(free, {});
      await at(free, {});
      await at(busy, { status: 'started' });
      await at(busy, {});
      const creation = await at(creating, { workflowId: 'create_deployment_environment' });
      await at(creating, {});
      const loose = await addExecution(database, { status: 'queued' });
      const grouped = await Promise.all([1, 2, 3].map(() => addExecution(database, { status: 'queued' })));
      const [group] = await database.query<{ storage_id: number }>(
        `insert into execution_groups (id, tenant_id, creator_id, visibility, workflow_id, concurrency)
         values ('g', 0, 0, 'tenant', 'install', 2) returning storage_id`,
      );
      await database.query('insert into execution_groups_executions select $1, unnest($2::bigint[])', [
        group?.storage_id,
        grouped.map(({ storageId }) => storageId),
      ]);
      const runnable = (await findRunnableExecutions(database, 10)).map(({ id }) => id);
      expect(runnable.slice(0, 3)).to.deep.equal([first.id, creation.id, loose.id]);
      expect(runnable).to.have.length(5);
      expect((await findRunnableExecutions(database, 2)).map(({ id }) => id)).to.deep.equal([first.id, creation.id]);
      expect(await readQueueState(database)).to.include({ active: 1, activeSystemWorkflows: 0 });
    });

    it('offers no more of a tenant than its quota has room for, and keeps that from nobody else', async () => {
      await database.query(`insert into tenants (name) values ('limited'), ('unlimited')`);
      const ids = new Map(
        (await database.query<{ id: number; name: string }>('select id, name from tenants')).map(({ id, name }) => [
          name,
          id,
        ]),
      );
      const [limited = 0, unlimited = 0] = [ids.get('limited'), ids.get('unlimited')];
      await database.query('insert into tenant_quotas (tenant_id, executions) values ($1, 3)', [limited]);
      const queued = (tenantId: number, more: object = {}): Promise<{ id: string; storageId: number }> =>
        addExecution(database, { status: 'queued', tenantId, ...more });
      const [paused] = await database.query<{ storage_id: number }>(
        `insert into execution_groups (id, tenant_id, creator_id, visibility, workflow_id, concurrency)
         values ('paused', $1, 0, 'tenant', 'install', 0) returning storage_id`,
        [limited],
      );
      const waiting = await queued(limited);
      await database.query('insert into execution_groups_executions values ($1, $2)', [
        paused?.storage_id,
        waiting.storageId,
      ]);
      await addExecution(database, { status: 'started', tenantId: limited });
      await addExecution(database, { status: 'started', tenantId: limited, isDryRun: true });
      await addExecution(database, { status: 'started', tenantId: limited, workflowId: 'upload_blueprint' });
      const own = [await queued(limited), await queued(limited), await queued(limited)];
      const creation = await queued(limited, { workflowId: 'create_deployment_environment' });
      const other = await queued(unlimited);
      const found = (await findRunnableExecutions(database, 100)).map(({ id }) => id);
      expect(found).to.include.members([own[0]!.id, own[1]!.id, creation.id, other.id]);
      expect(found).to.not.include.members([waiting.id]);
      expect(found).to.not.include.members([own[2]!.id]);
    });

    it('knows what blocks, and which system workflow is next', async () => {
      const deployment = await addDeployment(database);
      const running = await addExecution(database, {
        status: 'started',
        deploymentStorageId: deployment.storageId,
      });
      const system = await addExecution(database, { status: 'queued', isSystemWorkflow: true });
      const ids = async (which: Parameters<typeof findBlockingExecutions>[1]): Promise<string[]> =>
        (await findBlockingExecutions(database, which)).map(({ id }) => id);
      expect(await ids({})).to.deep.equal([running.id]);
      expect(await ids({ exceptId: running.id })).to.deep.equal([]);
      expect(await ids({ isSystemWorkflow: true, withQueued: true })).to.deep.equal([system.id]);
      expect(await ids({ deploymentStorageIds: [deployment.storageId] })).to.deep.equal([running.id]);
      expect(await takeQueuedSystemWorkflow(database)).to.include({ id: system.id });
    });

    it('gives due executions to one taker', async () => {
      const soon = new Date(Date.now() + 3_600_000);
      const { id } = await addExecution(database, { status: 'scheduled', scheduledFor: new Date(Date.now() - 1000) });
      await addExecution(database, { status: 'scheduled', scheduledFor: soon });
      await database.transaction(async (transaction) => {
        expect((await takeDueExecutions(transaction, 10)).map((execution) => execution.id)).to.deep.equal([id]);
        expect(await takeDueExecutions(database, 10)).to.deep.equal([]);
      });
      await changeExecutionStatus(database, id, { event: 'due' });
      expect(await nextScheduledTime(database)).to.deep.equal(soon);
    });
  });

  it('are deleted when they ended, but not the creation of an environment', async () => {
    const deployment = await addDeployment(database);
    const base = { deploymentStorageId: deployment.storageId, status: 'terminated' as const };
    const creation = await addExecution(database, { ...base, workflowId: 'create_deployment_environment' });
    const old = await addExecution(database, { ...base, createdAt: new Date(2020, 1, 1) });
    const kept = [await addExecution(database, base), await addExecution(database, { ...base, status: 'started' })];
    const { items } = await listExecutions(database, everything, {});
    const among = items.map(({ storageId }) => storageId);
    expect(await deleteEndedExecutions(database, { among, before: new Date(2021, 1, 1) })).to.equal(1);
    expect(await deleteEndedExecutions(database, { among, keepLast: 1 })).to.equal(0);
    expect(await findExecution(database, old.id)).to.equal(undefined);
    const left = await listExecutions(database, everything, {});
    expect(left.items.map(({ id }) => id)).to.have.members([creation.id, ...kept.map(({ id }) => id)]);
    expect(await deleteEndedExecutions(database, { among })).to.equal(1);
  });

  it('go with their deployment', async () => {
    const deployment = await addDeployment(database);
    const { id } = await addExecution(database, { deploymentStorageId: deployment.storageId });
    expect(await deleteDeployment(database, deployment.storageId)).to.equal(true);
    expect(await findExecution(database, id)).to.equal(undefined);
    expect(await deleteDeployment(database, deployment.storageId)).to.equal(false);
  });
});
