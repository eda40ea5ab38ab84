import { expect } from 'chai';
import type { EventInput } from '../../src/domain/entities.ts';
import { silentLogger } from '../../src/log/logger.ts';
import type { Database } from '../../src/store/database.ts';
import { connectDatabase } from '../../src/store/database.ts';
import { findExecution } from '../../src/store/executions.ts';
import type { OperationClaim } from '../../src/store/operations.ts';
import {
  claimOperations,
  createOperation,
  deleteOperation,
  findAnswers,
  listOperations,
  loadOperations,
  markOperationsSent,
  resetOperations,
  storeAnswers,
} from '../../src/store/operations.ts';
import { beat, leave } from '../../src/store/processes.ts';
import { storeProgress } from '../../src/store/progress.ts';
import type { NewOperation } from '../../src/store/tasks-graphs.ts';
import { findTasksGraphs, storeTasksGraph } from '../../src/store/tasks-graphs.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addExecution, everything, owner, sampleOperations } from './samples.ts';

describe('operations in the store', () => {
  let test: TestDatabase;
  let database: Database;
  const worker = { name: 'worker-1', host: 'manager', staleAfter: 6 };
  const startedEvent = {
    kind: 'event',
    eventType: 'task_started',
    timestamp: new Date('2026-01-02T03:04:06Z'),
    ...owner,
  } as const;
  const nothing = { operations: [], newOperations: [], instances: [], events: [] };

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
    await beat(database, { name: worker.name, roles: ['broker'] });
  });
  after(() => test.close());

  const addGraph = async (
    operations: NewOperation[],
  ): Promise<{ executionId: string; graphId: string; ids: string[] }> => {
    const execution = await addExecution(database);
    const graphId = `graph-${execution.id}`;
    await storeTasksGraph(database, execution.id, { id: graphId, name: 'install', operations });
    return { executionId: execution.id, graphId, ids: operations.map(({ id }) => id) };
  };
  const states = async (graphId: string): Promise<string[]> =>
    (await loadOperations(database, graphId)).map(({ state }) => state);
  const counters = async (executionId: string): Promise<(number | undefined)[]> => {
    const execution = await findExecution(database, executionId);
    return [execution?.finishedOperations, execution?.totalOperations];
  };
  const outcomes = (claims: OperationClaim[]): string[] => claims.map(({ outcome }) => outcome);

  it('are stored with their graph in order, and counted without no-ops', async () => {
    const operations = [
      ...sampleOperations(3),
      ...sampleOperations(1, { type: 'NOPLocalWorkflowTask' }),
      ...sampleOperations(1, { state: 'succeeded', dependencies: ['a', 'b'] }),
    ];
    const { executionId, graphId, ids } = await addGraph(operations);
    const stored = await loadOperations(database, graphId);
    expect(stored.map(({ id }) => id)).to.deep.equal(ids);
    expect(stored[4]).to.include({ state: 'succeeded', executionId, tenantName: 'default_tenant' });
    expect(stored[4]?.dependencies).to.deep.equal(['a', 'b']);
    expect(stored[0]?.parameters).to.deep.equal(operations[0]?.parameters);
    expect(await counters(executionId)).to.deep.equal([1, 4]);
    const [graph] = await findTasksGraphs(database, executionId, 'install');
    expect(graph?.id).to.equal(graphId);
  });

  it('are refused a second graph of the same name, and an unknown execution', async () => {
    const { executionId } = await addGraph([]);
    const again = storeTasksGraph(database, executionId, { id: 'other', name: 'install', operations: [] });
    expect(await again.catch((error: unknown) => error)).to.include({ code: 'conflict_error' });
    const unknown = storeTasksGraph(database, 'nobody', { id: 'other', name: 'install', operations: [] });
    expect(await unknown.catch((error: unknown) => error)).to.include({ code: 'not_found_error' });
  });

  it('keep texts that PostgreSQL cannot hold as they are', async () => {
    const parameters = { text: 'a\0b', path: 'C:\\u0000', half: 'x\ud800y', plain: 'gr\u00fc\u00df' };
    const { graphId } = await addGraph(sampleOperations(1, { parameters }));
    const [operation] = await loadOperations(database, graphId);
    expect(operation?.parameters).to.deep.equal({ ...parameters, text: 'a<NUL>b', half: 'x\ufffdy' });
  });

  it('are sent once', async () => {
    const { ids, graphId } = await addGraph(sampleOperations(3));
    expect(await markOperationsSent(database, ids)).to.have.members(ids);
    expect(await markOperationsSent(database, ids)).to.deep.equal([]);
    expect(await states(graphId)).to.deep.equal(['sent', 'sent', 'sent']);
  });

  it('go to one of many workers that claim them at the same time', async () => {
    const { ids } = await addGraph(sampleOperations(50));
    const names = ['race-1', 'race-2', 'race-3', 'race-4'];
    await Promise.all(names.map((name) => beat(database, { name, roles: [] })));
    const claims = await Promise.all(
      names.map((name, index) => claimOperations(database, index % 2 ? ids : ids.toReversed(), { ...worker, name })),
    );
    const claimed = claims.flat().filter(({ outcome }) => outcome === 'claimed');
    expect(claimed.map(({ id }) => id)).to.have.members(ids);
    expect(claimed).to.have.length(ids.length);
    expect(claims.flat().filter(({ outcome }) => outcome === 'running')).to.have.length(3 * ids.length);
  });

  it('are answered from the store when they are delivered again', async () => {
    const { ids, executionId } = await addGraph(sampleOperations(3));
    const [first = '', second = '', third = ''] = ids;
    expect(await claimOperations(database, ids, worker)).to.deep.equal(
      ids.map((id) => ({ id, outcome: 'claimed', isTakenOver: false })),
    );
    const stored = await storeAnswers(database, worker.name, [
      { id: first, ok: true, result: { value: 1 } },
      { id: second, ok: false, error: { message: 'no' } },
    ]);
    expect(stored).to.have.members([first, second]);
    expect(await claimOperations(database, [...ids, 'unknown'], worker)).to.deep.equal([
      { id: first, outcome: 'answered', ok: true, result: { value: 1 }, error: null },
      { id: second, outcome: 'answered', ok: false, result: null, error: { message: 'no' } },
      { id: third, outcome: 'running', worker: worker.name },
      { id: 'unknown', outcome: 'unknown' },
    ]);
    expect(await findAnswers(database, executionId)).to.deep.equal([
      { id: first, ok: true, result: { value: 1 } },
      { id: second, ok: false, error: { message: 'no' } },
    ]);
  });

  it('tell that they have begun when the claimer runs them now', async () => {
    const { ids, executionId } = await addGraph(sampleOperations(2));
    const [first = '', second = ''] = ids;
    const begun = (...names: string[]): ReadonlyMap<string, EventInput> =>
      new Map(names.map((id) => [id, { ...startedEvent, executionId, message: `begun ${id}` }]));
    const messages = async (): Promise<string[]> => {
      const rows = await database.query<{ message: string }>(
        `select message from events where message like 'begun %' and execution_id =
           (select storage_id from executions where id = $1) order by storage_id`,
        [executionId],
      );
      return rows.map(({ message }) => message.slice('begun '.length));
    };
    await claimOperations(database, [first], worker, begun(first));
    expect(await messages()).to.deep.equal([first]);
    await claimOperations(database, [first, second, 'unknown-1'], worker, begun(first, second, 'unknown-1'));
    expect(await messages()).to.deep.equal([first, second, 'unknown-1']);
    expect(await claimOperations(database, ['unknown-2'], worker, begun('unknown-2'))).to.deep.equal([
      { id: 'unknown-2', outcome: 'unknown' },
    ]);
    expect(await messages()).to.deep.equal([first, second, 'unknown-1', 'unknown-2']);
  });

  it('are taken over from a worker that left or lost its heartbeat, whose answer then does not count', async () => {
    const { ids } = await addGraph(sampleOperations(1));
    await beat(database, { name: 'leaving', roles: [] });
    await claimOperations(database, ids, { ...worker, name: 'leaving' });
    expect(outcomes(await claimOperations(database, ids, worker))).to.deep.equal(['running']);
    await leave(database, 'leaving');
    expect(await claimOperations(database, ids, worker)).to.deep.equal([
      { id: ids[0], outcome: 'claimed', isTakenOver: true },
    ]);
    const late = ids.map((id) => ({ id, ok: true, result: 'late' }));
    expect(await storeAnswers(database, 'leaving', late)).to.deep.equal([]);
  });

  it('are taken over from an earlier run of a process with the same name', async () => {
    const { ids } = await addGraph(sampleOperations(1));
    await beat(database, { name: 'restarted', roles: [] });
    await claimOperations(database, ids, { ...worker, name: 'restarted' });
    await database.query(
      `update processes set run = 'later', started_at = now() + interval '1 second' where name = 'restarted'`,
    );
    expect(outcomes(await claimOperations(database, ids, { ...worker, name: 'restarted' }))).to.deep.equal(['claimed']);
  });

  it('never go back: a late state change is left out', async () => {
    const { ids, graphId, executionId } = await addGraph(sampleOperations(2));
    const [first = '', second = ''] = ids;
    await claimOperations(database, [first], worker);
    await storeProgress(database, {
      ...nothing,
      operations: [
        { id: first, state: 'sent' },
        { id: second, state: 'sent' },
        { id: second, state: 'succeeded', result: 5 },
      ],
    });
    expect(await states(graphId)).to.deep.equal(['started', 'succeeded']);
    await storeProgress(database, { ...nothing, operations: [{ id: second, state: 'failed' }] });
    expect(await states(graphId)).to.deep.equal(['started', 'succeeded']);
    expect(await counters(executionId)).to.deep.equal([1, 2]);
  });

  it('change one at a time, with or without documents', async () => {
    const { ids, graphId } = await addGraph(sampleOperations(1, { parameters: { a: 1, b: 2 } }));
    const [id = ''] = ids;
    await storeProgress(database, { ...nothing, operations: [{ id, state: 'sending' }] });
    await storeProgress(database, { ...nothing, operations: [{ id, state: 'sent', parameters: { b: 3 } }] });
    await storeProgress(database, { ...nothing, operations: [{ id, state: 'succeeded', result: null }] });
    const [stored] = await loadOperations(database, graphId);
    expect(stored).to.deep.include({ state: 'succeeded', parameters: { a: 1, b: 3 } });
    expect(stored?.sentAt).to.be.instanceOf(Date);
    expect(stored?.endedAt).to.be.instanceOf(Date);
  });

  it('count as finished once, and retries join the graph', async () => {
    const { ids, graphId, executionId } = await addGraph(sampleOperations(2));
    const [retry] = sampleOperations(1, { parameters: { retried_task: ids[0] ?? '', current_retries: 1 } });
    const progress = {
      ...nothing,
      operations: ids.map((id) => ({ id, state: 'failed' as const, error: { message: 'x' } })),
      newOperations: retry ? [{ tasksGraphId: graphId, operation: retry }] : [],
    };
    await storeProgress(database, progress);
    await storeProgress(database, progress);
    expect(await counters(executionId)).to.deep.equal([2, 3]);
    expect(await states(graphId)).to.deep.equal(['failed', 'failed', 'pending']);
  });

  it('stay as they are when another process drives one of their executions', async () => {
    const mine = await addGraph(sampleOperations(1));
    const lost = await addGraph(sampleOperations(2));
    await database.query(`update executions set executor = 'me' where id = $1`, [mine.executionId]);
    await database.query(`update executions set executor = 'you' where id = $1`, [lost.executionId]);
    const executionIds = [mine.executionId, lost.executionId];
    const [first = '', second = ''] = lost.ids;
    const progress = {
      ...nothing,
      operations: [
        ...mine.ids.map((id) => ({ id, state: 'succeeded' as const })),
        { id: first, state: 'sent' as const },
        { id: second, state: 'failed' as const, error: { message: 'x' } },
      ],
      events: executionIds.map((executionId) => ({ ...startedEvent, executionId, message: 'gone on' })),
    };
    expect(await storeProgress(database, progress, { executor: 'me', executionIds })).to.equal(false);
    expect(await states(mine.graphId)).to.deep.equal(['pending']);
    expect(await states(lost.graphId)).to.deep.equal(['pending', 'pending']);
    expect(await counters(mine.executionId)).to.deep.equal([0, 1]);
    await database.query(`update executions set executor = 'me' where id = $1`, [lost.executionId]);
    expect(await storeProgress(database, progress, { executor: 'me', executionIds })).to.equal(true);
    expect(await states(mine.graphId)).to.deep.equal(['succeeded']);
    expect(await states(lost.graphId)).to.deep.equal(['sent', 'failed']);
    expect(await counters(lost.executionId)).to.deep.equal([1, 2]);
    const [row] = await database.query<{ count: number }>(
      `select count(*) as count from events where message = 'gone on'`,
    );
    expect(row?.count).to.equal(2);
  });

  it('are reset for a resume unless another operation retries them', async () => {
    const { ids, graphId, executionId } = await addGraph(sampleOperations(4));
    const [first = '', second = '', third = ''] = ids;
    const [retry] = sampleOperations(1, { parameters: { retried_task: first, current_retries: 3 } });
    await storeProgress(database, {
      ...nothing,
      newOperations: retry ? [{ tasksGraphId: graphId, operation: retry }] : [],
      operations: [
        { id: first, state: 'failed' },
        { id: second, state: 'rescheduled' },
        { id: third, state: 'started' },
        { id: retry?.id ?? '', state: 'failed' },
      ],
    });
    expect(await resetOperations(database, [executionId], false)).to.equal(2);
    expect(await states(graphId)).to.deep.equal(['failed', 'pending', 'started', 'pending', 'pending']);
    expect((await loadOperations(database, graphId)).at(-1)?.parameters).to.include({ current_retries: 0 });
    expect(await counters(executionId)).to.deep.equal([1, 5]);
    expect(await resetOperations(database, [executionId], true)).to.equal(1);
    expect(await states(graphId)).to.deep.equal(['failed', 'pending', 'pending', 'pending', 'pending']);
  });

  it('are left as they ended in a cleanup before a resume, since the next resume makes another', async () => {
    const [cleanup] = sampleOperations(1, { type: 'SubgraphTask', parameters: { info: { transient: true } } });
    const inside = { containing_subgraph: cleanup?.id ?? '', info: null };
    const [stop, under] = sampleOperations(2, { parameters: inside });
    const [other] = sampleOperations(1, { parameters: { containing_subgraph: null, info: { name: 'x' } } });
    const operations = [cleanup, stop, under, other].flatMap((operation) => operation ?? []);
    const { graphId, executionId, ids } = await addGraph(operations);
    const ended = ['failed', 'failed', 'started', 'failed'] as const;
    await storeProgress(database, {
      ...nothing,
      operations: ended.map((state, index) => ({ id: ids[index] ?? '', state })),
    });
    expect(await resetOperations(database, [executionId], true)).to.equal(2);
    expect(await states(graphId)).to.deep.equal(['failed', 'failed', 'pending', 'pending']);
  });

  it('are added, listed and deleted one by one for clients', async () => {
    const { ids, graphId, executionId } = await addGraph(sampleOperations(1));
    const [more] = sampleOperations(1);
    if (!more) {
      throw new Error('no sample');
    }
    await createOperation(database, graphId, more);
    expect(await createOperation(database, graphId, more).catch((error: unknown) => error)).to.include({
      code: 'conflict_error',
    });
    const page = await listOperations(
      database,
      everything,
      { executionId },
      { filters: { state: ['pending'] }, size: 1 },
    );
    expect(page).to.deep.include({ total: 2 });
    expect(page.items.map(({ id }) => id)).to.deep.equal(ids);
    expect(await deleteOperation(database, more.id)).to.equal(true);
    expect(await deleteOperation(database, more.id)).to.equal(false);
    expect(await counters(executionId)).to.deep.equal([0, 1]);
  });

  it('survive concurrent batches of several executors without a deadlock reaching the caller', async () => {
    const { ids, executionId } = await addGraph(sampleOperations(200));
    const other = await connectDatabase({ url: test.url, poolSize: 4, log: silentLogger });
    try {
      await Promise.all(
        [database, other, database, other].map((session, index) =>
          storeProgress(session, {
            ...nothing,
            operations: (index % 2 ? ids : ids.toReversed()).map((id) => ({ id, state: 'succeeded' as const })),
          }),
        ),
      );
    } finally {
      await other.close();
    }
    expect(await counters(executionId)).to.deep.equal([200, 200]);
  });
});
