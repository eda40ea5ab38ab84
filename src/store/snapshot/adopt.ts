/** What makes the rows of a snapshot the rows of this manager. */
import { GantryError } from '../../domain/errors.ts';
import { noteAccessChange } from '../access-version.ts';
import { administratorId, defaultTenantId } from '../bootstrap.ts';
import { refreshDeploymentStatuses } from '../deployment-status.ts';
import { failPluginsUpdates } from '../plugins-updates.ts';
import type { Session } from '../session.ts';
import { stagingSchema, withoutReferences } from './staging.ts';
import { encryptedColumns, listDumpTables, listTables } from './tables.ts';

const staged = `"${stagingSchema}"`;
/** Any number that no other lock uses: one restore at a time, and no recovery during one. */
const restoreLock = 7_163_009;

/** Waits for no other restore; held until the transaction ends. @returns false when one is going on */
export async function lockRestore(session: Session): Promise<boolean> {
  const [row] = await session.query<{ locked: boolean }>('select pg_try_advisory_xact_lock($1) as locked', [
    restoreLock,
  ]);
  return row?.locked === true;
}

/** What a manager that is not new has; a restore replaces it. */
export async function findContents(session: Session): Promise<string[]> {
  const counts = await session.query<{ name: string; count: number }>(
    `select 'tenants' as name, count(*) as count from tenants where id <> $1
     union all select 'users', count(*) from users where id <> $2
     union all select 'blueprints', count(*) from blueprints
     union all select 'deployments', count(*) from deployments
     union all select 'plugins', count(*) from plugins
     union all select 'secrets', count(*) from secrets`,
    [defaultTenantId, administratorId],
  );
  return counts.filter(({ count }) => count > 0).map(({ name, count }) => `${count} ${name}`);
}

/** Whether the transaction of a restore was committed. */
export async function isRestored(session: Session, executionId: string): Promise<boolean> {
  return (await session.query('select from restores where execution_id = $1', [executionId])).length > 0;
}

/** Ids of the staged executions that were running or waiting. */
const unfinished = `status not in ('terminated', 'failed', 'cancelled')`;

/**
 * Ends what was running when the snapshot was made: nobody drives it here, and it may still run where it came from.
 * Failed executions can be resumed by whoever knows that they do not.
 */
async function endExecutions(session: Session, snapshotId: string, creationId: string): Promise<void> {
  await session.query(
    `update executions set status = 'terminated', ended_at = now(), status_changed_at = now(), executor = null
     where id = $1 and ${unfinished}`,
    [creationId],
  );
  await session.query(
    `update executions set ended_at = now(), status_changed_at = now(), executor = null,
       status = case when status in ('scheduled', 'queued', 'pending') then 'cancelled' else 'failed' end,
       error = $1
     where ${unfinished}`,
    [
      `It had not ended when the snapshot ${snapshotId} was made, which was restored here. Make sure that it does not run where it came from, then resume it or run it again.`,
    ],
  );
  const ofPlugins = await session.query<{ id: number }>(
    `select storage_id as id from executions where workflow_id = 'update_plugin' and status in ('cancelled', 'failed')`,
  );
  await failPluginsUpdates(
    session,
    ofPlugins.map(({ id }) => id),
  );
  const rows = await session.query<{ id: number }>(
    `select storage_id as id from deployments where deployment_status = 'in_progress'`,
  );
  await refreshDeploymentStatuses(
    session,
    rows.map(({ id }) => id),
  );
}

/** Expressions for the staged owners of a row `kept`: those of the same names, or else the first ones. */
const stagedOwner = (column: string): string =>
  `coalesce((select mine.id from public.users theirs join ${staged}.users mine on lower(mine.username) = lower(theirs.username)
     where theirs.id = kept.${column}), ${administratorId})`;
const stagedTenant = `coalesce((select mine.id from public.tenants theirs join ${staged}.tenants mine on mine.name = theirs.name
  where theirs.id = kept.tenant_id), ${defaultTenantId})`;

/** Takes over what the snapshot cannot have: settings of a newer version, and passwords it was made without. */
async function keepSettings(session: Session): Promise<void> {
  for (const table of ['config', 'provider_context']) {
    await session.query(`insert into ${staged}.${table} select * from public.${table} on conflict do nothing`);
  }
  await session.query(
    `update ${staged}.config set updater_id = null where updater_id not in (select id from ${staged}.users)`,
  );
  await session.query(
    `update ${staged}.users mine set password_hash = theirs.password_hash from public.users theirs
     where lower(mine.username) = lower(theirs.username) and mine.password_hash is null`,
  );
}

/** Takes over the execution that restores, with its events. */
async function keepExecution(session: Session, executionId: string): Promise<void> {
  await session.query(
    `insert into ${staged}.executions (storage_id, id, tenant_id, creator_id, visibility, created_at, started_at, status,
       status_changed_at, workflow_id, parameters, is_system_workflow, token_hash, executor, claimed_at)
     select (select coalesce(max(storage_id), 0) + 1 from ${staged}.executions), id, ${stagedTenant},
       ${stagedOwner('creator_id')}, visibility, created_at, started_at, status, status_changed_at, workflow_id, parameters, is_system_workflow, token_hash,
       executor, claimed_at
     from public.executions kept where id = $1`,
    [executionId],
  );
  await session.query(
    `insert into ${staged}.events (storage_id, timestamp, reported_timestamp, kind, tenant_id, creator_id, visibility,
       execution_id, message, event_type, logger, level, manager_name)
     select (select coalesce(max(storage_id), 0) from ${staged}.events) + row_number() over (order by kept.storage_id),
       kept.timestamp, kept.reported_timestamp, kept.kind, execution.tenant_id, execution.creator_id,
       execution.visibility, execution.storage_id, kept.message, kept.event_type, kept.logger, kept.level,
       kept.manager_name
     from public.events kept join ${staged}.executions execution on execution.id = $1
     where kept.execution_id = (select storage_id from public.executions where id = $1)`,
    [executionId],
  );
}

