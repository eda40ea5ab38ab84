import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { appendFile, chmod, chown, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { silentLogger } from '../../src/log/logger.ts';
import { chooseAccount } from '../../src/store/postgres/account.ts';
import type { Account } from '../../src/store/postgres/account.ts';
import { locateBinaries } from '../../src/store/postgres/binaries.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';

const run = promisify(execFile);
/** Characters. */
const keptLog = 100_000;

/** Processes whose parent is `parent`; none where there is no /proc. */
function childrenOf(parent: number): number[] {
  try {
    const text = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended already
  }
}

/** PEM files of a server. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

const onlyTls = `
hostssl certified all 127.0.0.1/32 trust clientcert=verify-ca
hostssl all all 127.0.0.1/32 trust
`;

/** Copies of the files that the account of the server may read, as nobody else. */
async function copyTls(
  files: CertificateFiles,
  directory: string,
  account: Account | undefined,
): Promise<CertificateFiles> {
  const copy = async (name: string, from: string): Promise<string> => {
    const to = join(directory, name);
    await writeFile(to, await readFile(from), { mode: 0o600 });
    if (account) {
      await chown(to, account.uid, account.gid);
    }
    return to;
  };
  return {
    certificate: await copy('server.pem', files.certificate),
    key: await copy('server.key', files.key),
    authority: await copy('ca.pem', files.authority),
  };
}

const running = new Set<ChildProcess>();

// a test process that ends early must not leave servers behind
process.once('exit', () => running.forEach((child) => child.kill('SIGQUIT')));

/** A private PostgreSQL of the tests on a TCP port, which a test may stop, kill and start again. */
export class PostgresServer {
  readonly port: number;
  readonly directory: string;
  /** The last of what the server has written. */
  log = '';
  private readonly account: Account | undefined;
  private readonly program: string;
  private child: ChildProcess | undefined;
  private databases = 0;

  private readonly tls: CertificateFiles | undefined;

  private constructor(
    directory: string,
    port: number,
    program: string,
    { account, tls }: { account: Account | undefined; tls: CertificateFiles | undefined },
  ) {
    this.directory = directory;
    this.port = port;
    this.program = program;
    this.account = account;
    this.tls = tls;
  }

  /**
   * Makes an empty cluster in a temporary directory and starts it.
   * @param tls files of one that takes connections over TLS only, and those to the database `certified` only with a
   *   certificate of the same authority
   */
  static async start(tls?: CertificateFiles): Promise<PostgresServer> {
    const directory = await mkdtemp(join(tmpdir(), 'gantry-postgres-'));
    const account = await chooseAccount(directory);
    await chmod(directory, 0o700);
    if (account) {
      await chown(directory, account.uid, account.gid);
    }
    const binaries = await locateBinaries({ account, copyTo: directory, log: silentLogger });
    const data = join(directory, 'data');
    // nothing of a test has to survive a crash of the machine
    const words = ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '-A', 'trust', '-N'];
    await run(binaries.initdb, words, { cwd: '/', ...(account ?? {}) });
    const ownTls = tls && (await copyTls(tls, directory, account));
    if (ownTls) {
      await writeFile(join(data, 'pg_hba.conf'), onlyTls);
    }
    const server = new PostgresServer(directory, await freePort(), binaries.postgres, { account, tls: ownTls });
    await server.launch();
    return server;
  }

  /** Starts a standby that follows this server: a copy of its data that takes no changes until it is promoted. */
  async startStandby(): Promise<PostgresServer> {
    const directory = await mkdtemp(join(tmpdir(), 'gantry-standby-'));
    await this.halt();
    const data = join(directory, 'data');
    await cp(join(this.directory, 'data'), data, { recursive: true });
    await this.resume();
    await writeFile(join(data, 'standby.signal'), '');
    await appendFile(
      join(data, 'postgresql.auto.conf'),
      `primary_conninfo = 'host=127.0.0.1 port=${this.port} user=postgres'\n`,
    );
    if (this.account) {
      await run('chown', ['-R', `${this.account.uid}:${this.account.gid}`, directory]);
    }
    await chmod(data, 0o700);
    const standby = new PostgresServer(directory, await freePort(), this.program, {
      account: this.account,
      tls: this.tls,
    });
    await standby.launch();
    return standby;
  }

  /** Makes a standby the primary. */
  async promote(): Promise<void> {
    await this.ask('select pg_promote()');
  }

  /** Asks the server something outside of every test database. */
  async ask<Row extends object>(statement: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.url() });
    await client.connect();
    try {
      return (await client.query<Row>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  /** URL of a database; of a server with TLS one that checks no certificate. */
  url(database = 'postgres'): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}${this.tls ? '?sslmode=no-verify' : ''}`;
  }

  /** Creates an empty database and returns its URL. */
  async createDatabase(): Promise<string> {
    this.databases += 1;
    const name = `test_${this.databases}`;
    await this.ask(`create database ${name}`);
    return this.url(name);
  }

  /** Stops the server, its data stay: SIGINT ends transactions and writes all, SIGQUIT is a crash. */
  async halt(signal: 'SIGINT' | 'SIGQUIT' = 'SIGINT'): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child) {
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    }
  }

  /** Kills the server and all that belongs to it, as a crash of the machine would. */
  async crash(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child?.pid !== undefined) {
      const ended = once(child, 'exit');
      const parts = childrenOf(child.pid);
      [child.pid, ...parts].forEach((pid) => signal(pid, 'SIGKILL'));
      await ended;
    }
  }

  /** Starts a halted server again on the same port. */
  async resume(): Promise<void> {
    await this.launch();
  }

  async stop(): Promise<void> {
    await this.halt();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  private async launch(): Promise<void> {
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: this.directory,
      max_connections: '200',
      shared_buffers: '128MB',
      jit: 'off',
      ...(this.tls
        ? {
            ssl: 'on',
            ssl_cert_file: this.tls.certificate,
            ssl_key_file: this.tls.key,
            ssl_ca_file: this.tls.authority,
          }
        : {}),
    };
    const words = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = spawn(this.program, ['-D', join(this.directory, 'data'), ...words], {
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(this.account ?? {}),
    });
    this.child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.stderr.on('data', (chunk: Buffer) => (this.log = (this.log + chunk.toString()).slice(-keptLog)));
    await until('PostgreSQL', async () => {
      if (child.exitCode !== null) {
        throw new Error(`PostgreSQL ended (exit code ${child.exitCode}): ${this.log.slice(-2000)}`);
      }
      const client = new pg.Client({ connectionString: this.url() });
      client.on('error', () => undefined);
      return client
        .connect()
        .then(() => client.end())
        .then(
          () => true,
          () => false,
        );
    });
  }
}
