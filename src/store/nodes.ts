import type { NodeRow } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Node } from '../domain/topology.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';

export interface NewNode {
  id: string;
  type: string;
  typeHierarchy: readonly string[];
  hostId?: string | undefined;
  properties: JsonObject;
  operations: JsonObject;
  relationships: readonly JsonObject[];
  plugins: readonly JsonObject[];
  pluginsToInstall?: readonly JsonObject[] | undefined;
  deployNumberOfInstances: number;
  numberOfInstances: number;
  plannedNumberOfInstances: number;
  minNumberOfInstances: number;
  maxNumberOfInstances: number;
  creatorId?: number | undefined;
}

export interface NodeUpdate {
  plugins?: readonly JsonObject[];
  operations?: JsonObject;
  relationships?: readonly JsonObject[];
  properties?: JsonObject;
  deployNumberOfInstances?: number;
  numberOfInstances?: number;
  plannedNumberOfInstances?: number;
  minNumberOfInstances?: number;
  maxNumberOfInstances?: number;
}

const missing = (): never => {
  throw new Error('not there yet');
};

/** Stores nodes of a deployment in one statement. @throws GantryError conflict_error for a known node id */
export async function createNodes(
  _session: Session,
  _deploymentStorageId: number,
  _nodes: readonly NewNode[],
): Promise<void> {
  return missing();
}

export async function listNodes(_session: Session, _scope: Scope, _query: ListQuery): Promise<Page<NodeRow>> {
  return missing();
}

/** All nodes of a deployment as the engine needs them. */
export async function loadNodes(_session: Session, _deploymentStorageId: number): Promise<Node[]> {
  return missing();
}

/** @throws GantryError not_found_error */
export async function updateNode(
  _session: Session,
  _deploymentStorageId: number,
  _nodeId: string,
  _update: NodeUpdate,
): Promise<void> {
  return missing();
}

export async function deleteNodes(
  _session: Session,
  _deploymentStorageId: number,
  _nodeIds: readonly string[],
): Promise<number> {
  return missing();
}
