import pg from 'pg';
import { databaseServers } from '../config/database-url.ts';
import { readDatabaseUrl } from './database-address.ts';
import type { DatabaseAddress } from './database-address.ts';

/** SQLSTATE of a server that takes no connections yet, as a standby takes no changes yet. */
const cannotConnectNow = '57P03';

class StandbyError extends Error {
  readonly code = cannotConnectNow;

  constructor() {
    super('The server is a standby: it takes no changes until it is promoted');
  }
}

/** The servers of a database, of which one at a time is the primary and takes changes. */
export class DatabaseServers {
  readonly #servers: readonly { readonly url: string; readonly address: DatabaseAddress }[];
  #index = 0;

  /**
   * @param url postgres:// URL of one server or of several (`databaseServers`)
   * @throws GantryError bad_parameters_error for what the URL says of TLS and is of no use
   */
  constructor(url: string) {
    this.#servers = databaseServers(url).map((server) => ({ url: server, address: readDatabaseUrl(server) }));
  }

  /** URL of the server that is, as far as known, the primary. */
  get current(): string {
    return this.#servers[this.#index]?.url ?? '';
  }

  /** How a connection to it is made. */
  get address(): DatabaseAddress {
    return this.#servers[this.#index]?.address ?? {};
  }

  get count(): number {
    return this.#servers.length;
  }

  /** Looks for the primary elsewhere from now on. Of those who find out at the same time only the first one counts. */
  leave(url: string): void {
    if (url === this.current) {
      this.#index = (this.#index + 1) % this.count;
    }
  }
}

type Connected = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

/**
 * Makes the kind of connection that goes to the primary: connecting fails where a server is away or a standby, and the
 * next connection tries the next server. Connections that exist are lost with their server and need no care.
 */
export function connectionTo(servers: DatabaseServers): typeof pg.Client {
  if (servers.count === 1) {
    return pg.Client;
  }
  return class extends pg.Client {
    readonly #url: string;

    constructor(config?: string | pg.ClientConfig) {
      const url = servers.current;
      super({ ...(typeof config === 'object' ? config : {}), ...servers.address });
      this.#url = url;
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: Connected): void;
    override connect(callback?: Connected): Promise<pg.Client> | void {
      const connected = this.#connectToPrimary();
      if (!callback) {
        return connected;
      }
      connected.then(
        (client) => (callback as (error: null, client: pg.Client) => void)(null, client),
        (error: Error) => (callback as (error: Error) => void)(error),
      );
    }

    async #connectToPrimary(): Promise<pg.Client> {
      // whoever asked listens for errors only once this is done
      const ignore = (): void => undefined;
      this.on('error', ignore);
      try {
        await super.connect();
        await this.#refuseStandby();
        return this;
      } catch (error) {
        servers.leave(this.#url);
        throw error;
      } finally {
        this.off('error', ignore);
      }
    }

    async #refuseStandby(): Promise<void> {
      const { rows } = await this.query<{ standby: boolean }>('select pg_is_in_recovery() as standby');
      if (rows[0]?.standby !== false) {
        await this.end();
        throw new StandbyError();
      }
    }
  };
}

/**
 * Finds the primary among the servers of a database.
 * @param url postgres:// URL of one server or of several; that of one is not looked at
 * @returns URL of the primary alone
 * @throws Error of the first server when none is the primary
 */
export async function findPrimary(url: string): Promise<string> {
  const servers = new DatabaseServers(url);
  if (servers.count === 1) {
    return url;
  }
  const Client = connectionTo(servers);
  const failures: unknown[] = [];
  while (failures.length < servers.count) {
    const { current } = servers;
    const client = new Client({ connectionTimeoutMillis: 10_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return current;
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}
