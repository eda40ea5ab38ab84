/** What one round of the hub, or a stream that catches up, reads. */
import type { Scope } from '../../store/scope.ts';
import {
  findEventOwners,
  findExecutionsOf,
  formatPosition,
  readChangedDeployments,
  readChangedExecutions,
  readChangedInstances,
  readLiveEvents,
} from '../../store/live.ts';
import type { ChangeQuery, EventOwners, LiveEvent, LivePosition, Moment } from '../../store/live.ts';
import type { Session } from '../../store/session.ts';
import type { Changes } from './changes.ts';
import type { LiveFilter, LiveMessage, LiveTopic } from './messages.ts';
import type { Delivery, Subscription } from './subscription.ts';

/** Events read at once. */
const eventPage = 1000;

/** A page of events as deliveries, each with the position behind it. */
function deliver(events: readonly LiveEvent[], position: LivePosition): Delivery[] {
  return events.map((item) => ({
    message: { topic: 'events', item },
    position: formatPosition({ ...position, after: item.storageId }),
  }));
}

export interface EventReading {
  readonly deliveries: readonly Delivery[];
  readonly position: LivePosition;
  /** Whether everything up to the snapshot was read. */
  readonly isComplete: boolean;
}

/** Reads a page of events behind a position. */
export async function readEventPage(
  session: Session,
  owners: EventOwners,
  position: LivePosition,
): Promise<EventReading> {
  const events = await readLiveEvents(session, owners, position, eventPage);
  const last = events.at(-1);
  return {
    deliveries: deliver(events, position),
    position: last ? { ...position, after: last.storageId } : position,
    isComplete: events.length < eventPage,
  };
}

/**
 * Reads the rows that changed between `head` and the snapshot of the transaction.
 * @param isFollowed whether anybody follows a topic
 */
export async function readChanges(
  session: Session,
  changes: Changes,
  head: Moment,
  isFollowed: (topic: LiveTopic) => boolean,
): Promise<LiveMessage[]> {
  const messages: LiveMessage[] = [];
  const since = head.snapshot;
  const executions = [...new Set([...changes.executions, ...changes.eventOwners])];
  if (executions.length > 0 && isFollowed('executions')) {
    const items = await readChangedExecutions(session, { since, oneOf: { id: executions } });
    messages.push(...items.map((item): LiveMessage => ({ topic: 'executions', item })));
  }
  if (changes.deployments.size > 0 && isFollowed('deployments')) {
    const items = await readChangedDeployments(session, { since, oneOf: { storageId: [...changes.deployments] } });
    messages.push(...items.map((item): LiveMessage => ({ topic: 'deployments', item })));
  }
  if (changes.instancesOf.size > 0 && isFollowed('node_instances')) {
    const oneOf = { deploymentStorageId: [...changes.instancesOf] };
    const items = await readChangedInstances(session, { since, oneOf });
    messages.push(...items.map((item): LiveMessage => ({ topic: 'node_instances', item })));
  }
  return [...messages, ...changes.deleted];
}

/** Which events a stream is about, as narrowly as can be told before they are read. */
export async function eventOwnersOf(session: Session, filter: LiveFilter, scope: Scope): Promise<EventOwners> {
  const ids = [...(filter.executionIds ?? []), ...(filter.executionGroupIds ?? [])];
  if (ids.length > 0) {
    return findEventOwners(session, ids);
  }
  return filter.deploymentIds
    ? { executions: await findExecutionsOf(session, filter.deploymentIds), groups: [] }
    : { scope };
}

function queryOf(
  fields: Readonly<Record<string, readonly string[] | undefined>>,
  scope: Scope,
  since: string | undefined,
): ChangeQuery {
  const given = Object.entries(fields).filter((entry): entry is [string, readonly string[]] => entry[1] !== undefined);
  return { scope, oneOf: Object.fromEntries(given), ...(since === undefined ? {} : { since }) };
}

/** The present state of what a stream follows, as far as it changed since its position. */
export async function readMissedChanges(session: Session, subscription: Subscription): Promise<LiveMessage[]> {
  const { filter, scopes, position } = subscription;
  const told = position.statesSince ?? position.seen;
  const since = told === 'all' ? undefined : told;
  const messages: LiveMessage[] = [];
  const executions = scopes.get('executions');
  if (executions) {
    const { executionIds: id, deploymentIds: deploymentId, blueprintIds: blueprintId } = filter;
    const items = await readChangedExecutions(session, queryOf({ id, deploymentId, blueprintId }, executions, since));
    messages.push(...items.map((item): LiveMessage => ({ topic: 'executions', item })));
  }
  const deployments = scopes.get('deployments');
  if (deployments) {
    const { deploymentIds: id, blueprintIds: blueprintId } = filter;
    const items = await readChangedDeployments(session, queryOf({ id, blueprintId }, deployments, since));
    messages.push(...items.map((item): LiveMessage => ({ topic: 'deployments', item })));
  }
  const instances = scopes.get('node_instances');
  if (instances) {
    const { nodeInstanceIds: id, nodeIds: nodeId, deploymentIds: deploymentId } = filter;
    const items = await readChangedInstances(session, queryOf({ id, nodeId, deploymentId }, instances, since));
    messages.push(...items.map((item): LiveMessage => ({ topic: 'node_instances', item })));
  }
  return messages;
}
