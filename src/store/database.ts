import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import { isConnectionError, isReadOnly, isReadTimeout, isSerializationConflict } from './database-errors.ts';
import { unreachable } from './database-address.ts';
import { requestDoneBefore } from './done-requests.ts';
import { Listener } from './listener.ts';
import type { NotificationHandler } from './listener.ts';
import { connectionTo, DatabaseServers } from './primary.ts';
import { GatheringSocket, SharedLines } from './shared-lines.ts';
import type { Actor, Once, Session, Transaction } from './session.ts';

export interface DatabaseOptions {
  /** postgres:// URL of one server, or of several with a primary among them. */
  url: string;
  /** Most connections held at once. */
  poolSize: number;
  log: Logger;
  /** Shown in pg_stat_activity. */
  applicationName?: string;
  /** Milliseconds after which the server gives a statement up; 0 = never. Default one minute. */
  statementTimeout?: number;
  /**
   * Milliseconds of silence beyond what may take time after which the network to the server counts as gone. Default ten
   * seconds.
   */
  silenceLimit?: number;
  /**
   * Plan every statement once per connection, for its parameters in general, and always by an index where there is one.
   * For processes that run the same statements all the time: with the parameters of each time the server plans long
   * statements anew every time, which costs more than running them. Lists with changing conditions need the opposite.
   */
  plansOnce?: boolean;
  /** Milliseconds to go on trying to reach the server at start. Default 30 seconds. */
  connectTimeout?: number;
}

const types = new pg.TypeOverrides();
// storage ids and counts stay far below 2^53
types.setTypeParser(pg.types.builtins.INT8, Number);

const statementNames = new Map<string, string>();

function statementName(text: string): string {
  let name = statementNames.get(text);
  if (name === undefined) {
    name = createHash('sha256').update(text).digest('hex').slice(0, 32);
    statementNames.set(text, name);
  }
  return name;
}

/** A plan that is kept must stay good when a table has grown since; without scans of whole tables it does. */
const generalPlans = ' -c plan_cache_mode=force_generic_plan -c enable_seqscan=off';

/** For a single row the planner likes to sort and merge, which takes longer to set up than to look things up. */
const noMerging = ' -c enable_mergejoin=off';

const maximumAttempts = 5;
const defaultSilenceLimit = 10_000;
const noReadTimeout = 2 ** 31 - 1;
/** Milliseconds after which the server ends a transaction in which nothing happens: who began it hangs, or is cut off,
 * and keeps others waiting for its locks. */
const idleTransactionLimit = 15_000;

/** Does work again that lost against another transaction (deadlock, serialization). */
async function repeated<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isSerializationConflict(error) || attempt === maximumAttempts) {
        throw error;
      }
      await delay(attempt * 10);
    }
  }
}

type Runner = Pick<pg.ClientBase, 'query'>;

abstract class Statements {
  protected abstract send<Row extends object>(statement: pg.QueryConfig): Promise<pg.QueryResult<Row>>;

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.send<Row>({ text, values: [...values] })).rows;
  }

  async prepared<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.send<Row>({ name: statementName(text), text, values: [...values] })).rows;
  }

  async lookUp<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.prepared<Row>(text, values);
  }
}

class ClientTransaction extends Statements implements Transaction {
  readonly tasks: (() => void | Promise<void>)[] = [];
  readonly #client: Runner;
  readonly #begun: Promise<unknown>;
  /** Milliseconds to wait for an answer; undefined = that of the connection. */
  readonly #readTimeout: number | undefined;
  #isOver = false;

  /** @param begun settled when it is known whether the transaction has begun; statements need not wait for that */
  constructor(client: Runner, begun: Promise<unknown>, readTimeout: number | undefined) {
    super();
    this.#client = client;
    this.#begun = begun;
    this.#readTimeout = readTimeout;
  }

