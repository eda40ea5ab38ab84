import type { PermissionMatrix } from '../domain/permissions.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { loadPermissions, permissionsChannel } from '../store/permissions.ts';
import { followValue } from './followed-value.ts';

/** The permissions of each role, kept up to date with changes by any process. */
export interface PermissionDirectory {
  readonly matrix: PermissionMatrix;
  /** Reads it again; to be called after a change by this process. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** Makes the directory of this process; the database notifies it of changes by others. */
export async function openPermissionDirectory(database: Database, log: Logger): Promise<PermissionDirectory> {
  const read = async (): Promise<PermissionMatrix> => Object.fromEntries(await loadPermissions(database));
  const matrix = await followValue({ database, channel: permissionsChannel, read, log, what: 'permissions of roles' });
  return {
    get matrix() {
      return matrix.current;
    },
    reload: () => matrix.reload(),
    stop: () => matrix.stop(),
  };
}