/** How stored secrets are read and written. */
export interface Encryption {
  encrypt(text: string): string;
  /** @throws Error when the key is not known here */
  decrypt(stored: string): string;
  isOutdated(stored: string): boolean;
}

/** Encrypts what another key encrypted with the current one. @throws GantryError snapshot_action_error */
export async function encryptAnew(session: Session, encryption: Encryption): Promise<number> {
  let count = 0;
  for (const { table, column, key } of encryptedColumns) {
    const rows = await session.query<{ id: number; stored: string }>(
      `select "${key}" as id, "${column}" as stored from "${table}" where "${column}" is not null`,
    );
    const outdated = rows.filter(({ stored }) => encryption.isOutdated(stored));
    const texts = outdated.map(({ stored }) => {
      try {
        return encryption.encrypt(encryption.decrypt(stored));
      } catch (error) {
        const [id] = stored.split('.', 1);
        throw new GantryError(
          'snapshot_action_error',
          `The snapshot has secrets that were encrypted with the key ${id ?? '?'}, which is not in the key file of this manager. Add the line of that key below the first line of the key file (GANTRY_KEY_FILE), start the processes anew, and restore again.`,
          { cause: error },
        );
      }
    });
    await session.query(
      `update "${table}" set "${column}" = given.text from unnest($1::bigint[], $2::text[]) as given (id, text)
       where "${table}"."${key}" = given.id`,
      [outdated.map(({ id }) => id), texts],
    );
    count += outdated.length;
  }
  return count;
}

export interface Adoption {
  readonly executionId: string;
  readonly snapshotId: string;
  /** The execution that made the snapshot. */
  readonly creationId: string;
}

/** Prepares the staged rows for this manager. Staging is in force, and nothing refers to anything. */
export async function adopt(session: Session, { executionId, snapshotId, creationId }: Adoption): Promise<void> {
  await endExecutions(session, snapshotId, creationId);
  await keepExecution(session, executionId);
  await keepSettings(session);
}

const lockPatience = '120s';

/** Owners of what stays are those of the same names; who is gone is replaced. */
async function replaceOwners(session: Session): Promise<void> {
  for (const table of ['snapshots', 'log_bundles']) {
    await session.query(
      `update ${table} kept set tenant_id = ${stagedTenant}, creator_id = ${stagedOwner('creator_id')}`,
    );
  }
  await session.query('update certificates set updater_id = null');
  await session.query('update maintenance_mode set requested_by = null');
}

async function setSequences(session: Session): Promise<void> {
  const identities = await session.query<{ table: string; column: string; sequence: string }>(
    `select class.oid::regclass::text as "table", quote_ident(attname) as column,
       pg_get_serial_sequence(class.oid::regclass::text, attname) as sequence
     from pg_attribute join pg_class class on class.oid = attrelid
     where attidentity <> '' and class.relnamespace = 'public'::regnamespace and not class.relispartition`,
  );
  for (const { table, column, sequence } of identities) {
    await session.query(`select setval($1::regclass, coalesce((select max(${column}) from ${table}), 0) + 1, false)`, [
      sequence,
    ]);
  }
}

/**
 * Puts the staged rows in the place of the real ones and drops the staging schema. Everybody else waits from here to
 * the end of the transaction.
 * @throws GantryError snapshot_action_error when the administrator or the default tenant is not among them
 */
export async function replaceRows(session: Session, { executionId, snapshotId }: Adoption): Promise<void> {
  const [row] = await session.query<{ complete: boolean }>(
    `select exists (select from ${staged}.users where id = $1) and exists (select from ${staged}.tenants where id = $2)
       as complete`,
    [administratorId, defaultTenantId],
  );
  if (row?.complete !== true) {
    throw new GantryError('snapshot_action_error', 'The snapshot has no administrator or no default tenant');
  }
  await session.query('set local search_path = public');
  await session.query(`set local lock_timeout = '${lockPatience}'`);
  const everything = await listTables(session, 'public');
  await session.query(`lock table ${everything.map(({ name }) => `"${name}"`).join(', ')} in access exclusive mode`);
  await withoutReferences(session, 'public', async () => {
    await replaceOwners(session);
    const tables = await listDumpTables(session, 'public');
    await session.query(`truncate ${tables.map(({ name }) => `"${name}"`).join(', ')}`);
    for (const { name, columns } of tables) {
      const list = columns.map((column) => `"${column}"`).join(', ');
      await session.query(`insert into "${name}" (${list}) select ${list} from ${staged}."${name}"`);
    }
    await session.query('insert into restores (execution_id, snapshot_id) values ($1, $2)', [executionId, snapshotId]);
  });
  await setSequences(session);
  // triggers were off while other users took the places of those that were here
  await noteAccessChange(session);
  await session.query(`drop schema ${staged} cascade`);
}
