import type { PermissionMatrix } from '../domain/permissions.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { loadPermissions, permissionsChannel } from '../store/permissions.ts';

/** Which role may do what, kept up to date with what people change. */
export interface PermissionDirectory {
  readonly matrix: PermissionMatrix;
  /** Reads it anew; to be called after a change by this process. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** Makes the directory of this process; the database tells it when another one changed something. */
export async function openPermissionDirectory(database: Database, log: Logger): Promise<PermissionDirectory> {
  let matrix: PermissionMatrix = {};
  const reload = async (): Promise<void> => {
    matrix = Object.fromEntries(await loadPermissions(database));
  };
  const stop = await database.listen(permissionsChannel, () => {
    reload().catch((error: unknown) => log.error('The permissions of roles could not be reloaded', { error }));
  });
  await reload();
  return {
    get matrix() {
      return matrix;
    },
    reload,
    stop,
  };
}
