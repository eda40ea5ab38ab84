import type { NodeInstanceRow } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';

export interface NewNodeInstance {
  id: string;
  nodeId: string;
  /** Default: one more than the highest of the node. */
  index?: number | undefined;
  hostId?: string | undefined;
  /** Default uninitialized. */
  state?: string;
  /** Default 1. */
  version?: number;
  relationships?: readonly JsonObject[];
  runtimeProperties?: JsonObject;
  systemProperties?: JsonObject;
  scalingGroups?: readonly { name: string; id: string }[];
  creatorId?: number | undefined;
}

/** A state change by the engine; it does not ask for the version and makes it one higher. */
export interface InstanceStateChange {
  id: string;
  state: string;
}

export interface NodeInstanceUpdate {
  /** The version the caller read. */
  version: number;
  state?: string | undefined;
  runtimeProperties?: JsonObject | undefined;
  systemProperties?: JsonObject | undefined;
  relationships?: readonly JsonObject[] | undefined;
}

const missing = (): never => {
  throw new Error('not there yet');
};

/**
 * Stores instances of a deployment in one statement. Ids that exist anywhere get a new suffix, also where other
 * given instances refer to them.
 * @returns given id -> stored id for those that were renamed
 */
export async function createNodeInstances(
  _session: Session,
  _deploymentStorageId: number,
  _instances: readonly NewNodeInstance[],
): Promise<ReadonlyMap<string, string>> {
  return missing();
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getNodeInstance(_session: Session, _scope: Scope, _id: string): Promise<NodeInstanceRow> {
  return missing();
}

export async function listNodeInstances(
  _session: Session,
  _scope: Scope,
  _query: ListQuery,
): Promise<Page<NodeInstanceRow>> {
  return missing();
}

/** All instances of a deployment as the engine needs them. */
export async function loadNodeInstances(_session: Session, _deploymentStorageId: number): Promise<NodeInstance[]> {
  return missing();
}

/**
 * Replaces the given attributes whole when the stored version is not newer than the given one (`force` skips the
 * check). The version grows by one if anything differs. Recomputes the status and drift flags from systemProperties.
 * @throws GantryError conflict_error on a version conflict; not_found_error
 */
export async function updateNodeInstance(
  _session: Session,
  _scope: Scope,
  _id: string,
  _update: NodeInstanceUpdate,
  _options?: { force?: boolean },
): Promise<NodeInstanceRow> {
  return missing();
}

/**
 * Sets states in one statement. `configured` resets the stored configuration drift, `started` the stored status check.
 * @returns id -> new version
 */
export async function changeInstanceStates(
  _session: Session,
  _changes: readonly InstanceStateChange[],
): Promise<ReadonlyMap<string, number>> {
  return missing();
}

export async function deleteNodeInstances(
  _session: Session,
  _deploymentStorageId: number,
  _ids: readonly string[],
): Promise<number> {
  return missing();
}
