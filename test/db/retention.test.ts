import { expect } from 'chai';
import type { EventInput, Execution } from '../../src/domain/entities.ts';
import type { Json } from '../../src/domain/plan.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { removeOld } from '../../src/scheduler/retention.ts';
import type { Database } from '../../src/store/database.ts';
import { retentionSettings } from '../../src/store/default-settings.ts';
import type { RetentionName } from '../../src/store/default-settings.ts';
import { setLatestExecutions } from '../../src/store/deployment-status.ts';
import { insertEvents, listEvents } from '../../src/store/events.ts';
import { addGroupExecutions, createExecutionGroup } from '../../src/store/execution-groups.ts';
import { findExecution } from '../../src/store/executions.ts';
import { findSettings, setSetting } from '../../src/store/settings.ts';
import { storeTasksGraph } from '../../src/store/tasks-graphs.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { addDeployment, addExecution, everything, owner, sampleOperations } from './samples.ts';

const dayLength = 24 * 3600 * 1000;
const clock = { now: () => Date.now() };

describe('what grows without bound', function () {
  this.timeout(60_000);
  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });
  after(() => test.close());
  afterEach(async () => {
    for (const name of Object.keys(retentionSettings)) {
      await set(name as RetentionName, 0);
    }
  });

  const set = (name: RetentionName, value: Json): Promise<unknown> =>
    setSetting(database, { scope: 'retention', name, value, updaterId: 0 });
  const remove = (signal = new AbortController().signal): Promise<Readonly<Record<string, number>>> =>
    removeOld({ database, clock, log: silentLogger }, signal);
  const daysAgo = (days: number): Date => new Date(Date.now() - days * dayLength);

  const entry = ({ id: executionId }: Execution, kind: 'event' | 'log', message: string): EventInput => ({
    ...owner,
    kind,
    timestamp: new Date(),
    executionId,
    message,
    ...(kind === 'event' ? { eventType: 'workflow_started' } : { level: 'info', logger: 'x' }),
  });

  /** Stores events and log lines as if that had been so many days ago. */
  const storedAgo = async (execution: Execution, days: number): Promise<void> => {
    await insertEvents(database, [
      entry(execution, 'event', `event of ${days}`),
      entry(execution, 'log', `log of ${days}`),
    ]);
    await database.query(
      `update events set timestamp = now() - make_interval(days => $1) where execution_id = $2 and message like $3`,
      [days, execution.storageId, `% of ${days}`],
    );
  };
  const messagesOf = async ({ id }: Execution): Promise<string[]> =>
    (await listEvents(database, everything, { executionIds: [id] })).items.map(({ message }) => message).sort();
  const ended = (days: number, more: object = {}): Promise<Execution> =>
    addExecution(database, { status: 'terminated', createdAt: daysAgo(days), endedAt: daysAgo(days), ...more });
  const isThere = async ({ id }: Execution): Promise<boolean> => (await findExecution(database, id)) !== undefined;

  it('stays for ever unless somebody says otherwise', async () => {
    for (const name of Object.keys(retentionSettings)) {
      const [setting] = await findSettings(database, name, 'retention');
      expect(setting, name).to.include({ value: 0, isEditable: true });
    }
    const execution = await ended(3000);
    await storedAgo(execution, 3000);
    expect(await remove()).to.deep.equal({});
    expect(await messagesOf(execution)).to.have.length(2);
  });

  it('events and log lines have ages of their own', async () => {
    const execution = await addExecution(database);
    for (const days of [1, 10, 100]) {
      await storedAgo(execution, days);
    }
    await set('logs_days', 5);
    await remove();
    expect(await messagesOf(execution)).to.deep.equal(['event of 1', 'event of 10', 'event of 100', 'log of 1']);
    await set('events_days', 50);
    await remove();
    expect(await messagesOf(execution)).to.deep.equal(['event of 1', 'event of 10', 'log of 1']);
  });

  it('whole months go at once, when both kinds are too old, unless somebody reads them', async () => {
    for (const table of ['events', 'audit_log']) {
      await database.query(
        `create table ${table}_2020_01 partition of ${table} for values from ('2020-01-01 00:00Z') to ('2020-02-01 00:00Z')`,
      );
    }
    const left = async (): Promise<string[]> => {
      const rows = await database.query<{ name: string }>(
        `select relname as name from pg_class where relname in ('events_2020_01', 'audit_log_2020_01') order by 1`,
      );
      return rows.map(({ name }) => name);
    };
    await set('logs_days', 30);
    await remove();
    expect(await left()).to.deep.equal(['audit_log_2020_01', 'events_2020_01']);
    await set('events_days', 30);
    await set('audit_log_days', 30);
    await database.transaction(async (transaction) => {
      await transaction.query('select 1 from events_2020_01');
      expect(await remove())
        .to.include({ 'months of the audit log': 1 })
        .and.not.to.have.key('months of events');
    });
    expect(await left()).to.deep.equal(['events_2020_01']);
    expect(await remove()).to.include({ 'months of events': 1 });
    expect(await left()).to.deep.equal([]);
  });

  it('records of the audit log go by their age', async () => {
    await database.query(`insert into audit_log (created_at, ref_table, ref_id, operation)
      select now() - make_interval(hours => 24 * age - 12), 'test', age, 'create' from generate_series(1, 20) as age`);
    await set('audit_log_days', 10);
    await remove();
    const rows = await database.query<{ age: number }>(`select ref_id as age from audit_log where ref_table = 'test'`);
    expect(rows.map(({ age }) => age).sort((one, other) => one - other)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('operations of ended executions go, and the executions stay', async () => {
    const [old, young] = [await ended(20), await ended(2)];
    const running = await addExecution(database, { status: 'started', createdAt: daysAgo(20) });
    const graphs = new Map<string, Execution>();
    for (const execution of [old, young, running]) {
      const id = `graph-${execution.id}`;
      await storeTasksGraph(database, execution.id, { id, name: 'install', operations: sampleOperations(3) });
      graphs.set(id, execution);
    }
    await set('operations_days', 10);
    expect(await remove()).to.deep.equal({ 'tasks graphs': 1 });
    const rows = await database.query<{ id: string; count: number }>(
      `select graph.id, count(*) as count from tasks_graphs graph
       join operations on tasks_graph_id = graph.storage_id group by graph.id`,
    );
    expect(new Set(rows.map(({ id }) => graphs.get(id)?.id))).to.deep.equal(new Set([young.id, running.id]));
    expect(await Promise.all([old, young, running].map(isThere))).to.deep.equal([true, true, true]);
  });

  it('ended executions go with what belongs to them; what deployments need stays', async () => {
    const deployment = await addDeployment(database);
    const of = { deploymentStorageId: deployment.storageId };
    const [creation, old, latest] = [await ended(30, of), await ended(20, of), await ended(15, of)];
    const active = await addExecution(database, { status: 'started', createdAt: daysAgo(30) });
    await database.query('update deployments set create_execution_id = $1 where storage_id = $2', [
      creation.storageId,
      deployment.storageId,
    ]);
    await setLatestExecutions(database, [
      { deploymentStorageId: deployment.storageId, executionStorageId: latest.storageId },
    ]);
    const group = await createExecutionGroup(database, {
      ...owner,
      id: 'old-group',
      workflowId: 'install',
      concurrency: 5,
      deploymentGroupStorageId: undefined,
      createdAt: daysAgo(20),
    });
    await addGroupExecutions(database, group.storageId, [old.storageId]);
    await storedAgo(old, 20);
    await set('executions_days', 10);
    // with everything that other tests have left
    expect(await remove()).to.include({ 'execution groups': 1 });
    const all = [creation, old, latest, active];
    expect(await Promise.all(all.map(isThere))).to.deep.equal([true, false, true, true]);
    expect(await database.query('select 1 from events where execution_id = $1', [old.storageId])).to.deep.equal([]);
  });

  it('tokens that have expired go without a setting', async () => {
    await database.query(`insert into tokens (id, secret_hash, user_id, expiration_date) values
      ('over', '', 0, now() - interval '1 second'), ('valid', '', 0, now() + interval '1 day'), ('endless', '', 0, null)`);
    expect(await remove()).to.deep.equal({ 'expired tokens': 1 });
    const rows = await database.query<{ id: string }>('select id from tokens order by id');
    expect(rows.map(({ id }) => id)).to.deep.equal(['endless', 'valid']);
  });

  it('two that remove at the same time take nothing twice, and one that has to stop does', async () => {
    for (let index = 0; index < 50; index += 1) {
      await ended(40);
    }
    await set('executions_days', 30);
    expect(await remove(AbortSignal.abort())).to.deep.equal({});
    const counts = await Promise.all([remove(), remove()]);
    const total = counts.reduce((sum, { executions = 0 }) => sum + executions, 0);
    expect(total).to.equal(50);
  });
});
