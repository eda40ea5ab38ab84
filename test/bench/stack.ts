import type { RoleName } from '../../src/config/config.ts';
import { ManagerCluster } from '../kit/manager.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { startExecutionWaiter } from '../../src/services/execution-waiter.ts';
import type { ExecutionWaiter } from '../../src/services/execution-waiter.ts';
import { connectDatabase } from '../../src/store/database.ts';
import type { Database } from '../../src/store/database.ts';
import { descendants, peakMemory, processorSeconds } from './memory.ts';

/** A manager as it runs in production: every role a process, over a real broker and database. */
export interface Stack {
  readonly cluster: ManagerCluster;
  readonly rabbitmq: RabbitmqServer;
  readonly databaseUrl: string;
  /** The manager's database, to look at. */
  readonly database: Database;
  readonly waiter: ExecutionWaiter;
  /** Peak memory of every process of the manager in MiB, and that of the largest. */
  peaks(): { byProcess: Record<string, number>; largest: number };
  /** Processor seconds used so far by every process of the manager, and by its servers. */
  processorSeconds(): Record<string, number>;
  stop(): Promise<void>;
}

export interface StackOptions {
  processes?: readonly (readonly RoleName[])[];
  environment?: Readonly<Record<string, string>>;
}

/** Starts broker, database and manager. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const [rabbitmq, postgres] = await Promise.all([RabbitmqServer.start(), PostgresServer.start()]);
  const databaseUrl = await postgres.createDatabase();
  const cluster = await ManagerCluster.start({
    databaseUrl,
    amqpUrl: rabbitmq.url,
    amqpManagementUrl: rabbitmq.managementUrl,
    ...(options.processes === undefined ? {} : { processes: options.processes }),
    ...(options.environment === undefined ? {} : { environment: options.environment }),
  });
  const database = await connectDatabase({ url: databaseUrl, poolSize: 2, log: silentLogger });
  const waiter = await startExecutionWaiter(database);
  return {
    cluster,
    rabbitmq,
    databaseUrl,
    database,
    waiter,
    peaks: () => {
      const byProcess = Object.fromEntries(
        [...cluster.programs].map(([name, program]) => [name, peakMemory(program.pid) ?? 0]),
      );
      return { byProcess, largest: Math.max(...Object.values(byProcess)) };
    },
    processorSeconds: () => {
      const ours = Object.fromEntries(
        [...cluster.programs].map(([name, program]) => [name, processorSeconds(program.pid)]),
      );
      const pids = new Set([...cluster.programs.values()].map((program) => program.pid));
      const others = descendants(process.pid).filter(({ pid }) => !pids.has(pid));
      const used = (command: RegExp): number =>
        others.reduce((sum, entry) => sum + (command.test(entry.command) ? processorSeconds(entry.pid) : 0), 0);
      return { ...ours, postgres: used(/^postgres/), rabbitmq: used(/^beam/) };
    },
    stop: async () => {
      await waiter.stop();
      await database.close();
      await cluster.stop();
      await Promise.all([rabbitmq.stop(), postgres.stop()]);
    },
  };
}
