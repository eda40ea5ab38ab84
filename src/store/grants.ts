/** Roles that users and groups hold in tenants, and who belongs to which group. */
import { GantryError, notFound } from '../domain/errors.ts';
import { isUniqueViolation } from './database-errors.ts';
import type { Session } from './session.ts';

/** Who gets a role in a tenant. */
export interface Grant {
  tenantId: number;
  holder: { kind: 'user' | 'group'; id: number; name: string };
  /** Name of a tenant role. */
  role: string;
}

const tables = {
  user: { table: 'users_tenants', column: 'user_id', label: 'User' },
  group: { table: 'groups_tenants', column: 'group_id', label: 'Group' },
} as const;

async function roleId(session: Session, name: string): Promise<number> {
  const [role] = await session.prepared<{ id: number }>(
    `select id from roles where name = $1 and type = 'tenant_role'`,
    [name],
  );
  if (!role) {
    throw new GantryError('bad_parameters_error', `Invalid role: \`${name}\` is not a tenant role`);
  }
  return role.id;
}

function missingGrant({ holder }: Pick<Grant, 'holder'>): GantryError {
  return notFound(`${tables[holder.kind].label} in the tenant`, holder.name);
}

/** @throws GantryError conflict_error when there is one already, bad_parameters_error for an unfit role */
export async function addGrant(session: Session, grant: Grant): Promise<void> {
  const { table, column, label } = tables[grant.holder.kind];
  try {
    await session.prepared(`insert into ${table} (tenant_id, ${column}, role_id) values ($1, $2, $3)`, [
      grant.tenantId,
      grant.holder.id,
      await roleId(session, grant.role),
    ]);
  } catch (error) {
    throw isUniqueViolation(error)
      ? new GantryError('conflict_error', `${label} \`${grant.holder.name}\` is already associated with the tenant`, {
          cause: error,
        })
      : error;
  }
}

/** @throws GantryError not_found_error when there is none, bad_parameters_error for an unfit role */
export async function changeGrant(session: Session, grant: Grant): Promise<void> {
  const { table, column } = tables[grant.holder.kind];
  const rows = await session.prepared(
    `update ${table} set role_id = $3 where tenant_id = $1 and ${column} = $2 returning role_id`,
    [grant.tenantId, grant.holder.id, await roleId(session, grant.role)],
  );
  if (rows.length === 0) {
    throw missingGrant(grant);
  }
}

/** @throws GantryError not_found_error when there is none */
export async function removeGrant(session: Session, grant: Omit<Grant, 'role'>): Promise<void> {
  const { table, column } = tables[grant.holder.kind];
  const rows = await session.prepared(
    `delete from ${table} where tenant_id = $1 and ${column} = $2 returning role_id`,
    [grant.tenantId, grant.holder.id],
  );
  if (rows.length === 0) {
    throw missingGrant(grant);
  }
}

/** Who holds what in a tenant. */
export interface TenantMember {
  kind: 'user' | 'group';
  name: string;
  role: string;
  /** Users of a group. */
  users: readonly string[];
}

/** Direct grants of tenants, by tenant id. */
export async function loadTenantMembers(
  session: Session,
  tenantIds: readonly number[],
): Promise<Map<number, TenantMember[]>> {
  const rows = await session.prepared<TenantMember & { tenantId: number }>(
    `select granted.tenant_id as "tenantId", 'user' as kind, users.username as name, roles.name as role, '{}'::text[] as users
     from users_tenants granted join users on users.id = granted.user_id join roles on roles.id = granted.role_id
     where granted.tenant_id = any($1)
     union all
     select granted.tenant_id, 'group', groups.name, roles.name,
       coalesce((select array_agg(users.username order by users.username) from users_groups
         join users on users.id = users_groups.user_id where users_groups.group_id = groups.id), '{}')
     from groups_tenants granted join groups on groups.id = granted.group_id join roles on roles.id = granted.role_id
     where granted.tenant_id = any($1)
     order by 1, 2, 3`,
    [[...tenantIds]],
  );
  const members = new Map<number, TenantMember[]>();
  for (const { tenantId, ...member } of rows) {
    const present = members.get(tenantId) ?? [];
    members.set(tenantId, present);
    present.push(member);
  }
  return members;
}
