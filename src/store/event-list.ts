import type { EventRow } from '../domain/entities.ts';
import { eventFields, eventJoins, eventSelection, isOwnField } from './event-fields.ts';
import { scopeCondition, scopeParts } from './scope-condition.ts';
import type { ScopePart } from './scope-condition.ts';
import type { Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters, withoutNulls } from './values.ts';

export interface EventQuery {
  /** One kind; undefined = both. */
  kind?: 'event' | 'log';
  executionIds?: readonly string[];
  executionGroupIds?: readonly string[];
  deploymentIds?: readonly string[];
  blueprintIds?: readonly string[];
  /** Names of nodes. */
  nodeNames?: readonly string[];
  nodeInstanceIds?: readonly string[];
  /** Leaves logs out. */
  eventTypes?: readonly string[];
  /** Leaves events out. */
  levels?: readonly string[];
  /** ILIKE patterns that must all match. */
  operations?: readonly string[];
  /** ILIKE patterns that must all match. */
  messages?: readonly string[];
  /** from <= field < to. */
  ranges?: readonly { field: 'timestamp' | 'reportedTimestamp'; from?: Date; to?: Date }[];
  sort?: readonly { field: keyof EventRow; descending: boolean }[];
  /** Default 10 000. */
  size?: number;
  offset?: number;
}

const defaultSize = 10_000;

/** Storage ids of what a query names, looked up first so that the planner knows how few rows it is about. */
async function ownersOf(
  session: Session,
  query: EventQuery,
): Promise<{ executions: number[] | undefined; groups: number[] | undefined }> {
  const { executionIds, executionGroupIds, deploymentIds, blueprintIds } = query;
  const lookUp = async (text: string, values: readonly unknown[]): Promise<number[]> => {
    const rows = await session.prepared<{ storageId: number }>(text, values);
    return rows.map(({ storageId }) => storageId);
  };
  const groups = executionGroupIds
    ? await lookUp('select storage_id as "storageId" from execution_groups where id = any($1)', [executionGroupIds])
    : undefined;
  const executions =
    (executionIds ?? deploymentIds ?? blueprintIds)
      ? await lookUp(
          `select execution.storage_id as "storageId" from executions execution
           left join deployments deployment on deployment.storage_id = execution.deployment_id
           where ($1::text[] is null or execution.id = any($1)) and ($2::text[] is null or deployment.id = any($2))
             and ($3::text[] is null or execution.blueprint_id = any($3))`,
          [executionIds ?? null, deploymentIds ?? null, blueprintIds ?? null],
        )
      : undefined;
  return { executions, groups };
}

function attributeConditions(query: EventQuery, parameters: Parameters): string[] {
  const conditions: string[] = [];
  const anyOf = (column: string, values: readonly string[] | undefined): void => {
    if (values) {
      conditions.push(`${column} = any(${parameters.add([...values])}::text[])`);
    }
  };
  const allLike = (column: string, patterns: readonly string[] | undefined): void => {
    if (patterns && patterns.length > 0) {
      conditions.push(`${column} ilike all(${parameters.add([...patterns])}::text[])`);
    }
  };
  if (query.kind) {
    conditions.push(`event.kind = ${parameters.add(query.kind)}`);
  }
  anyOf('event.node_instance_id', query.nodeInstanceIds);
  anyOf('event.event_type', query.eventTypes);
  anyOf('event.level', query.levels);
  allLike('event.operation', query.operations);
  allLike('event.message', query.messages);
  if (query.nodeNames) {
    conditions.push(`event.node_instance_id in (select instance.id from node_instances instance
      join nodes node on node.storage_id = instance.node_id where node.id = any(${parameters.add([...query.nodeNames])}::text[]))`);
  }
  for (const { field, from, to } of query.ranges ?? []) {
    const column = eventFields[field];
    if (from) {
      conditions.push(`${column} >= ${parameters.add(from)}`);
    }
    if (to) {
      conditions.push(`${column} < ${parameters.add(to)}`);
    }
  }
  return conditions;
}

