import type { RoleName } from '../../src/config/config.ts';
import { ManagerCluster } from '../kit/manager.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { peakMemory, processorSeconds } from './memory.ts';

/** A manager as it runs in production: every role a process, over a real broker and database. */
export interface Stack {
  readonly cluster: ManagerCluster;
  readonly rabbitmq: RabbitmqServer;
  /** Peak memory of every process of the manager in MiB, and their sum. */
  peaks(): { byProcess: Record<string, number>; total: number };
  /** Processor seconds used by the manager so far. */
  processorSeconds(): number;
  stop(): Promise<void>;
}

export interface StackOptions {
  processes?: readonly (readonly RoleName[])[];
  environment?: Readonly<Record<string, string>>;
}

/** Starts broker, database and manager. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const [rabbitmq, postgres] = await Promise.all([RabbitmqServer.start(), PostgresServer.start()]);
  const cluster = await ManagerCluster.start({
    databaseUrl: await postgres.createDatabase(),
    amqpUrl: rabbitmq.url,
    amqpManagementUrl: rabbitmq.managementUrl,
    ...(options.processes === undefined ? {} : { processes: options.processes }),
    ...(options.environment === undefined ? {} : { environment: options.environment }),
  });
  return {
    cluster,
    rabbitmq,
    peaks: () => {
      const byProcess = Object.fromEntries(
        [...cluster.programs].map(([name, program]) => [name, peakMemory(program.pid) ?? 0]),
      );
      return { byProcess, total: Object.values(byProcess).reduce((sum, value) => sum + value, 0) };
    },
    processorSeconds: () =>
      [...cluster.programs.values()].reduce((sum, program) => sum + processorSeconds(program.pid), 0),
    stop: async () => {
      await cluster.stop();
      await Promise.all([rabbitmq.stop(), postgres.stop()]);
    },
  };
}
