import type { JsonObject, PlanOperations, PlanPlugin } from './plan.ts';

/** A relationship of a node to another, as stored with the node. */
export interface NodeRelationship {
  targetId: string;
  type: string;
  typeHierarchy: readonly string[];
  properties: JsonObject;
  sourceOperations: PlanOperations;
  targetOperations: PlanOperations;
}

/** A node of a deployment as the engine sees it. `id` is unique in its deployment. */
export interface Node {
  id: string;
  type: string;
  typeHierarchy: readonly string[];
  hostId: string | undefined;
  properties: JsonObject;
  operations: PlanOperations;
  relationships: readonly NodeRelationship[];
  plugins: readonly PlanPlugin[];
  pluginsToInstall: readonly PlanPlugin[] | undefined;
  deployNumberOfInstances: number;
  numberOfInstances: number;
  plannedNumberOfInstances: number;
  minNumberOfInstances: number;
  /** -1 = unbounded. */
  maxNumberOfInstances: number;
}

export interface NodeInstanceRelationship {
  type: string;
  targetName: string;
  targetId: string;
}

/** An instance of a node. `version` is the optimistic lock of its runtime properties. */
export interface NodeInstance {
  id: string;
  nodeId: string;
  index: number;
  hostId: string | undefined;
  state: string;
  version: number;
  relationships: readonly NodeInstanceRelationship[];
  runtimeProperties: JsonObject;
  systemProperties: JsonObject;
  scalingGroups: readonly { name: string; id: string }[];
}

export interface ScalingGroup {
  members: readonly string[];
  properties: {
    min_instances: number;
    max_instances: number;
    default_instances: number;
    current_instances: number;
    planned_instances: number;
  };
}

/** What a workflow works on: everything of one deployment that ordering and operations depend on. */
export interface Topology {
  nodes: ReadonlyMap<string, Node>;
  instances: ReadonlyMap<string, NodeInstance>;
  scalingGroups: ReadonlyMap<string, ScalingGroup>;
}
