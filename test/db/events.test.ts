import { expect } from 'chai';
import type { EventInput } from '../../src/domain/entities.ts';
import type { Database } from '../../src/store/database.ts';
import { deleteDeployment } from '../../src/store/deployments.ts';
import { deleteEvents, insertEvents, listEvents, tailEvents } from '../../src/store/events.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addExecution, addInstances, everything, owner } from './samples.ts';

describe('events in the store', () => {
  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });
  after(() => test.close());

  const log = (executionId: string, message: string, more: Partial<EventInput> = {}): EventInput => ({
    ...owner,
    kind: 'log',
    timestamp: new Date('2026-01-02T03:04:05.678Z'),
    executionId,
    message,
    logger: 'ctx',
    level: 'info',
    ...more,
  });
  const event = (executionId: string, eventType: string, more: Partial<EventInput> = {}): EventInput => ({
    ...owner,
    kind: 'event',
    timestamp: new Date('2026-01-02T03:04:06Z'),
    executionId,
    eventType,
    message: eventType,
    ...more,
  });

  it('come back with the names of what they belong to', async () => {
    const { deployment, ids } = await addInstances(database, 1, 'web');
    const execution = await addExecution(database, {
      deploymentStorageId: deployment.storageId,
      blueprintId: deployment.blueprintId,
    });
    const causes = [{ type: 'E', message: 'm', traceback: 't' }];
    await insertEvents(database, [
      event(execution.id, 'task_failed', {
        nodeInstanceId: ids[0] ?? '',
        errorCauses: causes,
        operation: 'op',
        managerName: 'm1',
      }),
      log(execution.id, 'nul\0'),
    ]);
    const { items, total } = await listEvents(database, everything, { executionIds: [execution.id] });
    expect(total).to.equal(2);
    expect(items[0]).to.deep.include({
      kind: 'event',
      eventType: 'task_failed',
      executionId: execution.id,
      executionGroupId: undefined,
      workflowId: 'install',
      deploymentId: deployment.id,
      deploymentDisplayName: deployment.displayName,
      blueprintId: deployment.blueprintId,
      nodeInstanceId: 'web_0',
      nodeName: 'web',
      errorCauses: causes,
      managerName: 'm1',
      reportedTimestamp: new Date('2026-01-02T03:04:06Z'),
    });
    expect(items[1]).to.deep.include({ kind: 'log', message: 'nul<NUL>', logger: 'ctx', level: 'info' });
    await deleteDeployment(database, deployment.storageId);
    expect(await listEvents(database, everything, { deploymentIds: [deployment.id] })).to.deep.include({ total: 0 });
  });

  it('are dropped when their execution is gone or of another tenant', async () => {
    const { id } = await addExecution(database);
    const stored = await insertEvents(database, [
      log(id, 'good'),
      log('gone', 'nobody'),
      log(id, 'foreign', { tenantId: 12 }),
    ]);
    expect(stored).to.equal(1);
    expect(await insertEvents(database, [])).to.equal(0);
  });

  it('are filtered, sorted and paged', async () => {
    const first = await addExecution(database);
    const second = await addExecution(database);
    const at = (seconds: number): { timestamp: Date } => ({ timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)) });
    await insertEvents(database, [
      log(first.id, 'b message', { level: 'error', operation: 'cloudify.a.create', ...at(3) }),
      log(first.id, 'a message', { level: 'info', operation: 'cloudify.b.create', ...at(2) }),
      event(first.id, 'task_started', at(1)),
      event(second.id, 'task_started', at(4)),
    ]);
    const messages = async (query: Parameters<typeof listEvents>[2]): Promise<string[]> => {
      const { items } = await listEvents(database, everything, { executionIds: [first.id, second.id], ...query });
      return items.map(({ message }) => message);
    };
    expect(await messages({ kind: 'log', sort: [{ field: 'message', descending: false }] })).to.deep.equal([
      'a message',
      'b message',
    ]);
    expect(await messages({ sort: [{ field: 'reportedTimestamp', descending: true }], size: 2 })).to.deep.equal([
      'task_started',
      'b message',
    ]);
    expect(await messages({ sort: [{ field: 'workflowId', descending: true }], offset: 3 })).to.have.length(1);
    expect(await messages({ levels: ['error', 'debug'] })).to.deep.equal(['b message']);
    expect(await messages({ eventTypes: ['task_started'], executionIds: [second.id] })).to.have.length(1);
    expect(await messages({ messages: ['%MESSAGE', 'a%'] })).to.deep.equal(['a message']);
    expect(await messages({ operations: ['%.create', '%.b.%'] })).to.deep.equal(['a message']);
    expect(await messages({ nodeNames: ['nothing'] })).to.deep.equal([]);
    const range = { field: 'reportedTimestamp', from: at(2).timestamp, to: at(3).timestamp } as const;
    expect(await messages({ ranges: [range] })).to.deep.equal(['a message']);
    const page = await listEvents(database, everything, { executionIds: [first.id], size: 2 });
    expect([page.items.length, page.total]).to.deep.equal([2, 3]);
    expect(await listEvents(database, { tenantId: 5 }, { executionIds: [first.id] })).to.deep.include({ total: 0 });
    expect(await deleteEvents(database, everything, { executionIds: [first.id], kind: 'log' })).to.equal(2);
  });

  it('hide private ones from other users', async () => {
    const { id } = await addExecution(database, { visibility: 'private' });
    await insertEvents(database, [log(id, 'mine')]);
    const seenBy = async (userId: number, administers: number[]): Promise<number> =>
      (await listEvents(database, { tenantId: 0, viewer: { userId, administers } }, { executionIds: [id] })).total;
    expect(await seenBy(0, [])).to.equal(1);
    expect(await seenBy(5, [])).to.equal(0);
    expect(await seenBy(5, [0])).to.equal(1);
  });

  it('tell listeners the ids of executions, once a batch', async () => {
    const first = await addExecution(database);
    const second = await addExecution(database);
    const heard: (string | undefined)[] = [];
    const stop = await database.listen('gantry_events', (payload) => heard.push(payload));
    await insertEvents(database, [log(first.id, '1'), log(first.id, '2'), log(second.id, '3')]);
    while (heard.length < 2) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stop();
    expect(heard).to.have.members([first.id, second.id]);
  });

  describe('live stream', () => {
    it('goes on where it was, in pages', async () => {
      const { id } = await addExecution(database);
      await insertEvents(
        database,
        ['1', '2', '3', '4', '5'].map((message) => log(id, message)),
      );
      const seen: string[] = [];
      let cursor: string | undefined;
      for (let hasMore = true; hasMore;) {
        const tail = await tailEvents(database, { executionId: id }, cursor, 2);
        seen.push(...tail.items.map(({ message }) => message));
        ({ cursor, hasMore } = tail);
      }
      expect(seen.join('')).to.equal('12345');
      await insertEvents(database, [log(id, '6')]);
      const next = await tailEvents(database, { executionId: id }, cursor, 2);
      expect(next.items.map(({ message }) => message)).to.deep.equal(['6']);
      expect((await tailEvents(database, { executionId: id }, next.cursor, 2)).items).to.deep.equal([]);
    });

    it('misses nothing and repeats nothing when transactions end in another order than they began', async () => {
      const { id } = await addExecution(database);
      const source = { executionId: id };
      const seen: string[] = [];
      let cursor: string | undefined;
      const look = async (): Promise<void> => {
        const tail = await tailEvents(database, source, cursor, 100);
        ({ cursor } = tail);
        seen.push(...tail.items.map(({ message }) => message));
      };
      await look();
      await database.transaction(async (slow) => {
        await insertEvents(slow, [log(id, 'slow')]);
        await insertEvents(database, [log(id, 'fast')]);
        await look();
        await look();
        expect(seen).to.deep.equal(['fast']);
      });
      await insertEvents(database, [log(id, 'later')]);
      await look();
      await look();
      expect(seen).to.deep.equal(['fast', 'slow', 'later']);
    });

    it('is complete under many concurrent writers', async () => {
      const { id } = await addExecution(database);
      const seen: string[] = [];
      let cursor: string | undefined;
      const look = async (): Promise<void> => {
        const tail = await tailEvents(database, { executionId: id }, cursor, 7);
        ({ cursor } = tail);
        seen.push(...tail.items.map(({ message }) => message));
      };
      let isWriting = true;
      const reader = (async () => {
        while (isWriting) {
          await look();
        }
      })();
      const expected = Array.from({ length: 200 }, (_, index) => String(index));
      await Promise.all(
        [0, 1, 2, 3].map(async (writer) => {
          for (const message of expected.filter((_, index) => index % 4 === writer)) {
            await insertEvents(database, [log(id, message)]);
          }
        }),
      );
      isWriting = false;
      await reader;
      while (seen.length < expected.length) {
        await look();
      }
      await look();
      expect(seen).to.have.length(expected.length);
      expect(seen).to.have.members(expected);
    });

    it('refuses a cursor of somebody else', async () => {
      for (const cursor of ['7', "1:2:/x'/1", '/1:1:/-1']) {
        const tail = tailEvents(database, { executionId: 'x' }, cursor, 1);
        expect(await tail.catch((error: unknown) => error)).to.include({ code: 'bad_parameters_error' });
      }
    });
  });
});
