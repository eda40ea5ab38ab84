/**
 * What live streams read: what became visible between two database snapshots. Events carry the transaction that wrote
 * them; rows that change are told by their hidden column xmin, the transaction that wrote this version of them.
 */
import type { Deployment, EventRow, Execution, NodeInstanceRow } from '../domain/entities.ts';
import type { Visibility } from '../domain/states.ts';
import { deploymentResource } from './deployments.ts';
import { eventJoins, eventSelection } from './event-fields.ts';
import { executionResource } from './executions.ts';
import { findResources } from './list-query.ts';
import { scopeCondition } from './scope-condition.ts';
import type { Condition } from './list-query.ts';
import { nodeInstanceResource } from './node-instances.ts';
import type { Resource } from './resource.ts';
import type { Scope } from './scope.ts';
import type { Session } from './session.ts';
import { cursorCondition, formatCursor, parseCursor } from './snapshot-cursor.ts';
import type { Cursor } from './snapshot-cursor.ts';
import { onlyRow, Parameters, withoutNulls } from './values.ts';

/** What the database looked like at one moment. */
export interface Moment {
  /** Text of a pg_snapshot. */
  snapshot: string;
  /** No transaction that this snapshot does not see began earlier; milliseconds since 1970 on the database's clock. */
  oldest: number;
}

/** How far a stream has got: behind `after` of what lies between the snapshots `seen` and `current`. */
export interface LivePosition extends Cursor {
  /** `oldest` of the moment of `seen`: bounds a search by time. */
  oldest: number;
  /** The snapshot since which changed rows were not told, where that is not `seen`; `all` = none was ever told. */
  statesSince?: string;
}

/** An event with what decides who may see it. */
export interface LiveEvent extends EventRow {
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
}

/** Which events are read: those of some executions and groups, by storage id, or all that a scope may see. */
export type EventOwners = { executions: readonly number[]; groups: readonly number[] } | { scope: Scope };

/**
 * When the oldest transaction began that has not ended, in milliseconds since 1970. Ask before the snapshot is taken:
 * what ends in between is then counted although the snapshot may see it, instead of being missed.
 */
export async function findOldest(session: Session): Promise<number> {
  const { oldest } = onlyRow(
    await session.prepared<{ oldest: number }>(
      `select (extract(epoch from least(now(), min(xact_start))) * 1000)::float8 as oldest
       from pg_stat_activity where datname = current_database()`,
    ),
  );
  // times of events are rounded to milliseconds
  return Math.floor(oldest) - 1;
}

/** The moment of the session's snapshot. @param oldest as found before */
export async function takeMoment(session: Session, oldest: number): Promise<Moment> {
  const rows = await session.prepared<{ snapshot: string }>('select pg_current_snapshot()::text as snapshot');
  return { snapshot: onlyRow(rows).snapshot, oldest };
}

/** The position behind everything a moment has. */
export function positionAt({ snapshot, oldest }: Moment): LivePosition {
  return { seen: snapshot, current: snapshot, after: 0, oldest };
}

/** The position before everything. */
export function positionAtStart({ snapshot }: Moment): LivePosition {
  return { seen: undefined, current: snapshot, after: 0, oldest: 0 };
}

/** Text of a position, fit for `Last-Event-ID`. */
export function formatPosition({ oldest, statesSince, ...cursor }: LivePosition): string {
  return `${oldest}@${formatCursor(cursor)}${statesSince === undefined ? '' : `~${statesSince}`}`;
}

/** @throws GantryError bad_parameters_error for a text that is no position */
export function parsePosition(text: string): LivePosition {
  const [, oldest, cursor, statesSince] = /^(\d{1,15})@([^~]*)(?:~(all|\d+:\d+:[\d,]*))?$/.exec(text) ?? [];
  // without a time it is no position of ours: let the text itself be refused
  return {
    ...parseCursor(cursor ?? ''),
    oldest: Number(oldest),
    ...(statesSince === undefined ? {} : { statesSince }),
  };
}

/** Whether a position can be of this database: one of another database lies in its future. */
export function isBefore(position: LivePosition, moment: Moment): boolean {
  return horizonOf(position.current).end <= horizonOf(moment.snapshot).end;
}

function horizonOf(snapshot: string): { start: bigint; end: bigint } {
  const [start = '0', end = '0'] = snapshot.split(':');
  return { start: BigInt(start), end: BigInt(end) };
}

/** Storage ids of executions and groups. @param ids of executions or groups, as notifications name them */
export async function findEventOwners(
  session: Session,
  ids: readonly string[],
): Promise<{ executions: number[]; groups: number[] }> {
  const rows = await session.prepared<{ storageId: number; isGroup: boolean }>(
    `select storage_id as "storageId", false as "isGroup" from executions where id = any($1)
     union all select storage_id, true from execution_groups where id = any($1)`,
    [ids],
  );
  return {
    executions: rows.filter(({ isGroup }) => !isGroup).map(({ storageId }) => storageId),
    groups: rows.filter(({ isGroup }) => isGroup).map(({ storageId }) => storageId),
  };
}

