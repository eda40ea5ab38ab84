import type { EventInput } from '../domain/entities.ts';
import type { Session } from './session.ts';
import { cleanText, textOrNull, toJson } from './values.ts';

export { deleteEvents, listEvents } from './event-list.ts';
export type { EventQuery } from './event-list.ts';
export { tailEvents } from './event-tail.ts';
export type { EventSource, EventTail } from './event-tail.ts';

export interface EventClauseOptions {
  /** What events have to meet, e.g. a condition on `given.position`, which counts from 1. */
  condition?: string;
  /** A clause before these that has locked the rows of the executions already; a row cannot be locked again here. */
  executions?: string;
}

/** How many parameters `eventClauses` takes. */
export const eventParameterCount = 15;

/**
 * The `with` clauses that append events, for statements that do more than that: `stored` has a row per new event,
 * `notified` is one row and has to be joined to what the statement selects, or nobody hears of the events.
 *
 * `owners` are what the events belong to, each with the tenant it is said to be of; they are locked so that none is
 * deleted before its new events can be seen, see migration 009. Columns that few events have come as one document.
 * @param first number of the first of the parameters, which `eventParameters` makes
 */
export function eventClauses(first: number, { condition = 'true', executions }: EventClauseOptions = {}): string {
  const parameter = (offset: number, type: string): string => `$${first + offset}::${type}[]`;
  const texts = [6, 7, 8, 9, 10, 11, 12, 13].map((offset) => parameter(offset, 'text')).join(', ');
  return `given as (
    select * from unnest(${parameter(4, 'integer')}, ${parameter(5, 'float8')}, ${texts}, ${parameter(14, 'json')})
      with ordinality as event (owner, milliseconds, kind, message, event_type, logger, level, operation,
        node_instance_id, manager_name, more, position)
  ), claimed_owners as (
    select * from unnest(${parameter(0, 'integer')}, ${parameter(1, 'text')}, ${parameter(2, 'boolean')},
        ${parameter(3, 'integer')}) as owner (number, id, is_group, tenant_id)
  ), locked_executions as materialized (
    select execution.id, execution.storage_id, execution.tenant_id, execution.creator_id, execution.visibility
    from ${executions ?? 'executions'} execution
    where execution.id in (select id from claimed_owners where not is_group)
    ${executions === undefined ? 'order by execution.storage_id for key share' : ''}
  ), locked_groups as materialized (
    select execution_group.id, execution_group.storage_id, execution_group.tenant_id, execution_group.creator_id,
      execution_group.visibility
    from execution_groups execution_group where execution_group.id in (select id from claimed_owners where is_group)
    order by execution_group.storage_id for key share
  ), owners as materialized (
    select claimed_owners.number, execution.id, execution.storage_id as execution_id, null::bigint as group_id,
      execution.tenant_id, execution.creator_id, execution.visibility
    from claimed_owners join locked_executions execution using (id, tenant_id) where not claimed_owners.is_group
    union all
    select claimed_owners.number, execution_group.id, null, execution_group.storage_id, execution_group.tenant_id,
      execution_group.creator_id, execution_group.visibility
    from claimed_owners join locked_groups execution_group using (id, tenant_id) where claimed_owners.is_group
  ), stored as (
    insert into events (timestamp, kind, reported_timestamp, tenant_id, creator_id, visibility, execution_id, execution_group_id,
      message, event_type, logger, level, operation, node_instance_id, manager_name, message_code, source_id,
      target_id, error_causes, agent_name)
    select least(to_timestamp((given.more ->> 'storedAt')::float8 / 1000), now()), given.kind,
      to_timestamp(given.milliseconds / 1000), owners.tenant_id, owners.creator_id,
      owners.visibility, owners.execution_id, owners.group_id, given.message, given.event_type, given.logger,
      given.level, given.operation, given.node_instance_id, given.manager_name, given.more ->> 'messageCode',
      given.more ->> 'sourceId', given.more ->> 'targetId', (given.more -> 'errorCauses')::jsonb,
      given.more ->> 'agentName'
    from given join owners on owners.number = given.owner
    where ${condition}
    order by given.position
    returning 1
  ), notified as materialized (
    select (select count(*) from stored) as count, count(pg_notify('gantry_events', owners.id)) as told
    from owners
  )`;
}

const insertStatement = `with ${eventClauses(1)} select count from notified`;

interface Owner {
  number: number;
  id: string;
  isGroup: boolean;
  tenantId: number;
}

/** What the events belong to, each once; and which of them each event belongs to. */
function ownersOf(events: readonly EventInput[]): { owners: Owner[]; numbers: number[] } {
  const known = new Map<string, Owner>();
  const numbers = events.map(({ executionId, executionGroupId, tenantId }) => {
    const isGroup = executionId === undefined;
    const id = executionId ?? executionGroupId ?? '';
    const key = `${isGroup ? 'group' : 'execution'} ${tenantId} ${id}`;
    let owner = known.get(key);
    if (!owner) {
      owner = { number: known.size, id: cleanText(id), isGroup, tenantId };
      known.set(key, owner);
    }
    return owner.number;
  });
  return { owners: [...known.values()], numbers };
}

type TextMember = 'message' | 'eventType' | 'logger' | 'level' | 'operation' | 'nodeInstanceId' | 'managerName';

/** A column of texts; an empty one stands for nothing but nulls, as the statement fills columns up. */
function textColumn(events: readonly EventInput[], member: TextMember): (string | null)[] {
  return events.some((event) => event[member] !== undefined) ? events.map((event) => textOrNull(event[member])) : [];
}

/** What few events have. */
function moreOf(event: EventInput): string | null {
  const { messageCode, sourceId, targetId, errorCauses, agentName } = event;
  const storedAt = event.storedAt?.getTime();
  return (messageCode ?? sourceId ?? targetId ?? errorCauses ?? agentName ?? storedAt) === undefined
    ? null
    : toJson({ messageCode, sourceId, targetId, errorCauses, agentName, storedAt });
}

/** The parameters of `eventClauses`. */
export function eventParameters(events: readonly EventInput[]): unknown[] {
  const { owners, numbers } = ownersOf(events);
  const more = events.map(moreOf);
  return [
    owners.map(({ number }) => number),
    owners.map(({ id }) => id),
    owners.map(({ isGroup }) => isGroup),
    owners.map(({ tenantId }) => tenantId),
    numbers,
    events.map(({ timestamp }) => timestamp.getTime()),
    events.map(({ kind }) => kind),
    textColumn(events, 'message'),
    textColumn(events, 'eventType'),
    textColumn(events, 'logger'),
    textColumn(events, 'level'),
    textColumn(events, 'operation'),
    textColumn(events, 'nodeInstanceId'),
    textColumn(events, 'managerName'),
    more.every((document) => document === null) ? [] : more,
  ];
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
  const [row] = await session.prepared<{ count: number }>(insertStatement, eventParameters(events));
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
