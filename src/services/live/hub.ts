import { setTimeout as delay } from 'node:timers/promises';
import { coerceError } from '../../domain/errors.ts';
import type { Logger } from '../../log/logger.ts';
import type { Database } from '../../store/database.ts';
import {
  findEventOwners,
  findOldest,
  isBefore,
  positionAt,
  positionAtStart,
  sendFence,
  takeMoment,
} from '../../store/live.ts';
import type { LivePosition, Moment } from '../../store/live.ts';
import type { Session } from '../../store/session.ts';
import { Changes } from './changes.ts';
import type { LiveTopic } from './messages.ts';
import { eventOwnersOf, readChanges, readEventPage, readMissedChanges } from './readings.ts';
import type { Delivery, LiveRequest, Subscription } from './subscription.ts';

export interface HubOptions {
  readonly database: Database;
  readonly log: Logger;
  /** Shortest time between two readings in milliseconds: what changes meanwhile is read together. Default 25. */
  readonly pause?: number;
}

/** How long a fence may take before the connection for notifications is taken for lost, in milliseconds. */
const fencePatience = 15_000;

/**
 * Reads what changes once for everybody who follows anything in this process.
 *
 * Notifications only say where to look. One round takes a snapshot, waits until every notification of what that
 * snapshot sees has arrived (a notification of its own comes behind them: the database delivers them in the order of
 * commits), and reads what lies between the last snapshot and this one. So nothing is missed and nothing is told
 * twice, whatever the order in which transactions end. Streams that come back, or could not take more, read on from
 * their own position until they have caught up, and join in a round.
 */
export class LiveHub {
  readonly #database: Database;
  readonly #log: Logger;
  readonly #pause: number;
  readonly #subscriptions = new Set<Subscription>();
  readonly #joining = new Set<Subscription>();
  readonly #fences = new Map<string, (isIntact: boolean) => void>();
  readonly #stopping = new AbortController();
  #changes = new Changes();
  #head: Moment | undefined;
  #listening: Promise<(() => Promise<void>)[]> | undefined;
  #loop: Promise<void> | undefined;
  #fenceCount = 0;
  /** How often notifications were lost. */
  #losses = 0;

