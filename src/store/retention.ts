/** Removal of old rows in small batches, so that other statements wait no longer than for an ordinary one. */
import { endedExecutionStatuses } from '../domain/states.ts';
import { isLockTimeout } from './database-errors.ts';
import type { Database } from './database.ts';
import type { Session } from './session.ts';

/** Tables in monthly partitions. */
type PartitionedTable = 'events' | 'audit_log';

interface PartitionRow {
  name: string;
  month: string;
}

/**
 * Drops the monthly partitions that end before `before`. One that is in use is left for the next time, since whoever
 * comes after a waiting `drop` waits as well.
 * @returns names of the dropped partitions
 */
export async function dropOldPartitions(
  database: Pick<Database, 'prepared' | 'transaction'>,
  table: PartitionedTable,
  before: Date,
): Promise<string[]> {
  const rows = await database.prepared<PartitionRow>(
    `select child.oid::regclass::text as name, right(child.relname, 7) as month
     from pg_inherits join pg_class child on child.oid = inhrelid
     where inhparent = $1::regclass and child.relname ~ ($1 || '_\\d{4}_\\d{2}$') order by child.relname`,
    [table],
  );
  const dropped: string[] = [];
  for (const { name, month } of rows) {
    const [year, number] = month.split('_').map(Number);
    if (Date.UTC(year ?? 0, number ?? 0) <= before.getTime() && (await dropPartition(database, name))) {
      dropped.push(name);
    }
  }
  return dropped;
}

async function dropPartition(database: Pick<Database, 'transaction'>, name: string): Promise<boolean> {
  try {
    await database.transaction(async (transaction) => {
      await transaction.query(`set local lock_timeout = '500ms'`);
      await transaction.query(`drop table if exists ${name}`);
    });
    return true;
  } catch (error) {
    if (isLockTimeout(error)) {
      return false;
    }
    throw error;
  }
}

/** Removes the first `limit` events or log lines that were stored before. @returns how many */
export async function deleteOldEvents(
  session: Session,
  kind: 'event' | 'log',
  before: Date,
  limit: number,
): Promise<number> {
  const rows = await session.prepared(
    `delete from events where (tenant_id, timestamp, storage_id) in (
       select tenant_id, timestamp, storage_id from events where kind = $1 and timestamp < $2 limit $3)
       and timestamp < $2
     returning 1 as gone`,
    [kind, before, limit],
  );
  return rows.length;
}

/** Removes the first `limit` records of the audit log that were made before. @returns how many */
export async function deleteOldAuditRecords(session: Session, before: Date, limit: number): Promise<number> {
  const rows = await session.prepared(
    `delete from audit_log where (created_at, storage_id) in (
       select created_at, storage_id from audit_log where created_at < $1 order by created_at limit $2)
     returning 1 as gone`,
    [before, limit],
  );
  return rows.length;
}

/** Removes tasks graphs, with their operations, of executions that ended before. @returns how many graphs */
export async function deleteOldGraphs(session: Session, before: Date, limit: number): Promise<number> {
  const rows = await session.prepared(
    `delete from tasks_graphs where storage_id in (
       select graph.storage_id from tasks_graphs graph join executions execution on execution.storage_id = graph.execution_id
       where execution.status = any($1) and execution.ended_at < $2
       order by graph.storage_id limit $3 for update of graph skip locked)
     returning 1 as gone`,
    [[...endedExecutionStatuses], before, limit],
  );
  return rows.length;
}

/**
 * Removes executions that ended before, with everything that belongs to them. The one that created a deployment, the
 * latest one of a deployment or a schedule, and the one that uploaded a blueprint stay as long as that.
 * @returns how many
 */
export async function deleteOldExecutions(session: Session, before: Date, limit: number): Promise<number> {
  const rows = await session.prepared(
    `delete from executions where storage_id in (
       select storage_id from executions execution
       where status = any($1) and ended_at < $2
         and not exists (select from deployments where create_execution_id = execution.storage_id)
         and not exists (select from deployments where latest_execution_id = execution.storage_id)
         and not exists (select from blueprints where upload_execution_id = execution.storage_id)
         and not exists (select from execution_schedules where latest_execution_id = execution.storage_id)
       order by storage_id limit $3 for update skip locked)
     returning 1 as gone`,
    [[...endedExecutionStatuses], before, limit],
  );
  return rows.length;
}

/** Removes execution groups made before of which no execution is left. @returns how many */
export async function deleteEmptyExecutionGroups(session: Session, before: Date, limit: number): Promise<number> {
  const rows = await session.prepared(
    `delete from execution_groups where storage_id in (
       select storage_id from execution_groups made where created_at < $1
         and not exists (select from execution_groups_executions where execution_group_id = made.storage_id)
       order by storage_id limit $2 for update skip locked)
     returning 1 as gone`,
    [before, limit],
  );
  return rows.length;
}

/** Removes deployment modifications that ended before. @returns how many */
export async function deleteOldModifications(session: Session, before: Date, limit: number): Promise<number> {
  const rows = await session.prepared(
    `delete from deployment_modifications where storage_id in (
       select storage_id from deployment_modifications where status <> 'started' and ended_at < $1
       order by storage_id limit $2 for update skip locked)
     returning 1 as gone`,
    [before, limit],
  );
  return rows.length;
}

/** Removes tokens that cannot be used any more. @returns how many */
export async function deleteExpiredTokens(session: Session): Promise<number> {
  const rows = await session.prepared('delete from tokens where expiration_date < now() returning id');
  return rows.length;
}
