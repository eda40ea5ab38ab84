import type { Json, JsonObject } from '../../domain/plan.ts';

/** What functions need to know of a node. */
export interface EvaluationNode {
  id: string;
  properties: JsonObject;
  relationships: readonly { targetId: string; typeHierarchy: readonly string[] }[];
}

/** What functions need to know of a node instance. */
export interface EvaluationNodeInstance {
  id: string;
  nodeId: string;
  index: number;
  runtimeProperties: JsonObject;
  relationships: readonly { targetName: string; targetId: string }[];
  /** Innermost group first. */
  scalingGroups: readonly { name: string; id: string }[];
}

/** A deployment whose capabilities are read from another one. */
export interface OtherDeployment {
  /** Capabilities as declared. */
  capabilities: { [name: string]: { value: Json } };
  data: EvaluationData;
}

/** What `get_sys` can tell. */
export interface SystemFacts {
  tenantName: string;
  deploymentId: string;
  deploymentName: string;
  blueprintId: string;
  owner: string;
}

/** A deployment that uses this one. */
export interface Consumer {
  id: string;
  name: string;
}

/**
 * The facts functions are evaluated against. Getters answer at once: with the fact, with a DslError when there is no
 * such thing, or by throwing {@link Suspended} when it must be loaded first.
 */
export interface EvaluationData {
  /** True while a deployment plan is prepared: functions that need a running deployment stay as they are. */
  readonly isStatic: boolean;
  input(name: string): Json;
  node(id: string): EvaluationNode;
  /** @throws DslError when there is none */
  instance(id: string): EvaluationNodeInstance;
  /** Like {@link instance}, but undefined when there is none. */
  findInstance(id: string): EvaluationNodeInstance | undefined;
  instancesOf(nodeId: string): readonly EvaluationNodeInstance[];
  secret(name: string): string;
  /** Another deployment, whose capabilities are evaluated against its own facts; undefined when there is none. */
  deployment(id: string): OtherDeployment | undefined;
  /** Ids of the deployments of a group, in order. */
  groupMembers(groupId: string): readonly string[];
  /** Values of a label of the deployment, in order of creation. */
  labelValues(key: string): readonly string[];
  consumers(): readonly Consumer[];
  system(): SystemFacts;
}

/** Thrown by {@link EvaluationData} when a fact is not loaded yet: the evaluation is tried again once it is. */
export class Suspended extends Error {
  constructor() {
    super('a fact must be loaded before this function can be evaluated');
    this.name = 'Suspended';
  }
}
