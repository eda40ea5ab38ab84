import type { BrokerConnection } from '../amqp/connection.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import type { Logger } from '../log/logger.ts';
import type { OperationHost, Runtime } from '../runtime/types.ts';
import type { Database } from '../store/database.ts';

export interface BrokerDependencies {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  clock: Clock;
  runtime: Runtime;
  /** Effects of operations; the manager's is made by `makeOperationHost`. */
  host: OperationHost;
}

export interface TaskBroker {
  /** Operations that run now. */
  readonly runningCount: number;
  /** Takes no more operations, waits for the running ones up to `graceSeconds`, then kills them without an answer. */
  stop(graceSeconds?: number): Promise<void>;
}

/** Starts running operations that are sent to the manager itself. */
export async function startTaskBroker(_dependencies: BrokerDependencies): Promise<TaskBroker> {
  throw new Error('not there yet');
}
