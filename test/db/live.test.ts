import { expect } from 'chai';
import { silentLogger } from '../../src/log/logger.ts';
import { Subscription } from '../../src/services/live/subscription.ts';
import type { Delivery, LiveReceiver, LiveRequest } from '../../src/services/live/subscription.ts';
import { LiveHub } from '../../src/services/live/hub.ts';
import type { LiveTopic } from '../../src/services/live/messages.ts';
import type { Database } from '../../src/store/database.ts';
import { deleteDeployment, updateDeployment } from '../../src/store/deployments.ts';
import { insertEvents } from '../../src/store/events.ts';
import { parsePosition } from '../../src/store/live.ts';
import { changeInstanceStates } from '../../src/store/node-instances.ts';
import type { Session } from '../../src/store/session.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addExecution, addInstances, everything, owner } from './samples.ts';

/** Keeps what it gets; takes no more while `isFull`. */
class Receiver implements LiveReceiver {
  readonly deliveries: Delivery[] = [];
  isFull = false;
  #wake: () => void = () => undefined;
  #drain: () => void = () => undefined;

  deliver(deliveries: readonly Delivery[]): boolean {
    this.deliveries.push(...deliveries);
    this.#wake();
    return !this.isFull;
  }

  async drained(): Promise<void> {
    if (this.isFull) {
      await new Promise<void>((resolve) => (this.#drain = resolve));
    }
  }

  empty(): void {
    this.isFull = false;
    this.#drain();
  }

  get texts(): string[] {
    return this.deliveries.flatMap(({ message }) => (message.topic === 'events' ? [message.item.message] : []));
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

describe('the hub of live streams', function () {
  this.timeout(60_000);
  let test: TestDatabase;
  let database: Database;
  let hub: LiveHub;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });
  after(() => test.close());
  beforeEach(() => {
    hub = new LiveHub({ database, log: silentLogger, pause: 1 });
  });
  afterEach(() => hub.stop());

  async function follow(
    topics: readonly LiveTopic[],
    more: Partial<LiveRequest> = {},
  ): Promise<{ subscription: Subscription; receiver: Receiver; isResumed: boolean }> {
    const receiver = new Receiver();
    const scopes = new Map(topics.map((topic) => [topic, everything]));
    const subscription = new Subscription({ scopes, filter: {}, from: 'now', receiver, ...more });
    const isResumed = await hub.add(subscription);
    return { subscription, receiver, isResumed };
  }

  async function say(session: Session, executionId: string, ...messages: string[]): Promise<void> {
    await insertEvents(
      session,
      messages.map((message) => ({
        ...owner,
        kind: 'log' as const,
        timestamp: new Date(),
        executionId,
        message,
        logger: 'ctx',
        level: 'info',
      })),
    );
  }

  /** Waits until a stream is up to date with what was stored before. */
  async function settle(receiver: Receiver, executionId: string): Promise<void> {
    await say(database, executionId, 'settled');
    await receiver.until(() => receiver.texts.includes('settled'));
  }

  /** Runs a transaction that is written but does not end before `commit` is called. */
  async function heldBack(work: (session: Session) => Promise<unknown>): Promise<() => Promise<void>> {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let ended: Promise<void> = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      ended = database.transaction(async (transaction) => {
        await work(transaction);
        resolve();
        await gate;
      });
      ended.catch(reject);
    });
    return async () => {
      release();
      await ended;
    };
  }

  it('tells everything once, whatever the order in which transactions end', async () => {
    const execution = await addExecution(database);
    const { receiver } = await follow(['events']);
    const commit = await heldBack((session) => say(session, execution.id, 'begun first'));
    await say(database, execution.id, 'ended first');
    await receiver.until(() => receiver.texts.includes('ended first'));
    expect(receiver.texts).to.deep.equal(['ended first']);
    await commit();
    await settle(receiver, execution.id);
    expect(receiver.texts).to.deep.equal(['ended first', 'begun first', 'settled']);
  });

  it('goes on behind every single event, also behind one in the middle of a reading', async () => {
    const execution = await addExecution(database);
    const first = await follow(['events']);
    const commit = await heldBack((session) => say(session, execution.id, 'late'));
    await say(database, execution.id, ...Array.from({ length: 20 }, (_, index) => `line ${index}`));
    await first.receiver.until(() => first.receiver.texts.length === 20);
    hub.remove(first.subscription);
    await commit();
    const seventh = first.receiver.deliveries[6]?.position ?? '';
    for (const filter of [{}, { executionIds: [execution.id] }]) {
      const second = await follow(['events'], { from: parsePosition(seventh), filter });
      expect(second.isResumed).to.equal(true);
      await settle(second.receiver, execution.id);
      const told = second.receiver.texts.filter((text) => text !== 'settled');
      expect(told.sort()).to.deep.equal(['late', ...first.receiver.texts.slice(7)].sort());
      hub.remove(second.subscription);
    }
  });

  it('tells an execution from its start, page by page, and only once', async () => {
    const execution = await addExecution(database);
    const lines = Array.from({ length: 2500 }, (_, index) => `line ${index}`);
    await say(database, execution.id, ...lines.slice(0, 1200));
    const { receiver } = await follow(['events', 'executions'], {
      from: 'start',
      filter: { executionIds: [execution.id] },
    });
    await say(database, execution.id, ...lines.slice(1200));
    await settle(receiver, execution.id);
    expect(receiver.texts).to.deep.equal([...lines, 'settled']);
    expect(receiver.deliveries.filter(({ message }) => message.topic === 'executions')).to.have.length.of.at.least(1);
  });

  it('keeps nothing for a receiver that is full, and goes on when it has room', async () => {
    const execution = await addExecution(database);
    const slow = await follow(['events']);
    const quick = await follow(['events']);
    slow.receiver.isFull = true;
    await say(database, execution.id, 'one');
    await slow.receiver.until(() => slow.receiver.texts.length === 1);
    await say(database, execution.id, 'two', 'three');
    await settle(quick.receiver, execution.id);
    expect(slow.receiver.texts).to.deep.equal(['one']);
    slow.receiver.empty();
    await slow.receiver.until(() => slow.receiver.texts.includes('settled'));
    expect(slow.receiver.texts).to.deep.equal(['one', 'two', 'three', 'settled']);
    expect(quick.receiver.texts).to.deep.equal(['one', 'two', 'three', 'settled']);
  });

  it('reads on when the connection for notifications was lost', async () => {
    const execution = await addExecution(database);
    const { receiver } = await follow(['events']);
    await settle(receiver, execution.id);
    const listening = `query like 'listen %' and datname = current_database() and pid <> pg_backend_pid()`;
    await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${listening}`);
    await say(database, execution.id, 'nobody heard this');
    await receiver.until(() => receiver.texts.includes('nobody heard this'));
    await say(database, execution.id, 'and this again');
    await receiver.until(() => receiver.texts.includes('and this again'));
    expect(receiver.texts).to.deep.equal(['settled', 'nobody heard this', 'and this again']);
  });

  it('tells rows that change, after the events that came with the change, and rows that go', async () => {
    const { deployment, ids } = await addInstances(database, 2);
    const other = await addInstances(database, 1);
    const execution = await addExecution(database, { deploymentStorageId: deployment.storageId });
    const { receiver } = await follow(['events', 'executions', 'deployments', 'node_instances'], {
      filter: { deploymentIds: [deployment.id] },
    });
    await changeInstanceStates(database, [
      { id: ids[1] ?? '', state: 'started' },
      { id: other.ids[0] ?? '', state: 'started' },
    ]);
    await database.transaction(async (transaction) => {
      await say(transaction, execution.id, 'it starts');
      await transaction.query(`update executions set status = 'started' where id = $1`, [execution.id]);
    });
    await updateDeployment(database, deployment.storageId, { description: 'changed' });
    const isTold = (topic: LiveTopic): boolean => receiver.deliveries.some(({ message }) => message.topic === topic);
    // of rows that are gone before anybody has read them there is nothing to tell but that
    await receiver.until(() => isTold('executions') && isTold('deployments') && isTold('node_instances'));
    await deleteDeployment(database, deployment.storageId);
    const isGone = (topic: LiveTopic): boolean =>
      receiver.deliveries.some(({ message }) => message.topic === 'deleted' && message.of === topic);
    await receiver.until(() => isGone('deployments') && isGone('executions'));
    const told = receiver.deliveries.map(({ message }) =>
      message.topic === 'deleted' ? `${message.of} gone` : message.topic,
    );
    expect(told.indexOf('events')).to.be.lessThan(told.indexOf('executions'));
    const states = receiver.deliveries.flatMap(({ message }) =>
      message.topic === 'node_instances' ? [[message.item.id, message.item.state]] : [],
    );
    expect(states).to.deep.equal([[ids[1], 'started']]);
  });

  it('tells one who comes back which rows changed in between', async () => {
    const changed = await addInstances(database, 2);
    await addInstances(database, 2);
    const execution = await addExecution(database);
    const first = await follow(['events', 'node_instances', 'deployments']);
    await settle(first.receiver, execution.id);
    hub.remove(first.subscription);
    await changeInstanceStates(database, [{ id: changed.ids[0] ?? '', state: 'started' }]);
    const second = await follow(['node_instances'], { from: first.subscription.position });
    await second.receiver.until(() => second.receiver.deliveries.length > 0);
    expect(
      second.receiver.deliveries.map(({ message }) => message.topic === 'node_instances' && message.item.id),
    ).to.deep.equal([changed.ids[0]]);
  });

  it('takes a position of another database for none', async () => {
    const from = parsePosition('1@900000000:900000000:/900000000:900000000:/5');
    const { isResumed, receiver } = await follow(['events'], { from });
    expect(isResumed).to.equal(false);
    const execution = await addExecution(database);
    await settle(receiver, execution.id);
    expect(receiver.texts).to.deep.equal(['settled']);
  });
});
