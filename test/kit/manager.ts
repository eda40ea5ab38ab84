import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GantryClient } from '../../src/client/client.ts';
import type { RoleName } from '../../src/config/config.ts';
import { roleNames } from '../../src/config/config.ts';
import { ServingProgram, runGantry } from './program.ts';
import type { CommandResult } from './program.ts';
import { freePort } from './ports.ts';

/** A manager that tests speak to, whatever it is made of. */
export interface TestManager {
  readonly url: string;
  readonly password: string;
  /** A client with the administrator's password; closed by `stop`. */
  readonly client: GantryClient;
  /** Runs a `gantry` command against this manager. */
  gantry(...words: string[]): Promise<CommandResult>;
  stop(): Promise<void>;
}

interface Access {
  url: string;
  password: string;
  folder: string;
}

function access({ url, password, folder }: Access): Pick<TestManager, 'url' | 'password' | 'client' | 'gantry'> {
  const client = new GantryClient({
    url,
    credentials: { kind: 'basic', username: 'admin', password },
    tenant: 'default_tenant',
    retries: 6,
  });
  const environment = {
    GANTRY_URL: url,
    GANTRY_USERNAME: 'admin',
    GANTRY_PASSWORD: password,
    GANTRY_PROFILE_DIR: join(folder, 'profile'),
  };
  return { url, password, client, gantry: (...words) => runGantry(words, environment) };
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-manager-'));
  // the embedded PostgreSQL runs as another user when the tests run as root
  await chmod(folder, 0o755);
  return folder;
}

export interface EmbeddedOptions {
  /** Data folder to use again; a new one by default, removed by `stop`. */
  dataDir?: string;
  words?: readonly string[];
  environment?: Readonly<Record<string, string>>;
}

export interface EmbeddedManager extends TestManager {
  readonly program: ServingProgram;
  readonly dataDir: string;
}

/** Starts `gantry up`: everything in one process, nothing needed but Node.js. */
export async function startEmbeddedManager(options: EmbeddedOptions = {}): Promise<EmbeddedManager> {
  const folder = options.dataDir ?? (await temporaryFolder());
  const words = ['up', '--data', folder, '--port', '0', '--no-store-profile', ...(options.words ?? [])];
  const program = await ServingProgram.start(words, { environment: options.environment ?? {} });
  const ready = (await program.ready) as { url: string; passwordFile: string };
  const password = (await readFile(ready.passwordFile, 'utf8')).trimEnd();
  const parts = access({ url: ready.url, password, folder });
  return {
    ...parts,
    program,
    dataDir: folder,
    stop: async () => {
      parts.client.close();
      await program.stop();
      if (options.dataDir === undefined) {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

export interface ClusterOptions {
  databaseUrl: string;
  amqpUrl: string;
  amqpManagementUrl?: string;
  /** Processes to start, each with its roles. Default: one process per role. */
  processes?: readonly (readonly RoleName[])[];
  /** Wait until all serve; false to look at what they do before their servers are there. */
  isReadyAwaited?: boolean;
  environment?: Readonly<Record<string, string>>;
  /** How a process reaches the servers when that is not the common way. */
  route?: (name: string) => { databaseUrl: string; amqpUrl: string };
}

/** Several processes that share a database, a broker and a folder. */
export class ManagerCluster implements TestManager {
  readonly url: string;
  readonly password: string;
  readonly client: GantryClient;
  readonly gantry: TestManager['gantry'];
  readonly folder: string;
  /** By name, e.g. `executor-1`. */
  readonly programs = new Map<string, ServingProgram>();
  private readonly options: ClusterOptions;
  private readonly port: number;
  /** Of REST processes that have one of their own. */
  private readonly ports = new Map<string, number>();

  private constructor(options: ClusterOptions, folder: string, port: number, password: string) {
    this.options = options;
    this.folder = folder;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.password = password;
    const parts = access({ url: this.url, password, folder });
    this.client = parts.client;
    this.gantry = parts.gantry;
  }

  static async start(options: ClusterOptions): Promise<ManagerCluster> {
    const folder = await temporaryFolder();
    const password = 'cluster-password';
    await writeFile(join(folder, 'admin-password'), `${password}\n`, { mode: 0o600 });
    const cluster = new ManagerCluster(options, folder, await freePort(), password);
    const processes = options.processes ?? roleNames.map((role) => [role]);
    // the first one migrates; the others would only wait for it
    for (const [index, roles] of processes.entries()) {
      await cluster.launch(`${roles.length === 1 ? roles[0] : 'all'}-${index + 1}`, roles);
    }
    if (options.isReadyAwaited !== false) {
      await cluster.whenReady();
    }
    return cluster;
  }

  /** Waits until every process serves. */
  async whenReady(): Promise<void> {
    await Promise.all([...this.programs.values()].map((program) => program.ready));
  }

  /** Starts a process; `rest` listens on the cluster's port unless another one is given, and keeps it. */
  async launch(name: string, roles: readonly RoleName[], port?: number): Promise<ServingProgram> {
    if (port !== undefined) {
      this.ports.set(name, port);
    }
    const { amqpManagementUrl } = this.options;
    const { databaseUrl, amqpUrl } = this.options.route?.(name) ?? this.options;
    const program = await ServingProgram.start(
      [
        'serve',
        ...['--roles', roles.join(',')],
        ...['--data', this.folder],
        ...['--database', databaseUrl],
        ...['--amqp', amqpUrl],
        ...['--port', String(this.ports.get(name) ?? this.port)],
      ],
      {
        environment: {
          GANTRY_INSTANCE: name,
          GANTRY_LOG_LEVEL: process.env['GANTRY_TEST_LOG_LEVEL'] ?? 'info',
          ...(amqpManagementUrl === undefined ? {} : { GANTRY_AMQP_MANAGEMENT_URL: amqpManagementUrl }),
          ...this.options.environment,
        },
      },
    );
    this.programs.set(name, program);
    return program;
  }

  /** Kills a process as a crash would. */
  async kill(name: string): Promise<void> {
    await this.programs.get(name)?.kill();
  }

  /** Starts a killed process again under its name. */
  async restart(name: string): Promise<ServingProgram> {
    const role = name.replace(/-\d+$/, '') as RoleName | 'all';
    return this.launch(name, role === 'all' ? roleNames : [role]);
  }

  /** The last log lines of every process, for the message of a failed test. */
  logs(): string {
    return [...this.programs].map(([name, program]) => `--- ${name}\n${program.lines.join('\n')}`).join('\n');
  }

  /** Stops all processes. @throws Error with the last log lines of one that did not stop in time */
  async stop(): Promise<void> {
    this.client.close();
    const ends = await Promise.allSettled([...this.programs.values()].map((program) => program.stop()));
    await rm(this.folder, { recursive: true, force: true });
    const failure = ends.find((end) => end.status === 'rejected');
    if (failure) {
      throw failure.reason;
    }
  }
}
