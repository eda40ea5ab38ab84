import type { BrokerConnection } from '../amqp/connection.ts';
import type { Config } from '../config/config.ts';
import type { Clock, IdGenerator } from '../domain/clock.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';

export interface SchedulerDependencies {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  clock: Clock;
  newId: IdGenerator;
}

export interface Scheduler {
  /** Whether this process is the one that acts. */
  readonly isLeader: boolean;
  stop(): Promise<void>;
}

/** Starts the caretaker: one process of all acts, the others wait to take over. */
export async function startScheduler(_dependencies: SchedulerDependencies): Promise<Scheduler> {
  throw new Error('not there yet');
}
