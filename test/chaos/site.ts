import { readdirSync, readFileSync } from 'node:fs';
import type { RoleName } from '../../src/config/config.ts';
import { ManagerCluster } from '../kit/manager.ts';
import { freePort } from '../kit/ports.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';
import { TcpProxy } from '../kit/tcp-proxy.ts';
import type { ServerName } from './faults.ts';

/** At least two of what does the work, so that one is there to take over. */
const processes: readonly (readonly RoleName[])[] = [
  ['rest'],
  ['executor'],
  ['executor'],
  ['broker'],
  ['broker'],
  ['broker'],
  ['recorder'],
  ['scheduler'],
  ['scheduler'],
];

export interface SiteOptions {
  /** Default 1. */
  readonly restProcesses?: number;
  /** More of it for every process. */
  readonly environment?: Readonly<Record<string, string>>;
}

interface Lines {
  readonly rabbitmq: TcpProxy;
  readonly postgres: TcpProxy;
}

/** A manager of several processes with its servers, each process on network lines of its own. */
export class Site {
  readonly rabbitmq: RabbitmqServer;
  readonly postgres: PostgresServer;
  readonly cluster: ManagerCluster;
  /** Not over any line, so that what is looked at can be seen at any time. */
  readonly databaseUrl: string;
  /** Of all REST processes. */
  readonly restUrls: readonly string[];
  private readonly lines: ReadonlyMap<string, Lines>;

  private constructor(
    parts: Pick<Site, 'rabbitmq' | 'postgres' | 'cluster' | 'databaseUrl' | 'restUrls'>,
    lines: ReadonlyMap<string, Lines>,
  ) {
    this.rabbitmq = parts.rabbitmq;
    this.postgres = parts.postgres;
    this.cluster = parts.cluster;
    this.databaseUrl = parts.databaseUrl;
    this.restUrls = parts.restUrls;
    this.lines = lines;
  }

  static async start(options: SiteOptions = {}): Promise<Site> {
    const [rabbitmq, postgres] = await Promise.all([RabbitmqServer.start(), PostgresServer.start()]);
    const databaseUrl = await postgres.createDatabase();
    const lines = new Map<string, Lines>();
    const others = Array.from({ length: (options.restProcesses ?? 1) - 1 }, () => ['rest'] as const);
    const names = [...processes, ...others].map((roles, index) => `${roles[0]}-${index + 1}`);
    for (const name of names) {
      lines.set(name, {
        rabbitmq: await TcpProxy.start(rabbitmq.port),
        postgres: await TcpProxy.start(postgres.port),
      });
    }
    const cluster = await ManagerCluster.start({
      databaseUrl,
      amqpUrl: rabbitmq.url,
      amqpManagementUrl: rabbitmq.managementUrl,
      processes,
      environment: { GANTRY_LOG_LEVEL: process.env['GANTRY_TEST_LOG_LEVEL'] ?? 'warn', ...options.environment },
      route: (name) => ({
        databaseUrl: lines.get(name)?.postgres.over(databaseUrl) ?? databaseUrl,
        amqpUrl: lines.get(name)?.rabbitmq.over(rabbitmq.url) ?? rabbitmq.url,
      }),
    });
    const restUrls = [cluster.url];
    for (const name of names.slice(processes.length)) {
      const port = await freePort();
      await cluster.launch(name, ['rest'], port);
      restUrls.push(`http://127.0.0.1:${port}`);
    }
    await cluster.whenReady();
    return new Site({ rabbitmq, postgres, cluster, databaseUrl, restUrls }, lines);
  }

  get processNames(): readonly string[] {
    return [...this.lines.keys()];
  }

  /** The stretch of network between a process and a server. */
  line(process: string, server: ServerName): TcpProxy {
    const line = this.lines.get(process)?.[server];
    if (!line) {
      throw new Error(`There is no process ${process}`);
    }
    return line;
  }

  /** Kills a process or a server. */
  async kill(name: string): Promise<void> {
    if (name === 'rabbitmq') {
      await this.rabbitmq.halt('SIGKILL');
    } else if (name === 'postgres') {
      await this.postgres.crash();
    } else {
      await this.cluster.kill(name);
    }
  }

  /** Starts what was killed again, with the same data on the same port; resolves when it serves. */
  async restart(name: string): Promise<void> {
    if (name === 'rabbitmq') {
      await this.rabbitmq.resume();
    } else if (name === 'postgres') {
      await this.postgres.resume();
    } else {
      await this.startAgain(name);
    }
  }

  /** A process that starts while the database is away gives up after a while; whoever watches it starts it again. */
  private async startAgain(name: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const program = await this.cluster.restart(name);
      try {
        await program.ready;
        return;
      } catch (error) {
        if (attempt === 3) {
          throw error;
        }
      }
    }
  }

  /** Ends everything. @returns what is left of it: processes that should have ended */
  async stop(): Promise<string[]> {
    const { folder } = this.cluster;
    await this.cluster.stop();
    const left = processesNaming(folder);
    await Promise.all([...this.lines.values()].flatMap(({ rabbitmq, postgres }) => [rabbitmq.stop(), postgres.stop()]));
    await Promise.all([this.rabbitmq.stop(), this.postgres.stop()]);
    return left;
  }
}

/** Processes that have a text in their command line or environment; none where there is no /proc. */
function processesNaming(text: string): string[] {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => read(`/proc/${pid}/cmdline`).includes(text) || read(`/proc/${pid}/environ`).includes(text))
    .map((pid) => `process ${pid}: ${read(`/proc/${pid}/cmdline`)}`);
}
