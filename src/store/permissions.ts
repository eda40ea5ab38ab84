/** Which role may do what; seeded from the built-in matrix, changed by people. */
import { GantryError } from '../domain/errors.ts';
import type { Session } from './session.ts';

/** Told about after every change. */
export const permissionsChannel = 'gantry_permissions';

/** permission -> names of the roles that hold it; of one permission when it is named. */
export async function loadPermissions(session: Session, permission?: string): Promise<Map<string, string[]>> {
  const rows = await session.prepared<{ permission: string; roles: string[] }>(
    `select permissions.name as permission, array_agg(roles.name order by roles.id) as roles
     from permissions join roles on roles.id = permissions.role_id
     where $1::text is null or permissions.name = $1 group by permissions.name order by permissions.name`,
    [permission ?? null],
  );
  return new Map(rows.map(({ permission, roles }) => [permission, roles]));
}

/** Notes that the permissions of a role change, and tells every process once that is committed. */
async function touchRole(session: Session, role: string): Promise<number> {
  const [row] = await session.prepared<{ id: number }>(
    `update roles set updated_at = greatest(now(), updated_at + interval '1 millisecond') where name = $1 returning id`,
    [role],
  );
  if (!row) {
    throw new GantryError('not_found_error', `Role ${role} not found`);
  }
  await session.prepared('select pg_notify($1, $2)', [permissionsChannel, role]);
  return row.id;
}

/** @throws GantryError not_found_error for an unknown role, conflict_error when it holds the permission */
export async function addPermission(session: Session, role: string, permission: string): Promise<void> {
  await session.transaction(async (transaction) => {
    const rows = await transaction.prepared(
      'insert into permissions (role_id, name) values ($1, $2) on conflict do nothing returning name',
      [await touchRole(transaction, role), permission],
    );
    if (rows.length === 0) {
      throw new GantryError('conflict_error', `${role} already has permission ${permission}`);
    }
  });
}

/** @throws GantryError not_found_error for an unknown role, or when it does not hold the permission */
export async function removePermission(session: Session, role: string, permission: string): Promise<void> {
  await session.transaction(async (transaction) => {
    const rows = await transaction.prepared('delete from permissions where role_id = $1 and name = $2 returning name', [
      await touchRole(transaction, role),
      permission,
    ]);
    if (rows.length === 0) {
      throw new GantryError('not_found_error', `${role} does not have ${permission}`);
    }
  });
}