  protected override async send<Row extends object>(statement: pg.QueryConfig): Promise<pg.QueryResult<Row>> {
    if (this.#isOver) {
      throw new Error('A statement came after the end of its transaction');
    }
    const limited = this.#readTimeout === undefined ? statement : { ...statement, query_timeout: this.#readTimeout };
    const [result] = await Promise.all([this.#client.query<Row>(limited), this.#begun]);
    return result;
  }

  /** Takes no more statements: the connection is about to be somebody else's. */
  end(): void {
    this.#isOver = true;
  }

  async transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return work(this);
  }

  afterCommit(task: () => void | Promise<void>): void {
    this.tasks.push(task);
  }
}

/** Begins a transaction; `actor` is what the audit log gets to know about its changes. */
function beginAs(client: Runner, actor: Actor | undefined): Promise<unknown> {
  const begun = client.query({ name: 'begin', text: 'begin' });
  if (!actor) {
    return begun;
  }
  const named = client.query({
    name: 'name-actor',
    text: `select set_config('gantry.username', $1, true), set_config('gantry.execution_id', $2, true),
      set_config('gantry.address', $3, true)`,
    values: [actor.username, actor.executionId ?? '', actor.address ?? ''],
  });
  return Promise.all([begun, named, actor.once && markDone(client, actor.once)]);
}

/**
 * Marks the request as carried out, as part of the transaction; waits for another attempt that is doing so. The mark of
 * an earlier transaction of the same attempt is no obstacle.
 * @throws GantryError request_done_before
 */
async function markDone(client: Runner, { key, attempt }: Once): Promise<void> {
  const { rowCount } = await client.query({
    name: 'mark-done',
    text: `insert into done_requests as mark (key, attempt) values ($1, $2)
      on conflict (key) do update set attempt = mark.attempt where mark.attempt = excluded.attempt`,
    values: [key, attempt],
  });
  if (rowCount === 0) {
    throw requestDoneBefore();
  }
}

/**
 * The connection pool of a process. Survives restarts of PostgreSQL: calls that meet one fail with an error for which
 * `isConnectionError` holds, later calls connect anew.
 */
export class Database extends Statements implements Session {
  readonly #servers: DatabaseServers;
  readonly #pool: pg.Pool;
  readonly #lines: SharedLines;
  readonly #listener: Listener;
  readonly #log: Logger;
  readonly #options: DatabaseOptions;
  #isClosing = false;

  constructor(options: DatabaseOptions) {
    super();
    this.#options = options;
    this.#log = options.log;
    this.#servers = new DatabaseServers(options.url);
    const Client = connectionTo(this.#servers);
    // with a pipeline, what is asked for at once travels at once
    const together = { pipeline: true, stream: () => new GatheringSocket() };
    const config = { ...this.#clientConfig(), ...together, Client };
    this.#pool = new pg.Pool({ ...config, max: options.poolSize, idleTimeoutMillis: 30_000 });
    this.#lines = new SharedLines(() => this.newConnection(together));
    this.#pool.on('error', (error) => {
      // the pool does not wait for its goodbyes to arrive, so a server that stops next may answer them
      if (!this.#isClosing) {
        this.#log.warn('An idle database connection was lost', { reason: error.message });
      }
    });
    const silenceLimit = options.silenceLimit ?? defaultSilenceLimit;
    this.#listener = new Listener(() => this.newConnection(), options.log, silenceLimit);
  }

  /** Connections of the pool by what they do, and how many wait for one. */
  get poolState(): { idle: number; busy: number; waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { idle: idleCount, busy: totalCount - idleCount, waiting: waitingCount };
  }

  /** A connection outside the pool, e.g. for a lock that is held for a long time. */
  newConnection(settings: pg.ClientConfig = {}): pg.Client {
    const Client = connectionTo(this.#servers);
    return new Client({ ...this.#clientConfig(), ...settings });
  }

  #clientConfig(): pg.ClientConfig {
    const { statementTimeout = 60_000, silenceLimit = defaultSilenceLimit } = this.#options;
    return {
      ...this.#servers.address,
      application_name: this.#options.applicationName ?? 'gantry',
      connectionTimeoutMillis: 10_000,
      statement_timeout: statementTimeout,
      query_timeout: statementTimeout === 0 ? noReadTimeout : statementTimeout + silenceLimit,
      idle_in_transaction_session_timeout: idleTransactionLimit,
      keepAlive: true,
      // compilation of plans costs more than it saves on short statements
      options: `-c jit=off -c timezone=UTC${this.#options.plansOnce ? generalPlans : noMerging}`,
      types,
    };
  }

  protected override send<Row extends object>(statement: pg.QueryConfig): Promise<pg.QueryResult<Row>> {
    return this.#pool.query<Row>(statement);
  }

  /** A statement on its own is a transaction: when it lost against another one, nothing of it happened. */
  override async prepared<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return repeated(() => super.prepared<Row>(text, values));
  }

  override async lookUp<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#lines.send<Row>({ name: statementName(text), text, values: [...values] })).rows;
  }

  async transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return this.transactionAs(undefined, work);
  }