/** Storage ids of the executions of deployments. */
export async function findExecutionsOf(session: Session, deploymentIds: readonly string[]): Promise<number[]> {
  const rows = await session.prepared<{ storageId: number }>(
    `select execution.storage_id as "storageId" from executions execution
     join deployments deployment on deployment.storage_id = execution.deployment_id where deployment.id = any($1)`,
    [deploymentIds],
  );
  return rows.map(({ storageId }) => storageId);
}

const scopeColumns = { tenant: 'event.tenant_id', creator: 'event.creator_id', visibility: 'event.visibility' };

function ownerConditions(owners: EventOwners, position: LivePosition, parameters: Parameters): string[] {
  if ('scope' in owners) {
    const since = `event.timestamp >= to_timestamp(${parameters.add(position.oldest / 1000)})`;
    return [`${scopeCondition(scopeColumns, owners.scope, parameters)} and ${since}`];
  }
  const { executions, groups } = owners;
  return [
    ...(executions.length > 0 ? [`event.execution_id = any(${parameters.add(executions)}::bigint[])`] : []),
    ...(groups.length > 0 ? [`event.execution_group_id = any(${parameters.add(groups)}::bigint[])`] : []),
  ];
}

/** One page of the events between the snapshots of a position, in the order in which they were stored. */
export async function readLiveEvents(
  session: Session,
  owners: EventOwners,
  position: LivePosition,
  size: number,
): Promise<LiveEvent[]> {
  const parameters = new Parameters();
  const between = cursorCondition('event', position, parameters);
  const parts = ownerConditions(owners, position, parameters).map(
    (owned) => `select * from events event where ${owned} and ${between}`,
  );
  if (parts.length === 0) {
    return [];
  }
  const page = `(select * from (${parts.join(' union all ')}) event order by event.storage_id limit ${parameters.add(size)})`;
  const rows = await session.prepared<LiveEvent>(
    `select ${eventSelection}, event.tenant_id as "tenantId", event.creator_id as "creatorId", event.visibility
     from ${eventJoins(page)} order by event.storage_id`,
    parameters.values,
  );
  return rows.map(withoutNulls);
}

/**
 * The condition for rows that changed since a snapshot. xmin has 32 of the 64 bits; the distance from the oldest
 * transaction the snapshot did not see brings the others back.
 */
function changedSince(alias: string, snapshot: string, parameters: Parameters): string {
  const start = `${parameters.add(horizonOf(snapshot).start.toString())}::bigint`;
  const distance = `((${alias}.xmin::text::bigint - ${start}) & 4294967295)`;
  return `${distance} < 2147483648 and not pg_visible_in_snapshot(((${start} + ${distance})::text)::xid8, ${parameters.add(snapshot)}::pg_snapshot)`;
}

/** Which rows of a kind are read. */
export interface ChangeQuery {
  /** Only what changed since this snapshot. */
  since?: string;
  /** Values a field may have, by field of the entity; all must hold. */
  oneOf?: Readonly<Record<string, readonly (string | number)[]>>;
  /** Only what the scope may see. */
  scope?: Scope;
}

async function readChanged<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  { since, oneOf = {}, scope }: ChangeQuery,
): Promise<Entity[]> {
  const condition: Condition = (parameters) =>
    [
      ...(scope ? [scopeCondition(resource.scope, scope, parameters)] : []),
      ...Object.entries(oneOf).map(([name, values]) => {
        const field = resource.fields[name];
        const type = field?.type === 'integer' ? 'bigint' : 'text';
        return `${field?.sql ?? 'null'} = any(${parameters.add(values)}::${type}[])`;
      }),
      ...(since === undefined ? [] : [changedSince(resource.alias, since, parameters)]),
    ].join(' and ') || 'true';
  // documents of rows are large and may be secret: who needs them asks for the one row
  return findResources(session, resource, condition, { fields: [] });
}

export function readChangedExecutions(session: Session, query: ChangeQuery): Promise<Execution[]> {
  return readChanged(session, executionResource, query);
}

export function readChangedDeployments(session: Session, query: ChangeQuery): Promise<Deployment[]> {
  return readChanged(session, deploymentResource, query);
}

export function readChangedInstances(session: Session, query: ChangeQuery): Promise<NodeInstanceRow[]> {
  return readChanged(session, nodeInstanceResource, query);
}

/** Tells every listener a word behind everything that is visible now. */
export async function sendFence(session: Session, word: string): Promise<void> {
  await session.prepared(`select pg_notify('gantry_live_fence', $1)`, [word]);
}