const scopeColumns = { tenant: 'event.tenant_id', creator: 'event.creator_id', visibility: 'event.visibility' };

/** Conditions that no event fulfils two of; each adds its values to those of the statement. */
interface Conditions {
  readonly all: ScopePart;
  readonly parts: readonly ScopePart[];
}

async function conditionsOf(session: Session, scope: Scope, query: EventQuery): Promise<Conditions> {
  const { executions, groups } = await ownersOf(session, query);
  const within =
    (part: ScopePart): ScopePart =>
    (parameters) => {
      const conditions = [part(parameters), ...attributeConditions(query, parameters)];
      if (executions) {
        conditions.push(`event.execution_id = any(${parameters.add(executions)}::bigint[])`);
      }
      if (groups) {
        conditions.push(`event.execution_group_id = any(${parameters.add(groups)}::bigint[])`);
      }
      return conditions.join(' and ');
    };
  const all = within((parameters) => scopeCondition(scopeColumns, scope, parameters));
  // events of few executions are found by those; all others in the order of time, of each tenant
  const parts = executions || groups ? [all] : scopeParts(scopeColumns, scope).map(within);
  return { all, parts };
}

function orderOf(query: EventQuery): { inner: string; outer: string; isOwn: boolean } {
  const sort = query.sort ?? [];
  const direction = sort.at(-1)?.descending ? 'desc' : 'asc';
  const keys = [
    ...sort.map(({ field, descending }) => `${eventFields[field]} ${descending ? 'desc' : 'asc'}`),
    `event.timestamp ${direction}`,
    `event.storage_id ${direction}`,
  ].join(', ');
  return { inner: keys, outer: keys, isOwn: sort.every(({ field }) => isOwnField(field)) };
}

/** One page of events and logs, with the number of all that match. */
export async function listEvents(
  session: Session,
  scope: Scope,
  query: EventQuery,
): Promise<{ items: EventRow[]; total: number }> {
  const conditions = await conditionsOf(session, scope, query);
  const parameters = new Parameters();
  const { inner, outer, isOwn } = orderOf(query);
  const size = query.size ?? defaultSize;
  const offset = query.offset ?? 0;
  const [limit, skipped] = [parameters.add(size), parameters.add(offset)];
  const paging = `limit ${limit} offset ${skipped}`;
  // values that a statement does not refer to would be refused
  const parts = isOwn ? conditions.parts : [];
  const pages = parts.map(
    (part) =>
      `(select * from events event where ${part(parameters)} order by ${inner} limit ${limit}::bigint + ${skipped}::bigint)`,
  );
  const page = `(select * from (${pages.join(' union all ')}) event order by ${inner} ${paging})`;
  const statement = isOwn
    ? `select ${eventSelection} from ${eventJoins(page)} order by ${outer}`
    : `select ${eventSelection} from ${eventJoins('events')} where ${conditions.all(parameters)} order by ${outer} ${paging}`;
  const rows = await session.query<EventRow>(statement, parameters.values);
  return {
    items: rows.map(withoutNulls),
    total:
      rows.length < size && (rows.length > 0 || offset === 0)
        ? offset + rows.length
        : await countEvents(session, conditions.parts),
  };
}

async function countEvents(session: Session, parts: readonly ScopePart[]): Promise<number> {
  const parameters = new Parameters();
  const counts = parts.map((part) => `(select count(*) from events event where ${part(parameters)})`);
  const [row] = await session.query<{ count: number }>(`select ${counts.join(' + ')} as count`, parameters.values);
  return row?.count ?? 0;
}

/** Removes the events and logs that a query matches (its paging does not count). @returns how many */
export async function deleteEvents(session: Session, scope: Scope, query: EventQuery): Promise<number> {
  const { all } = await conditionsOf(session, scope, query);
  const parameters = new Parameters();
  const [row] = await session.query<{ count: number }>(
    `with gone as (delete from events event where ${all(parameters)} returning 1) select count(*) as count from gone`,
    parameters.values,
  );
  return row?.count ?? 0;
}
