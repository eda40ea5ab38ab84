import type { BrokerConnection } from '../amqp/connection.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';

export interface RecorderDependencies {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  clock: Clock;
}

export interface Recorder {
  /** Stores what is in hand and stops consuming. */
  stop(): Promise<void>;
}

/** Starts storing the logs and events that libraries and agents publish on the broker. */
export async function startRecorder(_dependencies: RecorderDependencies): Promise<Recorder> {
  throw new Error('not there yet');
}
