import { roles } from '../domain/permissions.ts';
import type { PermissionMatrix } from '../domain/permissions.ts';
import { GantryError } from '../domain/errors.ts';
import type { Database } from '../store/database.ts';
import { addPermission, removePermission } from '../store/permissions.ts';
import { holdsIn } from './caller.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import { checkIdentifier } from './identifiers.ts';
import type { PermissionDirectory } from './permission-directory.ts';

export interface RolePermission {
  readonly role: string;
  readonly permission: string;
}

export interface PermissionService {
  /** Who may do what now. */
  readonly matrix: PermissionMatrix;
  /** All pairs, or those of one role. @throws GantryError unauthorized_error, not_found_error for an unknown role */
  list(caller: Caller, role?: string): RolePermission[];
  /** @throws GantryError unauthorized_error, not_found_error for an unknown role, conflict_error when it has it */
  add(caller: Caller, pair: RolePermission): Promise<void>;
  /** @throws GantryError unauthorized_error, not_found_error for an unknown role or when it does not have it */
  remove(caller: Caller, pair: RolePermission): Promise<void>;
}

/** Compatibility: Cloudify 7 answers 401 here, not 403. */
function requireAdministrator(caller: Caller): void {
  if (!holdsIn(caller, 'administrators', undefined)) {
    throw new GantryError('unauthorized_error', 'Only admin users are permitted to edit permissions');
  }
}

/** Makes the use cases of the permissions of roles. */
export function createPermissionService(database: Database, directory: PermissionDirectory): PermissionService {
  return {
    get matrix() {
      return directory.matrix;
    },

    list(caller, role) {
      requireAdministrator(caller);
      if (role !== undefined && !roles.some(({ name }) => name === role)) {
        throw new GantryError('not_found_error', `Role ${role} not found`);
      }
      return Object.entries(directory.matrix).flatMap(([permission, holders]) =>
        holders
          .filter((holder) => role === undefined || holder === role)
          .map((holder) => ({ role: holder, permission })),
      );
    },

    async add(caller, { role, permission }) {
      requireAdministrator(caller);
      checkIdentifier('permission_name', permission);
      await addPermission(database.actingAs(actorOf(caller)), role, permission);
      await directory.reload();
    },

    async remove(caller, { role, permission }) {
      requireAdministrator(caller);
      await removePermission(database.actingAs(actorOf(caller)), role, permission);
      await directory.reload();
    },
  };
}
