import type { Database } from '../store/database.ts';
import { isAnyRestoreRunning } from '../store/snapshot/running.ts';

/** Knows whether a snapshot is being restored, without asking for every request. */
export interface RestoreWatch {
  readonly isRestoring: boolean;
  stop(): Promise<void>;
}

/** Starts to listen; looks at once and whenever an execution that restores changes its status. */
export async function startRestoreWatch(database: Database): Promise<RestoreWatch> {
  let isRestoring = false;
  const look = async (): Promise<void> => {
    isRestoring = await isAnyRestoreRunning(database);
  };
  const stop = await database.listen('gantry_restore', () => {
    // a database that is away tells again when it is back
    look().catch(() => undefined);
  });
  await look();
  return {
    get isRestoring() {
      return isRestoring;
    },
    stop,
  };
}
