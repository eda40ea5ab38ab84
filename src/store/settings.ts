/** The settings of the manager that people change at run time. */
import type { Json, JsonObject } from '../domain/plan.ts';
import type { Session } from './session.ts';
import { onlyRow, toJson, withoutNulls } from './values.ts';

export interface Setting {
  scope: string;
  name: string;
  value: Json;
  /** JSON schema of the value. */
  schema: JsonObject | undefined;
  isEditable: boolean;
  adminOnly: boolean;
  updatedAt: Date | undefined;
  updaterName: string | undefined;
}

const statement = `
  select config.scope, config.name, config.value, config.schema, config.is_editable as "isEditable",
    config.admin_only as "adminOnly", config.updated_at as "updatedAt", users.username as "updaterName"
  from config left join users on users.id = config.updater_id`;

function toSetting(row: Setting): Setting {
  return { ...withoutNulls(row), value: row.value ?? null };
}

/** All settings, or those of one scope, ordered by scope and name. */
export async function listSettings(session: Session, scope?: string): Promise<Setting[]> {
  const rows = await session.prepared<Setting>(
    `${statement} where $1::text is null or config.scope = $1 order by config.scope, config.name`,
    [scope ?? null],
  );
  return rows.map(toSetting);
}

/** Settings of a name in any scope, or in one. */
export async function findSettings(session: Session, name: string, scope?: string): Promise<Setting[]> {
  const rows = await session.prepared<Setting>(
    `${statement} where config.name = $1 and ($2::text is null or config.scope = $2) order by config.scope`,
    [name, scope ?? null],
  );
  return rows.map(toSetting);
}

/** The values of one scope by name, for the code that works by them. */
export async function readSettings(session: Session, scope: string): Promise<Map<string, Json>> {
  const rows = await session.prepared<{ name: string; value: Json }>(
    'select name, value from config where scope = $1',
    [scope],
  );
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/** Sets a value that was checked. */
export async function setSetting(
  session: Session,
  setting: { scope: string; name: string; value: Json; updaterId: number },
): Promise<Setting> {
  await session.prepared(
    'update config set value = $3, updated_at = now(), updater_id = $4 where scope = $1 and name = $2',
    [setting.scope, setting.name, toJson(setting.value), setting.updaterId],
  );
  return onlyRow(await findSettings(session, setting.name, setting.scope));
}

/** The encrypted value of a setting that is kept secret. */
export async function readSecretSetting(session: Session, scope: string, name: string): Promise<string | undefined> {
  const [row] = await session.prepared<{ secret: string | null }>(
    'select secret from config where scope = $1 and name = $2',
    [scope, name],
  );
  return row?.secret ?? undefined;
}

/** Sets or clears the encrypted value of a setting; its plain value is emptied. */
export async function setSecretSetting(
  session: Session,
  setting: { scope: string; name: string; secret: string | undefined; updaterId: number },
): Promise<void> {
  await session.prepared(
    `update config set value = 'null', secret = $3, updated_at = now(), updater_id = $4 where scope = $1 and name = $2`,
    [setting.scope, setting.name, setting.secret ?? null, setting.updaterId],
  );
}
