import { GantryError, notFound } from '../domain/errors.ts';
import { isUniqueViolation } from './database-errors.ts';
import { escapePattern } from './filter-rules.ts';
import type { Session } from './session.ts';
import type { NameListQuery } from './scope.ts';
import { Parameters, withoutNulls } from './values.ts';

export interface UserGroup {
  id: number;
  name: string;
  ldapDn: string | undefined;
  /** Its system role. */
  role: string;
  users: readonly string[];
  /** tenant -> role */
  tenants: Readonly<Record<string, string>>;
}

const statement = `
  select groups.id, groups.name, groups.ldap_dn as "ldapDn", roles.name as role,
    coalesce((select array_agg(users.username order by users.username) from users_groups
      join users on users.id = users_groups.user_id where users_groups.group_id = groups.id), '{}') as users,
    coalesce((select jsonb_object_agg(tenants.name, role.name) from groups_tenants granted
      join tenants on tenants.id = granted.tenant_id join roles role on role.id = granted.role_id
      where granted.group_id = groups.id), '{}') as tenants
  from groups join roles on roles.id = groups.role_id`;

/** @throws GantryError not_found_error */
export async function getUserGroup(session: Session, name: string): Promise<UserGroup> {
  const [group] = await session.prepared<UserGroup>(`${statement} where lower(groups.name) = lower($1)`, [name]);
  if (!group) {
    throw notFound('Group', name);
  }
  return withoutNulls(group);
}

/** Groups by name. */
export async function listUserGroups(
  session: Session,
  query: NameListQuery,
): Promise<{ items: UserGroup[]; total: number }> {
  const parameters = new Parameters();
  const where = query.search
    ? `groups.name ilike ${parameters.add(`%${escapePattern(query.search.normalize('NFKC'))}%`)}`
    : 'true';
  const [row] = await session.query<{ count: number }>(
    `select count(*) as count from groups where ${where}`,
    parameters.values,
  );
  const paging = query.all
    ? ''
    : `limit ${parameters.add(query.size ?? 1000)} offset ${parameters.add(query.offset ?? 0)}`;
  const items = await session.query<UserGroup>(
    `${statement} where ${where} order by groups.name ${paging}`,
    parameters.values,
  );
  return { items: items.map(withoutNulls), total: row?.count ?? 0 };
}

async function systemRoleId(session: Session, name: string): Promise<number> {
  const [role] = await session.prepared<{ id: number }>(
    `select id from roles where name = $1 and type = 'system_role'`,
    [name],
  );
  if (!role) {
    throw new GantryError('bad_parameters_error', `Invalid role: \`${name}\` is not a system role`);
  }
  return role.id;
}

/** @throws GantryError conflict_error for a known name or LDAP name, bad_parameters_error for an unfit role */
export async function createUserGroup(
  session: Session,
  group: { name: string; ldapDn?: string | undefined; role: string },
): Promise<UserGroup> {
  try {
    await session.prepared('insert into groups (name, ldap_dn, role_id) values ($1, $2, $3)', [
      group.name,
      group.ldapDn ?? null,
      await systemRoleId(session, group.role),
    ]);
  } catch (error) {
    throw isUniqueViolation(error)
      ? new GantryError('conflict_error', `<Group name=\`${group.name}\`> already exists`, { cause: error })
      : error;
  }
  return getUserGroup(session, group.name);
}

/** @throws GantryError bad_parameters_error for an unfit role */
export async function setUserGroupRole(session: Session, id: number, role: string): Promise<void> {
  await session.prepared('update groups set role_id = $2 where id = $1', [id, await systemRoleId(session, role)]);
}

export async function deleteUserGroup(session: Session, id: number): Promise<void> {
  await session.prepared('delete from groups where id = $1', [id]);
}

/** @returns false when the user was in the group already */
export async function addUserToGroup(session: Session, userId: number, groupId: number): Promise<boolean> {
  const rows = await session.prepared(
    'insert into users_groups (user_id, group_id) values ($1, $2) on conflict do nothing returning user_id',
    [userId, groupId],
  );
  return rows.length > 0;
}

/** @returns false when the user was not in the group */
export async function removeUserFromGroup(session: Session, userId: number, groupId: number): Promise<boolean> {
  const rows = await session.prepared(
    'delete from users_groups where user_id = $1 and group_id = $2 returning user_id',
    [userId, groupId],
  );
  return rows.length > 0;
}