  /**
   * Like `transaction`, with `actor` recorded in the audit log. Work that lost against another transaction (deadlock,
   * serialization) runs again, so it must not keep state of its own between runs.
   */
  async transactionAs<Result>(
    actor: Actor | undefined,
    work: (transaction: Transaction) => Promise<Result>,
  ): Promise<Result> {
    return repeated(() => this.#attempt((client) => beginAs(client, actor), work));
  }

  /** Reads many things as they are at one moment, whatever is changed meanwhile; nothing can be written. */
  async readConsistently<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    const begin = `begin isolation level repeatable read read only; set local statement_timeout = 0;
      set local idle_in_transaction_session_timeout = 0`;
    return this.#attempt((client) => client.query(begin), work, noReadTimeout);
  }

  async #attempt<Result>(
    begin: (client: Runner) => Promise<unknown>,
    work: (transaction: Transaction) => Promise<Result>,
    readTimeout?: number,
  ): Promise<Result> {
    const client = await this.#pool.connect();
    const begun = begin(client);
    // every statement hears of it
    begun.catch(() => undefined);
    const transaction = new ClientTransaction(client, begun, readTimeout);
    let broken: Error | undefined;
    let result: Result;
    const lost = (error: Error): void => {
      broken = error;
    };
    client.on('error', lost);
    try {
      result = await work(transaction);
      await begun;
      transaction.end();
      await client.query({ name: 'commit', text: 'commit' });
    } catch (error) {
      transaction.end();
      if (isReadTimeout(error) || isReadOnly(error)) {
        broken = coerceError(error);
      } else {
        await client.query('rollback').catch((failure: unknown) => {
          broken = coerceError(failure);
        });
      }
      throw error;
    } finally {
      client.removeListener('error', lost);
      client.release(broken);
    }
    await this.#afterCommit(transaction);
    return result;
  }

  async #afterCommit(transaction: ClientTransaction): Promise<void> {
    for (const task of transaction.tasks) {
      try {
        await task();
      } catch (error) {
        this.#log.error('A task after a commit failed', { error });
      }
    }
  }

  /** A session whose changes the audit log attributes to `actor`. */
  actingAs(actor: Actor): Session {
    return new ActorSession(this, actor);
  }

  /**
   * Calls `handler` for every notification on `channel` from the time the promise resolves.
   * @param handler gets the payload, or undefined when notifications may have been missed (the connection was lost
   *   and is back): look for yourself then
   * @returns a function that ends it
   */
  async listen(channel: string, handler: NotificationHandler): Promise<() => Promise<void>> {
    return this.#listener.listen(channel, handler);
  }

  /**
   * Waits until the server answers.
   * @throws Error with one clear sentence when it does not within the connect timeout, or refuses the credentials
   */
  async waitUntilReady(signal?: AbortSignal): Promise<void> {
    const deadline = Date.now() + (this.#options.connectTimeout ?? 30_000);
    for (let pause = 50; ; pause = Math.min(pause * 2, 2000)) {
      try {
        await this.query('select 1');
        return;
      } catch (error) {
        signal?.throwIfAborted();
        if (!isConnectionError(error) || Date.now() + pause > deadline) {
          throw unreachable(this.#options.url, error);
        }
        this.#log.info('The database does not answer yet', { reason: coerceError(error).message });
        await delay(pause, undefined, signal ? { signal } : {});
      }
    }
  }

  /** Waits for running statements and closes every connection. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([this.#listener.close(), this.#lines.close()]);
    await this.#pool.end();
  }
}

const changing = /^\s*(?:insert|update|delete|with|truncate|merge)\b/i;

class ActorSession implements Session {
  readonly #database: Database;
  readonly #actor: Actor;

  constructor(database: Database, actor: Actor) {
    this.#database = database;
    this.#actor = actor;
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return changing.test(text)
      ? this.transaction((transaction) => transaction.query<Row>(text, values))
      : this.#database.query<Row>(text, values);
  }

  async prepared<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return changing.test(text)
      ? this.transaction((transaction) => transaction.prepared<Row>(text, values))
      : this.#database.prepared<Row>(text, values);
  }

  async lookUp<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#database.lookUp<Row>(text, values);
  }

  async transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return this.#database.transactionAs(this.#actor, work);
  }
}

/** Opens the database and waits until it answers. */
export async function connectDatabase(options: DatabaseOptions, signal?: AbortSignal): Promise<Database> {
  const database = new Database(options);
  try {
    await database.waitUntilReady(signal);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}
