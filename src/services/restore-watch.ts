import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { isAnyRestoreRunning } from '../store/snapshot/running.ts';
import { followValue } from './followed-value.ts';

/** Knows whether a snapshot is being restored, without a query for every request. */
export interface RestoreWatch {
  readonly isRestoring: boolean;
  stop(): Promise<void>;
}

/** Asks the database at the start and whenever an execution that restores a snapshot changes its status. */
export async function startRestoreWatch(database: Database, log: Logger): Promise<RestoreWatch> {
  const read = (): Promise<boolean> => isAnyRestoreRunning(database);
  const restoring = await followValue({ database, channel: 'gantry_restore', read, log, what: 'running restores' });
  return {
    get isRestoring() {
      return restoring.current;
    },
    stop: () => restoring.stop(),
  };
}