  constructor({ database, log, pause = 25 }: HubOptions) {
    this.#database = database;
    this.#log = log;
    this.#pause = pause;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /**
   * Lets a stream in.
   * @returns whether it goes on where it had been; false when its position is none of this database's
   */
  async add(subscription: Subscription): Promise<boolean> {
    this.#listening ??= this.#listen().catch((error: unknown) => {
      this.#listening = undefined;
      throw error;
    });
    await this.#listening;
    const isResumed = await this.#settle(subscription);
    this.#subscriptions.add(subscription);
    this.#join(subscription);
    return isResumed;
  }

  remove(subscription: Subscription): void {
    subscription.isClosed = true;
    this.#subscriptions.delete(subscription);
    this.#joining.delete(subscription);
  }

  /** Ends the readings; streams are left to their owners. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#fences.forEach((release) => release(false));
    await this.#loop;
    const listening = this.#listening;
    this.#listening = undefined;
    for (const unlisten of (await listening?.catch(() => [])) ?? []) {
      await unlisten();
    }
  }

  /** Gives a new stream the position it starts from. */
  async #settle(subscription: Subscription): Promise<boolean> {
    const { from } = subscription;
    const moment = await takeMoment(this.#database, await findOldest(this.#database));
    const isResumed = typeof from === 'object' && isBefore(from, moment);
    if (!isResumed) {
      subscription.position = from === 'start' ? positionAtStart(moment) : positionAt(moment);
    }
    return isResumed;
  }

  async #listen(): Promise<(() => Promise<void>)[]> {
    const take = (note: (payload: string) => void) => (payload: string | undefined) => {
      if (payload === undefined) {
        this.#lose();
      } else if (this.#subscriptions.size > 0) {
        note(payload);
        this.#wake();
      }
    };
    return Promise.all([
      this.#database.listen(
        'gantry_events',
        take((id) => this.#changes.eventOwners.add(id)),
      ),
      this.#database.listen(
        'gantry_executions',
        take((id) => this.#changes.executions.add(id)),
      ),
      this.#database.listen(
        'gantry_live',
        take((payload) => this.#changes.note(payload)),
      ),
      this.#database.listen('gantry_live_fence', (word) => this.#fences.get(word ?? '')?.(true)),
    ]);
  }

  /** Notifications were missed: everybody reads on from its own position. */
  #lose(): void {
    this.#losses += 1;
    this.#head = undefined;
    this.#changes = new Changes();
    this.#fences.forEach((release) => release(false));
    for (const subscription of this.#subscriptions) {
      subscription.isLive = false;
      this.#join(subscription);
    }
  }

  #join(subscription: Subscription): void {
    this.#joining.add(subscription);
    this.#wake();
  }

  #wake(): void {
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted && this.#hasWork();) {
      try {
        await this.#round();
        failures = 0;
      } catch (error) {
        failures += 1;
        this.#log.warn('Changes could not be read for live streams; retrying', { error: coerceError(error) });
        this.#lose();
      }
      const pause = failures === 0 ? this.#pause : Math.min(100 * 2 ** failures, 5000);
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  #hasWork(): boolean {
    return this.#subscriptions.size > 0 && (this.#joining.size > 0 || !this.#changes.isEmpty);
  }

  async #round(): Promise<void> {
    const changes = this.#changes;
    this.#changes = new Changes();
    const head = this.#head;
    const losses = this.#losses;
    const oldest = await findOldest(this.#database);
    await this.#database.readConsistently(async (session) => {
      const moment = await takeMoment(session, oldest);
      await this.#fence();
      // what arrived meanwhile may lie before or behind the snapshot: it is looked at now and once more later
      changes.add(this.#changes);
      if (head) {
        await this.#tell(session, changes, head, moment);
      }
      await this.#letIn(session, moment);
      this.#head = moment;
    });
    if (losses !== this.#losses) {
      // what was lost may lie behind the snapshot of this round
      this.#lose();
    }
  }

  /** Waits until every notification of what is visible now has arrived. */
  async #fence(): Promise<void> {
    this.#fenceCount += 1;
    const word = `${process.pid}-${this.#fenceCount}-${performance.now()}`;
    let timer: NodeJS.Timeout | undefined;
    const arrived = new Promise<boolean>((resolve) => {
      this.#fences.set(word, resolve);
      timer = setTimeout(() => resolve(false), fencePatience);
    });
    try {
      await sendFence(this.#database, word);
      if (!(await arrived)) {
        throw new Error('The database did not deliver a notification');
      }
    } finally {
      clearTimeout(timer);
      this.#fences.delete(word);
    }
  }

  #live(): Subscription[] {
    return [...this.#subscriptions].filter(({ isLive }) => isLive);
  }

  /** Reads what lies between two moments and hands it to everybody who is up to date. */
  async #tell(session: Session, changes: Changes, head: Moment, moment: Moment): Promise<void> {
    const isFollowed = (topic: LiveTopic): boolean => this.#live().some((subscription) => subscription.follows(topic));
    const between: LivePosition = { ...positionAt(head), current: moment.snapshot };
    if (changes.eventOwners.size > 0 && isFollowed('events')) {
      const ids = this.#interesting([...changes.eventOwners]);
      const owners = ids.length > 0 ? await findEventOwners(session, ids) : { executions: [], groups: [] };
      for (let position = between, isComplete = false; !isComplete;) {
        const page = await readEventPage(session, owners, position);
        this.#hand(page.deliveries, page.position);
        ({ position, isComplete } = page);
      }
    }
    const messages = await readChanges(session, changes, head, isFollowed);
    this.#hand(
      messages.map((message) => ({ message })),
      positionAt(moment),
    );
  }

  #hand(deliveries: readonly Delivery[], position: LivePosition): void {
    for (const subscription of this.#live()) {
      subscription.hand(deliveries, position);
      if (!subscription.isLive) {
        this.#resumeLater(subscription);
      }
    }
  }

  /** Leaves out executions that no stream follows, when all streams name some. */
  #interesting(ids: readonly string[]): readonly string[] {
    const wanted = new Set<string>();
    for (const { filter } of this.#live().filter((subscription) => subscription.follows('events'))) {
      if (!filter.executionIds && !filter.executionGroupIds) {
        return ids;
      }
      [...(filter.executionIds ?? []), ...(filter.executionGroupIds ?? [])].forEach((id) => wanted.add(id));
    }
    return ids.filter((id) => wanted.has(id));
  }

  #resumeLater(subscription: Subscription): void {
    subscription.receiver.drained().then(
      () => {
        if (!subscription.isClosed) {
          this.#join(subscription);
        }
      },
      () => this.remove(subscription),
    );
  }

  /** Brings everybody who waits up to this moment; who has too much to read goes on in a later round. */
  async #letIn(session: Session, moment: Moment): Promise<void> {
    for (const subscription of [...this.#joining]) {
      this.#joining.delete(subscription);
      if (!(await this.#catchUp(session, subscription, moment)) && !subscription.isClosed) {
        this.#resumeLater(subscription);
      }
    }
  }

  /** @returns whether the stream is up to date now */
  async #catchUp(session: Session, subscription: Subscription, moment: Moment): Promise<boolean> {
    const { position } = subscription;
    const scope = subscription.scopes.get('events');
    // what was being read first, then what came since
    const { current, oldest, seen = 'all', statesSince = seen } = position;
    const ranges = [position, { ...positionAt(moment), seen: current, oldest, statesSince }];
    let events: Delivery[] = [];
    if (scope) {
      const owners = await eventOwnersOf(session, subscription.filter, scope);
      for (const range of ranges) {
        const page = await readEventPage(session, owners, range);
        events = events.concat(page.deliveries);
        if (!page.isComplete) {
          subscription.hand(events, page.position);
          return false;
        }
      }
    }
    const changed = await readMissedChanges(session, subscription);
    subscription.isLive = true;
    subscription.hand([...events, ...changed.map((message) => ({ message }))], positionAt(moment));
    return subscription.isLive;
  }
}

export type { LiveRequest };
