/** Connections that many statements share. */
import { Socket } from 'node:net';
import type pg from 'pg';

/**
 * A connection to the server that lets statements go together: those that are asked for while the event loop looks at
 * what has arrived cost one write.
 */
export class GatheringSocket extends Socket {
  override uncork(): void {
    setImmediate(() => super.uncork());
  }
}

interface Line {
  client: Promise<pg.Client> | undefined;
  /** Statements without an answer. */
  waiting: number;
}

/** So many that one long answer does not keep all others waiting. */
const lineCount = 2;

/**
 * Connections over which statements are sent without waiting for the answers to those before. They are opened when they
 * are first needed, and again when they were lost; what was under way then fails.
 */
export class SharedLines {
  readonly #connect: () => pg.Client;
  readonly #lines: readonly Line[] = Array.from({ length: lineCount }, () => ({ client: undefined, waiting: 0 }));
  #isClosed = false;

  /** @param connect makes a connection with a pipeline */
  constructor(connect: () => pg.Client) {
    this.#connect = connect;
  }

  /** Sends a statement, which has to be a transaction of its own and must not wait for locks. */
  async send<Row extends object>(statement: pg.QueryConfig): Promise<pg.QueryResult<Row>> {
    const line = this.#lines.reduce((best, next) => (next.waiting < best.waiting ? next : best));
    line.waiting += 1;
    try {
      line.client ??= this.#open(line);
      return await (await line.client).query<Row>(statement);
    } finally {
      line.waiting -= 1;
    }
  }

  #open(line: Line): Promise<pg.Client> {
    if (this.#isClosed) {
      throw new Error('The database is closed');
    }
    const client = this.#connect();
    const opening = client.connect().then(() => client);
    const forget = (): void => {
      if (line.client === opening) {
        line.client = undefined;
      }
    };
    client.on('error', forget);
    client.on('end', forget);
    opening.catch(forget);
    return opening;
  }

  /** Waits for what is under way and closes the connections. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const clients = this.#lines.flatMap(({ client }) => client ?? []);
    await Promise.all(clients.map((client) => client.then((open) => open.end()).catch(() => undefined)));
  }
}
