import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import { isLockTimeout } from '../store/database-errors.ts';
import type { Database } from '../store/database.ts';
import { evictDeadHolder } from '../store/lock-holder.ts';

/** Any number that no other lock uses. */
const leaderLock = 7_163_101;
const shortestPause = 200;
const longestPause = 5000;
/** Milliseconds between two signs of life of the connection that holds the lock. */
const checkPause = 5000;
/** Milliseconds to wait for the lock; the lock is then requested again, so that a dead connection is noticed. */
const waitingLimit = 30_000;
/** Milliseconds after which a connection that does not answer is given up. */
const answerLimit = 10_000;

export interface LeadershipOptions {
  database: Database;
  log: Logger;
  /** Seconds without heartbeat after which another process counts as dead. */
  staleAfter: () => number;
  /** Told when this process becomes the leader, and when it is none any more. */
  onChange: (isLeader: boolean) => void;
}

/**
 * Waits for the leadership among all processes of the product: a lock on a connection of its own, which the server
 * hands to the next one the moment the leader's connection ends, however that comes. A leader that hangs keeps its
 * connection; when its heartbeat is missed, those who wait have the server end it.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #stopping = new AbortController();
  #campaign: Promise<void> | undefined;
  #isLeader = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** Starts waiting. */
  start(): void {
    this.#campaign ??= this.#run();
  }

  /** Gives the leadership up. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#campaign;
  }

  /** One connection at a time: of two that wait, the one that is not watched might get the lock. */
  async #run(): Promise<void> {
    const { database, log } = this.#options;
    const { signal } = this.#stopping;
    let pause = shortestPause;
    while (!signal.aborted) {
      const client = database.newConnection({
        statement_timeout: 0,
        lock_timeout: waitingLimit,
        query_timeout: waitingLimit + answerLimit,
        idle_in_transaction_session_timeout: 0,
      });
      const wasLeader = await this.#reign(client).catch((thrown: unknown) => {
        if (!signal.aborted) {
          log.warn('The connection that holds the scheduler lock was lost', { reason: coerceError(thrown).message });
        }
        return this.#isLeader;
      });
      this.#change(false);
      // a goodbye that the server does not hear would be waited for
      void client.end().catch(() => undefined);
      pause = wasLeader ? shortestPause : Math.min(pause * 2, longestPause);
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Holds the lock as long as the connection lives and this process does not stop. @returns whether it had it */
  async #reign(client: pg.Client): Promise<boolean> {
    const { signal } = this.#stopping;
    let onStop = (): void => undefined;
    const over = new Promise<'stopped'>((resolve, reject) => {
      client.on('error', reject);
      client.on('end', () => reject(new Error('The server closed the connection')));
      onStop = () => resolve('stopped');
    });
    signal.addEventListener('abort', onStop);
    over.catch(() => undefined);
    const isWaiting = new AbortController();
    try {
      await Promise.race([client.connect(), over]);
      const evicting = this.#evictDeadLeaders(isWaiting.signal);
      const got = await Promise.race([acquire(client), over]);
      isWaiting.abort();
      await evicting;
      if (got === 'stopped' || signal.aborted) {
        return false;
      }
      this.#change(true);
      await Promise.race([this.#watch(client), over]);
      return true;
    } finally {
      isWaiting.abort();
      signal.removeEventListener('abort', onStop);
    }
  }

  async #evictDeadLeaders(signal: AbortSignal): Promise<void> {
    const { database, log, staleAfter } = this.#options;
    while (!signal.aborted) {
      await delay((staleAfter() * 1000) / 2, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) {
        await evictDeadHolder(database, leaderLock, staleAfter()).then(
          (name) => name !== undefined && log.warn('The scheduler hangs; terminating its connection', { name }),
          () => undefined,
        );
      }
    }
  }

  /** Detects a dead connection that did not report an error. */
  async #watch(client: pg.Client): Promise<never> {
    for (;;) {
      await delay(checkPause, undefined, { signal: this.#stopping.signal });
      await client.query({ text: 'select 1', query_timeout: answerLimit } as pg.QueryConfig);
    }
  }

  #change(isLeader: boolean): void {
    if (this.#isLeader !== isLeader) {
      this.#isLeader = isLeader;
      this.#options.onChange(isLeader);
    }
  }
}

/** Waits for the lock as long as the connection lives. */
async function acquire(client: pg.Client): Promise<void> {
  for (;;) {
    try {
      await client.query('select pg_advisory_lock($1)', [leaderLock]);
      return;
    } catch (thrown) {
      if (!isLockTimeout(thrown)) {
        throw thrown;
      }
    }
  }
}
