import type { User } from '../domain/entities.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import { isForeignKeyViolation, isUniqueViolation } from './database-errors.ts';
import { escapePattern } from './filter-rules.ts';
import type { Session } from './session.ts';
import type { NameListQuery } from './scope.ts';
import { Parameters, assignments, onlyRow } from './values.ts';

/** A user with what is checked at login. */
export interface Account {
  user: User;
  passwordHash: string | undefined;
}

interface AccountRow {
  id: number;
  username: string;
  role: string;
  passwordHash: string | null;
  isActive: boolean;
  createdAt: Date;
  firstLoginAt: Date | null;
  lastLoginAt: Date | null;
  lastFailedLoginAt: Date | null;
  failedLoginsCounter: number;
  showGettingStarted: boolean;
  /** [tenant, role, group or null] */
  grants: [string, string, string | null][] | null;
  /** [group, its system role] */
  memberships: [string, string][] | null;
}

const accountStatement = `
  select users.id, users.username, roles.name as role, users.password_hash as "passwordHash", users.is_active as "isActive",
    users.created_at as "createdAt", users.first_login_at as "firstLoginAt", users.last_login_at as "lastLoginAt",
    users.last_failed_login_at as "lastFailedLoginAt", users.failed_logins_counter as "failedLoginsCounter",
    users.show_getting_started as "showGettingStarted",
    (select jsonb_agg(jsonb_build_array(tenants.name, role.name, granted.group_name) order by tenants.name, granted.group_name nulls first)
     from (
       select tenant_id, role_id, null as group_name from users_tenants where user_id = users.id
       union all
       select groups_tenants.tenant_id, groups_tenants.role_id, groups.name from users_groups
       join groups on groups.id = users_groups.group_id
       join groups_tenants on groups_tenants.group_id = groups.id
       where users_groups.user_id = users.id
     ) granted join tenants on tenants.id = granted.tenant_id join roles role on role.id = granted.role_id) as grants,
    (select jsonb_agg(jsonb_build_array(groups.name, role.name) order by groups.name)
     from users_groups join groups on groups.id = users_groups.group_id join roles role on role.id = groups.role_id
     where users_groups.user_id = users.id) as memberships
  from users join roles on roles.id = users.role_id`;

function toAccount(row: AccountRow): Account {
  const { grants, memberships, passwordHash, ...fields } = row;
  const tenantRoles = new Map<string, string[]>();
  const directTenantRoles = new Map<string, string>();
  const groupTenantRoles = new Map<string, Map<string, string[]>>();
  for (const [tenant, role, group] of grants ?? []) {
    const roles = tenantRoles.get(tenant) ?? [];
    tenantRoles.set(tenant, roles);
    if (!roles.includes(role)) {
      roles.push(role);
    }
    if (group === null) {
      directTenantRoles.set(tenant, role);
    } else {
      const byRole = groupTenantRoles.get(tenant) ?? new Map<string, string[]>();
      groupTenantRoles.set(tenant, byRole.set(role, [...(byRole.get(role) ?? []), group]));
    }
  }
  return {
    passwordHash: passwordHash ?? undefined,
    user: {
      ...fields,
      firstLoginAt: fields.firstLoginAt ?? undefined,
      lastLoginAt: fields.lastLoginAt ?? undefined,
      lastFailedLoginAt: fields.lastFailedLoginAt ?? undefined,
      tenantRoles,
      directTenantRoles,
      groupTenantRoles,
      groups: (memberships ?? []).map(([group]) => group),
      groupSystemRoles: new Map(memberships ?? []),
    },
  };
}

/** The account of a user name, whatever the case. */
export async function findAccountByName(session: Session, username: string): Promise<Account | undefined> {
  const [row] = await session.prepared<AccountRow>(`${accountStatement} where lower(users.username) = lower($1)`, [
    username,
  ]);
  return row && toAccount(row);
}

export async function findAccount(session: Session, id: number): Promise<Account | undefined> {
  const [row] = await session.prepared<AccountRow>(`${accountStatement} where users.id = $1`, [id]);
  return row && toAccount(row);
}

/** @throws GantryError not_found_error */
export async function getAccount(session: Session, username: string): Promise<Account> {
  const account = await findAccountByName(session, username);
  if (!account) {
    throw notFound('User', username);
  }
  return account;
}

/** Users with their roles and groups, by name. */
export async function listAccounts(
  session: Session,
  query: NameListQuery,
): Promise<{ items: Account[]; total: number }> {
  const parameters = new Parameters();
  const conditions = ['true'];
  if (query.search) {
    conditions.push(`users.username ilike ${parameters.add(`%${escapePattern(query.search.normalize('NFKC'))}%`)}`);
  }
  if (query.ids) {
    conditions.push(`users.id = any(${parameters.add([...query.ids])})`);
  }
  const where = conditions.join(' and ');
  const [row] = await session.query<{ count: number }>(
    `select count(*) as count from users where ${where}`,
    parameters.values,
  );
  const paging = query.all
    ? ''
    : `limit ${parameters.add(query.size ?? 1000)} offset ${parameters.add(query.offset ?? 0)}`;
  const rows = await session.query<AccountRow>(
    `${accountStatement} where ${where} order by users.username ${paging}`,
    parameters.values,
  );
  return { items: rows.map(toAccount), total: row?.count ?? 0 };
}

export interface NewUser {
  username: string;
  /** Name of a system role. */
  role: string;
  passwordHash?: string | undefined;
  createdAt?: Date | undefined;
  firstLoginAt?: Date | undefined;
  lastLoginAt?: Date | undefined;
}

