import type { EventInput, EventRow } from '../domain/entities.ts';
import type { Scope } from './scope.ts';
import type { Session } from './session.ts';

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

const missing = (): never => {
  throw new Error('not there yet');
};

/**
 * Appends events and logs in one statement and notifies `gantry_events` with the ids of the executions. Those of
 * executions that are gone, or that belong to another tenant, are dropped. @returns how many were stored
 */
export async function insertEvents(_session: Session, _events: readonly EventInput[]): Promise<number> {
  return missing();
}

export async function listEvents(
  _session: Session,
  _scope: Scope,
  _query: EventQuery,
): Promise<{ items: EventRow[]; total: number }> {
  return missing();
}

/** The next events of one execution (or group) after `afterStorageId`, oldest first: keyset paging for live streams. */
export async function tailEvents(
  _session: Session,
  _of: { executionId: string } | { executionGroupId: string },
  _afterStorageId: number,
  _size: number,
): Promise<EventRow[]> {
  return missing();
}
