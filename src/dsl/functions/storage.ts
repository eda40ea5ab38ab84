import type { Json, JsonObject } from '../../domain/plan.ts';
import type { Consumer, EvaluationNode, EvaluationNodeInstance, SystemFacts } from './data.ts';

/** Another deployment whose capabilities are read. */
export interface CapabilityOwner {
  /** Capabilities as declared: functions in them are evaluated in that deployment. */
  capabilities: { [name: string]: { value: Json } };
  storage: EvaluationStorage;
}

/**
 * Where the facts of a running deployment come from. Every method takes all names that are wanted at the moment, so
 * that a store answers with one query each; what does not exist is left out of the answer.
 */
export interface EvaluationStorage {
  inputs(): Promise<JsonObject>;
  nodes(ids: readonly string[]): Promise<readonly EvaluationNode[]>;
  instances(ids: readonly string[]): Promise<readonly EvaluationNodeInstance[]>;
  /** All instances of the nodes, in order of their index. */
  instancesOf(nodeIds: readonly string[]): Promise<readonly EvaluationNodeInstance[]>;
  secrets(names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  deployments(ids: readonly string[]): Promise<ReadonlyMap<string, CapabilityOwner>>;
  /** Ids of the deployments of each group, in order of the id. */
  groupMembers(groupIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Values by label key, ordered by creation, then value. */
  labelValues(keys: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  consumers(): Promise<readonly Consumer[]>;
  system(): Promise<SystemFacts>;
}
