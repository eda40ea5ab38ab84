import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { permissions, roles } from '../domain/permissions.ts';
import type { Logger } from '../log/logger.ts';
import { hashPassword } from '../security/passwords.ts';
import { randomPassword } from '../security/random.ts';
import type { Database } from './database.ts';
import { defaultSettings } from './default-settings.ts';
import type { Session } from './session.ts';
import { systemFilters } from './system-filters.ts';
import { toJson } from './values.ts';

export interface BootstrapOptions {
  /** The first password of the administrator is read from it, or made and written to it (for its owner only). */
  adminPasswordFile: string;
  log: Logger;
}

/** Any number that no other lock uses: processes that start together set up one after the other. */
const lockKey = 7_163_003;
/** Ids that clients know: the administrator passes every check, the default tenant cannot be deleted. */
export const administratorId = 0;
export const defaultTenantId = 0;

async function isSetUp(session: Session): Promise<boolean> {
  const rows = await session.query('select from users where id = $1', [administratorId]);
  return rows.length > 0;
}

async function firstPassword(file: string): Promise<{ password: string; isNew: boolean }> {
  const given = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      return '';
    }
    throw new Error(`Cannot read the password file ${file}: ${error.message}`, { cause: error });
  });
  const password = given.trim();
  return password === '' ? { password: randomPassword(20), isNew: true } : { password, isNew: false };
}

async function createRoles(session: Session): Promise<void> {
  const known = await session.query<{ name: string }>(
    `insert into roles (name, type, description) select name, type, description
     from json_to_recordset($1::json) as role (name text, type text, description text)
     on conflict (name) do nothing returning name`,
    [toJson(roles)],
  );
  const created = new Set(known.map(({ name }) => name));
  const pairs = Object.entries(permissions).flatMap(([permission, holders]) =>
    holders.filter((role) => created.has(role)).map((role) => ({ role, permission })),
  );
  await session.query(
    `insert into permissions (role_id, name) select roles.id, pair.permission
     from json_to_recordset($1::json) as pair (role text, permission text) join roles on roles.name = pair.role
     on conflict do nothing`,
    [toJson(pairs)],
  );
}

async function createAdministrator(session: Session, passwordHash: string): Promise<void> {
  await session.query(
    `insert into users (id, username, role_id, password_hash)
     select $1, 'admin', roles.id, $2 from roles where roles.name = 'sys_admin'`,
    [administratorId, passwordHash],
  );
  await session.query(`insert into tenants (id, name) values ($1, 'default_tenant') on conflict do nothing`, [
    defaultTenantId,
  ]);
}

/** Settings and filters a later version brings are added to what is there; what people changed stays. */
async function createDefaults(session: Session): Promise<void> {
  await session.query(
    `insert into config (scope, name, value, schema, is_editable, admin_only)
     select scope, name, coalesce(value, 'null'), schema, coalesce("isEditable", true), coalesce("adminOnly", false)
     from json_to_recordset($1::json) as setting (scope text, name text, value jsonb, schema jsonb, "isEditable" boolean,
       "adminOnly" boolean)
     on conflict do nothing`,
    [toJson(defaultSettings)],
  );
  await session.query(
    `insert into provider_context (id, name, context) values ('CONTEXT', 'provider', '{}') on conflict do nothing`,
  );
  await session.query(
    `insert into filters (kind, id, tenant_id, creator_id, visibility, value, is_system_filter)
     select 'deployments', filter.id, $2, $3, 'global', filter.rules, true
     from json_to_recordset($1::json) as filter (id text, rules jsonb)
     on conflict do nothing`,
    [toJson(systemFilters), defaultTenantId, administratorId],
  );
}

/**
 * Sets up a new database: roles, the administrator (id 0), default_tenant (id 0), settings, filters. Does nothing to
 * what is there; safe to call from any number of processes at once.
 * @returns whether this was the first start
 */
export async function bootstrap(database: Database, options: BootstrapOptions): Promise<boolean> {
  return database.transaction(async (transaction) => {
    await transaction.query('select pg_advisory_xact_lock($1)', [lockKey]);
    const isFirst = !(await isSetUp(transaction));
    await createRoles(transaction);
    if (isFirst) {
      const { password, isNew } = await firstPassword(options.adminPasswordFile);
      await createAdministrator(transaction, await hashPassword(password));
      if (isNew) {
        await mkdir(dirname(options.adminPasswordFile), { recursive: true });
        await writeFile(options.adminPasswordFile, `${password}\n`, { mode: 0o600 });
        options.log.info('Generated a password for the user admin', { file: options.adminPasswordFile });
      }
    }
    await createDefaults(transaction);
    return isFirst;
  });
}
