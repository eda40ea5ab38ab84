import type { EventInput } from '../domain/entities.ts';
import type { Session } from './session.ts';
import { cleanText, toJson } from './values.ts';

export { deleteEvents, listEvents } from './event-list.ts';
export type { EventQuery } from './event-list.ts';
export { tailEvents } from './event-tail.ts';
export type { EventSource, EventTail } from './event-tail.ts';

const insertStatement = `
  with given as (
    select * from json_to_recordset($1::json) as event (kind text, "timestamp" timestamptz, "executionId" text,
      "executionGroupId" text, "tenantId" integer, message text, "messageCode" text, "eventType" text, logger text,
      level text, operation text, "nodeInstanceId" text, "sourceId" text, "targetId" text, "errorCauses" jsonb,
      "managerName" text, "agentName" text)
  ), owners as materialized (
    select execution.id, execution.storage_id, null::bigint as group_id, execution.tenant_id, execution.creator_id,
      execution.visibility
    from executions execution where execution.id = any($2)
    union all
    select execution_group.id, null, execution_group.storage_id, execution_group.tenant_id, execution_group.creator_id,
      execution_group.visibility
    from execution_groups execution_group where execution_group.id = any($3)
  ), stored as (
    insert into events (kind, reported_timestamp, tenant_id, creator_id, visibility, execution_id, execution_group_id,
      message, message_code, event_type, logger, level, operation, node_instance_id, source_id, target_id, error_causes,
      manager_name, agent_name)
    select given.kind, given."timestamp", owners.tenant_id, owners.creator_id, owners.visibility, owners.storage_id,
      owners.group_id, given.message, given."messageCode", given."eventType", given.logger, given.level,
      given.operation, given."nodeInstanceId", given."sourceId", given."targetId", given."errorCauses",
      given."managerName", given."agentName"
    from given join owners on owners.id = coalesce(given."executionId", given."executionGroupId")
      and owners.tenant_id = given."tenantId"
      and (owners.group_id is null) = (given."executionId" is not null)
    returning 1
  )
  select (select count(*) from stored) as count, count(pg_notify('gantry_events', owners.id)) from owners`;

function toRow(event: EventInput): object {
  return { ...event, message: cleanText(event.message) };
}

function distinct(ids: readonly (string | undefined)[]): string[] {
  return [...new Set(ids.filter((id) => id !== undefined))];
}

/**
 * Appends events and logs in one statement and notifies `gantry_events` with the ids of the executions (or groups).
 * Creator and visibility are those of the execution. Events of executions that are gone, or that belong to another
 * tenant than the event says, are dropped.
 * @returns how many were stored
 */
export async function insertEvents(session: Session, events: readonly EventInput[]): Promise<number> {
  if (events.length === 0) {
    return 0;
  }
  const [row] = await session.prepared<{ count: number }>(insertStatement, [
    toJson(events.map(toRow)),
    distinct(events.map(({ executionId }) => executionId)),
    distinct(events.map(({ executionGroupId }) => executionGroupId)),
  ]);
  return row?.count ?? 0;
}

/** Makes the partitions for this month and the following ones; call it now and then. @returns how many are new */
export async function createPartitions(session: Session, monthsAhead = 3): Promise<number> {
  const [row] = await session.query<{ created: number }>(
    `select create_monthly_partitions('events', $1) + create_monthly_partitions('audit_log', $1) as created`,
    [monthsAhead],
  );
  return row?.created ?? 0;
}

interface PartitionRow {
  name: string;
  month: string;
}

/**
 * Retention: drops the monthly partitions of events and logs that end before `before`, and removes what is older from
 * the default partition. @returns names of the dropped partitions
 */
export async function dropOldEvents(session: Session, before: Date): Promise<string[]> {
  const rows = await session.query<PartitionRow>(
    `select child.relname as name, right(child.relname, 7) as month
     from pg_inherits join pg_class child on child.oid = inhrelid join pg_class parent on parent.oid = inhparent
     where parent.relname = 'events' and child.relname ~ '^events_\\d{4}_\\d{2}$' order by child.relname`,
  );
  const old = rows.filter(({ month }) => {
    const [year, number] = month.split('_').map(Number);
    return Date.UTC(year ?? 0, number ?? 0) <= before.getTime();
  });
  for (const { name } of old) {
    await session.query(`drop table "${name}"`);
  }
  await session.query('delete from events_default where timestamp < $1', [before]);
  return old.map(({ name }) => name);
}
