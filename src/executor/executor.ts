import type { BrokerConnection } from '../amqp/connection.ts';
import type { Config } from '../config/config.ts';
import type { Clock, IdGenerator } from '../domain/clock.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';

export interface ExecutorDependencies {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  clock: Clock;
  newId: IdGenerator;
}

export interface Executor {
  /** Ids of the executions this process drives now. */
  running(): readonly string[];
  /** Stops claiming, stores what is in hand and gives the executions back, so that another process goes on with them. */
  stop(): Promise<void>;
}

/** Starts driving executions: consumes workflow messages and runs their graphs. */
export async function startExecutor(_dependencies: ExecutorDependencies): Promise<Executor> {
  throw new Error('not there yet');
}
