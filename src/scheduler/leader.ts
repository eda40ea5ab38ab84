import pg from 'pg';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';

/** Any number nobody else uses. */
const leaderLock = 7_163_101;
const shortestPause = 200;
const longestPause = 5000;

/**
 * Waits for the leadership among all processes of the product: a lock on a connection of its own, which the server
 * hands to the next one the moment the leader's connection ends, however that comes.
 */
export class Leadership {
  readonly #database: Database;
  readonly #log: Logger;
  readonly #onChange: (isLeader: boolean) => void;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pause = shortestPause;
  #isLeader = false;
  #isStopped = false;

  /** @param onChange told when this process becomes the leader, and when it is none any more */
  constructor(database: Database, log: Logger, onChange: (isLeader: boolean) => void) {
    this.#database = database;
    this.#log = log;
    this.#onChange = onChange;
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** Starts waiting. */
  start(): void {
    this.#stand().catch((thrown: unknown) => this.#lost(coerceError(thrown)));
  }

  /** Gives the leadership up. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#change(false);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #stand(): Promise<void> {
    const client = new pg.Client({ ...this.#database.clientConfig(), statement_timeout: 0 });
    this.#client = client;
    client.on('error', (error) => this.#lost(error, client));
    client.on('end', () => this.#lost(new Error('The server closed the connection'), client));
    await client.connect();
    await client.query('select pg_advisory_lock($1)', [leaderLock]);
    if (!this.#isStopped && this.#client === client) {
      this.#pause = shortestPause;
      this.#change(true);
    }
  }

  #lost(error: Error, client = this.#client): void {
    if (this.#isStopped || this.#client !== client) {
      return;
    }
    this.#client = undefined;
    client?.end().catch(() => undefined);
    this.#change(false);
    this.#log.warn('The connection that holds the scheduler lock was lost', { reason: error.message });
    this.#timer = setTimeout(() => this.start(), this.#pause);
    this.#pause = Math.min(this.#pause * 2, longestPause);
  }

  #change(isLeader: boolean): void {
    if (this.#isLeader !== isLeader) {
      this.#isLeader = isLeader;
      this.#onChange(isLeader);
    }
  }
}