/** @throws GantryError conflict_error for a known name, bad_parameters_error for an unknown role */
export async function createUser(session: Session, user: NewUser): Promise<User> {
  try {
    const rows = await session.prepared<{ id: number }>(
      `insert into users (username, role_id, password_hash, created_at, first_login_at, last_login_at)
       select $1, roles.id, $3, coalesce($4, now()), $5, $6 from roles where roles.name = $2 returning id`,
      [
        user.username,
        user.role,
        user.passwordHash ?? null,
        user.createdAt ?? null,
        user.firstLoginAt ?? null,
        user.lastLoginAt ?? null,
      ],
    );
    if (rows.length === 0) {
      throw new GantryError('bad_parameters_error', `Invalid role: \`${user.role}\``);
    }
    return (await findAccount(session, onlyRow(rows).id))?.user ?? unreachable();
  } catch (error) {
    throw isUniqueViolation(error)
      ? new GantryError('conflict_error', `<User username=\`${user.username}\`> already exists`, { cause: error })
      : error;
  }
}

function unreachable(): never {
  throw new Error('A user that was just stored is gone');
}

export interface UserUpdate {
  role?: string | undefined;
  passwordHash?: string | undefined;
  isActive?: boolean | undefined;
  showGettingStarted?: boolean | undefined;
  failedLoginsCounter?: number | undefined;
}

/** @throws GantryError bad_parameters_error for an unknown role */
export async function updateUser(session: Session, id: number, update: UserUpdate): Promise<void> {
  const parameters = new Parameters();
  const columns: Record<string, unknown> = {
    password_hash: update.passwordHash,
    is_active: update.isActive,
    show_getting_started: update.showGettingStarted,
    failed_logins_counter: update.failedLoginsCounter,
  };
  if (update.role !== undefined) {
    const [role] = await session.prepared<{ id: number }>('select id from roles where name = $1', [update.role]);
    if (!role) {
      throw new GantryError('bad_parameters_error', `Invalid role: \`${update.role}\``);
    }
    columns['role_id'] = role.id;
  }
  const set = assignments(columns, parameters);
  if (set) {
    await session.query(`update users set ${set} where id = ${parameters.add(id)}`, parameters.values);
  }
}

/**
 * Removes a user with his tokens and grants.
 * @throws GantryError illegal_action_error while he owns resources
 */
export async function deleteUser(session: Session, id: number): Promise<boolean> {
  try {
    const rows = await session.prepared('delete from users where id = $1 returning id', [id]);
    return rows.length > 0;
  } catch (error) {
    throw isForeignKeyViolation(error)
      ? new GantryError(
          'illegal_action_error',
          'The user owns resources (blueprints, deployments, executions ...); give them to somebody else or deactivate the user instead',
          { cause: error },
        )
      : error;
  }
}

/** How many active users have a system role. */
export async function countActiveUsers(session: Session, role: string): Promise<number> {
  const [row] = await session.prepared<{ count: number }>(
    'select count(*) as count from users join roles on roles.id = users.role_id where roles.name = $1 and users.is_active',
    [role],
  );
  return row?.count ?? 0;
}

/** A right password: no failures any more, first and last login. */
export async function recordLogin(session: Session, id: number): Promise<void> {
  await session.prepared(
    `update users set failed_logins_counter = 0, last_login_at = now(), first_login_at = coalesce(first_login_at, now())
     where id = $1`,
    [id],
  );
}

/** A wrong password. */
export async function recordFailedLogin(session: Session, id: number): Promise<void> {
  await session.prepared(
    'update users set failed_logins_counter = failed_logins_counter + 1, last_failed_login_at = now() where id = $1',
    [id],
  );
}

/** What a directory knows of a user. */
export interface DirectoryAccount {
  username: string;
  email: string | undefined;
  firstName: string | undefined;
  lastName: string | undefined;
}

/** Enters a user of a directory, or brings the user up to date. @returns the id */
export async function putDirectoryUser(session: Session, account: DirectoryAccount): Promise<number> {
  const { username, email, firstName, lastName } = account;
  await session.prepared(
    `insert into users (username, role_id) select $1, id from roles where name = 'default' on conflict do nothing`,
    [username],
  );
  await session.prepared(
    `update users set email = $2, first_name = $3, last_name = $4
     where lower(username) = lower($1) and (email, first_name, last_name) is distinct from ($2, $3, $4)`,
    [username, email ?? null, firstName ?? null, lastName ?? null],
  );
  return onlyRow(
    await session.prepared<{ id: number }>('select id from users where lower(username) = lower($1)', [username]),
  ).id;
}

/**
 * Makes a user a member of exactly those groups of a directory that are named; groups that are not of a directory
 * keep their members.
 * @param names distinguished names
 */
export async function setDirectoryGroups(session: Session, userId: number, names: readonly string[]): Promise<void> {
  const plain = (text: string): string => `lower(regexp_replace(${text}, '\\s*,\\s*', ',', 'g'))`;
  await session.prepared(
    `with wanted as (
       select id from groups where ${plain('ldap_dn')} in (select ${plain('name')} from unnest($2::text[]) as name)
     ), gone as (
       delete from users_groups using groups where users_groups.user_id = $1 and groups.id = users_groups.group_id
         and groups.ldap_dn is not null and groups.id not in (select id from wanted)
     )
     insert into users_groups (user_id, group_id) select $1, id from wanted on conflict do nothing`,
    [userId, [...names]],
  );
}
