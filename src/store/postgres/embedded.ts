import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { coerceError } from '../../domain/errors.ts';
import type { Logger } from '../../log/logger.ts';
import { isConnectionError } from '../database-errors.ts';
import type { Binaries } from './binaries.ts';
import { locateBinaries } from './binaries.ts';
import type { ClusterPlaces } from './cluster.ts';
import { ensureCluster, placesOf, readPassword, spawnOptions, superuser } from './cluster.ts';
import { becomeOwner } from './owner.ts';
import { findPostmaster, isAlive, stopPostmaster } from './postmaster.ts';

export interface EmbeddedPostgres {
  /** postgres:// URL of the database, through a socket only this account (and root) can open. */
  url: string;
  /** Whether another live process of the product started the server; `stop` leaves it running then. */
  isShared: boolean;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  dataDir: string;
  log: Logger;
  /** Server settings besides ours, e.g. for tests. */
  settings?: Readonly<Record<string, string>>;
}

const databaseName = 'gantry';
const largestLog = 10 * 1024 * 1024;
const longestStart = 30_000;

function serverArguments(places: ClusterPlaces, major: number, more: Readonly<Record<string, string>>): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '',
    unix_socket_directories: places.socket,
    unix_socket_permissions: '0700',
    max_connections: '200',
    shared_buffers: '64MB',
    max_wal_size: '1GB',
    wal_level: 'minimal',
    max_wal_senders: '0',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // idle helper processes cost memory
    ...(major >= 18 ? { io_method: 'sync' } : {}),
    ...more,
  };
  return ['-D', places.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

function urlOf(places: ClusterPlaces, password: string, database: string): string {
  return `postgres://${superuser}:${password}@${encodeURIComponent(places.socket)}/${database}`;
}

async function answers(url: string): Promise<true | Error> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch (error) {
    return coerceError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A server that somebody else is just setting up has no database of ours yet. */
function isNotReady(error: Error): boolean {
  return isConnectionError(error) || ('code' in error && error.code === '3D000');
}

/** Waits until the server takes connections; `hasFailed` ends the wait early. */
async function waitForAnswer(url: string, hasFailed: () => boolean, milliseconds: number): Promise<true | Error> {
  for (const deadline = Date.now() + milliseconds; ; await delay(10)) {
    const answer = await answers(url);
    if (answer === true || !isNotReady(answer) || hasFailed() || Date.now() > deadline) {
      return answer;
    }
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [databaseName]);
    if (rowCount === 0) {
      await client.query(`create database ${databaseName}`);
    }
  } finally {
    await client.end();
  }
}

async function lastLines(file: string): Promise<string> {
  const content = await readFile(file, 'utf8').catch(() => '');
  return content.trimEnd().split('\n').slice(-5).join(' | ');
}

/** Keeps one server process running until it is stopped. */
class Supervisor {
  readonly #places: ClusterPlaces;
  readonly #binaries: Binaries;
  readonly #major: number;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #log: Logger;
  #child: ChildProcess | undefined;
  #adopted: number | undefined;
  #isStopping = false;

  constructor(
    places: ClusterPlaces,
    binaries: Binaries,
    major: number,
    { log, settings }: Pick<EmbeddedOptions, 'log' | 'settings'>,
  ) {
    this.#places = places;
    this.#binaries = binaries;
    this.#major = major;
    this.#log = log;
    this.#settings = settings ?? {};
  }

  /** Takes over a server that an earlier process left, or ends it when it does not answer. */
  async adopt(url: string): Promise<boolean> {
    const running = await findPostmaster(this.#places.data);
    if (!running) {
      return false;
    }
    const answer = await waitForAnswer(url, () => !isAlive(running.pid), 5000);
    if (answer === true) {
      this.#adopted = running.pid;
      this.#log.info('Reusing the embedded PostgreSQL that was still running', { pid: running.pid });
      return true;
    }
    this.#log.warn('The embedded PostgreSQL that was still running does not answer; stopping it', { pid: running.pid });
    await stopPostmaster(running.pid);
    await findPostmaster(this.#places.data);
    return false;
  }

  /** @throws Error with the last lines of the server's log when it does not come up */
  async start(url: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const child = await this.#launch();
      const answer = await waitForAnswer(url, () => child.exitCode !== null || child.signalCode !== null, longestStart);
      if (answer === true) {
        this.#supervise(child, url);
        return;
      }
      child.kill('SIGQUIT');
      // processes of a server that was killed hold its shared memory for a moment
      if (attempt === 5) {
        throw new Error(
          `The embedded PostgreSQL did not start: ${answer.message}. The end of ${this.#places.log} says: ${await lastLines(this.#places.log)}`,
        );
      }
      await delay(attempt * 200);
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    // nothing else may keep this process alive until the server's exit is told
    this.#child?.ref();
    const pid = this.#adopted ?? this.#child?.pid;
    if (pid === undefined) {
      return;
    }
    const ended =
      this.#child && this.#child.exitCode === null && this.#child.signalCode === null
        ? once(this.#child, 'exit')
        : undefined;
    await stopPostmaster(pid);
    await ended;
  }

  async #launch(): Promise<ChildProcess> {
    const size = await stat(this.#places.log).then(
      (entry) => entry.size,
      () => 0,
    );
    const log = await open(this.#places.log, size > largestLog ? 'w' : 'a', 0o600);
    try {
      const child = spawn(this.#binaries.postgres, serverArguments(this.#places, this.#major, this.#settings), {
        ...spawnOptions(this.#places.account),
        // Ctrl-C in a terminal is for us, not for the server: it has to outlive our last writes
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      });
      child.on('error', (error) => this.#log.error('The embedded PostgreSQL cannot be run', { error }));
      child.unref();
      this.#child = child;
      return child;
    } finally {
      await log.close();
    }
  }

  #supervise(child: ChildProcess, url: string): void {
    child.once('exit', (code, signalName) => {
      if (this.#isStopping) {
        return;
      }
      this.#log.error('The embedded PostgreSQL ended unexpectedly; starting it again', { code, signal: signalName });
      this.start(url).catch((error: unknown) =>
        this.#log.error('The embedded PostgreSQL cannot be started again', { error }),
      );
    });
  }
}

async function startOwn(options: EmbeddedOptions, places: ClusterPlaces, password: string): Promise<Supervisor> {
  const binaries = await locateBinaries({ account: places.account, copyTo: places.base, log: options.log });
  const major = await ensureCluster(places, binaries, password);
  const supervisor = new Supervisor(places, binaries, major, options);
  const maintenanceUrl = urlOf(places, password, 'postgres');
  if (!(await supervisor.adopt(maintenanceUrl))) {
    await supervisor.start(maintenanceUrl);
  }
  await createDatabase(maintenanceUrl);
  return supervisor;
}

/**
 * Starts the PostgreSQL that npm brought, in `dataDir`/postgres, and makes its database. A data directory that exists
 * is opened again; a server left over from a process that was killed is taken over; one that another live process of
 * the product runs (or is just starting) is shared.
 * @throws Error with one sentence on what to do when it cannot run here
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const places = await placesOf(options.dataDir);
  for (;;) {
    const owner = await becomeOwner(places.ownerFile);
    const password = await readPassword(places, owner === undefined);
    const url = urlOf(places, password, databaseName);
    if (owner === undefined) {
      const release = (): Promise<void> => rm(places.ownerFile, { force: true });
      const supervisor = await startOwn(options, places, password).catch(async (error: unknown) => {
        await release();
        throw error;
      });
      const stop = (): Promise<void> => supervisor.stop().then(release);
      return { url, isShared: false, stop };
    }
    if ((await waitForAnswer(url, () => !isAlive(owner), longestStart)) === true) {
      return { url, isShared: true, stop: async () => undefined };
    }
    if (isAlive(owner)) {
      throw new Error(
        `The embedded PostgreSQL in ${places.base} belongs to process ${owner}, which runs, but it does not answer. End that process, or use another data directory.`,
      );
    }
  }
}
