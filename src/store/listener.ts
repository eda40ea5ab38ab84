import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';

/** Gets the payload of a notification, or undefined when some may have been missed. */
export type NotificationHandler = (payload: string | undefined) => void;

const longestPause = 5000;

/** One connection that LISTENs for everybody in this process and comes back by itself. */
export class Listener {
  readonly #connect: () => pg.Client;
  readonly #log: Logger;
  readonly #silenceLimit: number;
  readonly #handlers = new Map<string, Set<NotificationHandler>>();
  readonly #closing = new AbortController();
  #client: pg.Client | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #opening: Promise<pg.Client> | undefined;
  #checkTimer: NodeJS.Timeout | undefined;

  /**
   * @param silenceLimit milliseconds between two signs of life of the connection, and those after which one that does
   *   not answer is given up
   */
  constructor(connect: () => pg.Client, log: Logger, silenceLimit: number) {
    this.#connect = connect;
    this.#silenceLimit = silenceLimit;
    this.#log = log;
  }

  async listen(channel: string, handler: NotificationHandler): Promise<() => Promise<void>> {
    const handlers = this.#handlers.get(channel) ?? new Set();
    this.#handlers.set(channel, handlers);
    handlers.add(handler);
    try {
      await this.#inTurn(async () => (await this.#open()).query(`listen ${pg.escapeIdentifier(channel)}`));
    } catch (error) {
      handlers.delete(handler);
      throw error;
    }
    return async () => this.#forget(channel, handler);
  }

  /** A connection takes one statement at a time. */
  #inTurn(work: () => Promise<unknown>): Promise<unknown> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#checkTimer);
    this.#handlers.clear();
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #forget(channel: string, handler: NotificationHandler): Promise<void> {
    const handlers = this.#handlers.get(channel);
    handlers?.delete(handler);
    if (handlers?.size === 0) {
      this.#handlers.delete(channel);
      await this.#inTurn(async () => this.#client?.query(`unlisten ${pg.escapeIdentifier(channel)}`)).catch(
        () => undefined,
      );
    }
  }

  async #open(): Promise<pg.Client> {
    if (this.#client) {
      return this.#client;
    }
    this.#opening ??= this.#start().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #start(): Promise<pg.Client> {
    const client = this.#connect();
    client.on('notification', ({ channel, payload }) => this.#deliver(channel, payload ?? ''));
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, new Error('the server closed the connection')));
    await client.connect();
    for (const channel of this.#handlers.keys()) {
      await client.query(`listen ${pg.escapeIdentifier(channel)}`);
    }
    if (this.#closing.signal.aborted) {
      await client.end();
      throw new Error('The database was closed while a listener was connecting');
    }
    this.#client = client;
    this.#checkLater(client);
    return client;
  }

  /** A network that went away tells nobody; silence would look like nothing happening. */
  #checkLater(client: pg.Client): void {
    clearTimeout(this.#checkTimer);
    this.#checkTimer = setTimeout(() => {
      if (this.#client !== client) {
        return;
      }
      this.#inTurn(() => client.query({ text: 'select 1', query_timeout: this.#silenceLimit } as pg.QueryConfig)).then(
        () => this.#checkLater(client),
        (error: unknown) => this.#lost(client, coerceError(error)),
      );
    }, this.#silenceLimit);
    this.#checkTimer.unref();
  }

  #lost(client: pg.Client, error: Error): void {
    if (this.#client !== client) {
      return;
    }
    this.#client = undefined;
    client.end().catch(() => undefined);
    if (!this.#closing.signal.aborted) {
      this.#log.warn('The connection for notifications was lost', { error });
      void this.#comeBack();
    }
  }

  async #comeBack(): Promise<void> {
    for (let pause = 50; !this.#closing.signal.aborted; pause = Math.min(pause * 2, longestPause)) {
      try {
        await this.#open();
        for (const channel of this.#handlers.keys()) {
          this.#deliver(channel, undefined);
        }
        return;
      } catch (error) {
        this.#log.debug('Still no connection for notifications', { error });
        await delay(pause, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
      }
    }
  }

  #deliver(channel: string, payload: string | undefined): void {
    for (const handler of this.#handlers.get(channel) ?? []) {
      try {
        handler(payload);
      } catch (error) {
        this.#log.error('A notification handler failed', { channel, error });
      }
    }
  }
}
