import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import type {
  Declared,
  EvaluationNode,
  EvaluationNodeInstance,
  EvaluationStorage,
} from '../../../src/dsl/functions/index.ts';
import {
  evaluateCapabilities,
  evaluateFunctions,
  evaluateNodeFunctions,
  evaluateOutputs,
} from '../../../src/dsl/functions/index.ts';

interface RecordedNode {
  id: string;
  properties?: JsonObject;
  relationships?: { target_id: string; type_hierarchy: string[] }[];
}

interface RecordedInstance {
  id: string;
  node_id: string;
  index?: number;
  runtime_properties?: JsonObject | null;
  relationships?: { target_name: string; target_id: string }[] | null;
  scaling_groups?: { name: string; id: string }[] | null;
}

interface RecordedStorage {
  nodes: RecordedNode[];
  node_instances: RecordedInstance[];
  inputs: JsonObject;
  secrets: Record<string, string>;
  capabilities: Record<string, JsonObject>;
  group_capabilities: Record<string, JsonObject>;
  labels: Record<string, string[]>;
  consumers: Record<string, string>;
  deployment_id: string | null;
  deployment_name: string | null;
}

/** The input of a recorded evaluation. */
export interface EvaluateInput {
  function: 'evaluate_functions' | 'evaluate_node_functions' | 'evaluate_capabilities' | 'evaluate_outputs';
  payload: JsonObject;
  context?: Record<string, string>;
  instance_context?: string | null;
  storage: RecordedStorage | null;
}

const EMPTY: RecordedStorage = {
  nodes: [],
  node_instances: [],
  inputs: {},
  secrets: {},
  capabilities: {},
  group_capabilities: {},
  labels: {},
  consumers: {},
  deployment_id: null,
  deployment_name: null,
};

function hasGroups({ storage }: EvaluateInput): boolean {
  return Object.keys(storage?.group_capabilities ?? {}).length > 0;
}

/**
 * The storage of recordings knows one value of a group's capability, as if the group were a deployment; that of a
 * manager knows one per deployment, and the function gives a list. So it is asked for as the capability of one.
 */
function asOneDeployment<Value extends Json>(value: Value): Value {
  return JSON.parse(JSON.stringify(value).replaceAll('"get_group_capability":', '"get_capability":')) as Value;
}

/** Evaluates a recorded payload against its recorded storage. */
export async function evaluateVector(input: EvaluateInput): Promise<Json> {
  const storage = storageOf(input.storage ?? EMPTY);
  const payload = hasGroups(input) ? asOneDeployment(input.payload) : input.payload;
  switch (input.function) {
    case 'evaluate_functions': {
      const { self, source, target, source_node: sourceNode, target_node: targetNode } = input.context ?? {};
      return evaluateFunctions(payload, { self, source, target, sourceNode, targetNode }, storage);
    }
    case 'evaluate_node_functions': {
      const node = payload as JsonObject & { properties: JsonObject };
      const self = nodeOf(payload as unknown as RecordedNode);
      return evaluateNodeFunctions(node, self, storage, input.instance_context ?? undefined);
    }
    case 'evaluate_capabilities':
      return evaluateCapabilities(payload as unknown as Record<string, Declared>, storage);
    case 'evaluate_outputs':
      return evaluateOutputs(payload as unknown as Record<string, Declared>, storage);
  }
}

function nodeOf(node: RecordedNode): EvaluationNode {
  const relationships = (node.relationships ?? []).map((relationship) => ({
    targetId: relationship.target_id,
    typeHierarchy: relationship.type_hierarchy,
  }));
  return { id: node.id, properties: node.properties ?? {}, relationships };
}

function instanceOf(instance: RecordedInstance): EvaluationNodeInstance {
  const relationships = (instance.relationships ?? []).map((relationship) => ({
    targetName: relationship.target_name,
    targetId: relationship.target_id,
  }));
  return {
    id: instance.id,
    nodeId: instance.node_id,
    index: instance.index ?? 0,
    runtimeProperties: instance.runtime_properties ?? {},
    relationships,
    scalingGroups: instance.scaling_groups ?? [],
  };
}

function pick<Value>(values: Record<string, Value>, names: readonly string[]): Map<string, Value> {
  return new Map(names.flatMap((name) => (Object.hasOwn(values, name) ? [[name, values[name] as Value]] : [])));
}

function declared(values: JsonObject): Record<string, { value: Json }> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]));
}

function storageOf(recorded: RecordedStorage): EvaluationStorage {
  const instances = recorded.node_instances.map(instanceOf);
  const hasSecrets = Object.keys(recorded.secrets).length > 0;
  const storage: EvaluationStorage = {
    inputs: () => Promise.resolve(recorded.inputs),
    nodes: (ids) => Promise.resolve(recorded.nodes.filter((node) => ids.includes(node.id)).map(nodeOf)),
    instances: (ids) => Promise.resolve(instances.filter((instance) => ids.includes(instance.id))),
    instancesOf: (ids) => Promise.resolve(instances.filter((instance) => ids.includes(instance.nodeId))),
    secrets: (names) =>
      Promise.resolve(
        hasSecrets ? pick(recorded.secrets, names) : new Map(names.map((name) => [name, `${name}_value`])),
      ),
    deployments: (ids) =>
      Promise.resolve(
        new Map(
          [...pick({ ...recorded.group_capabilities, ...recorded.capabilities }, ids)].map(([id, values]) => [
            id,
            { capabilities: declared(values), storage },
          ]),
        ),
      ),
    groupMembers: (ids) => Promise.resolve(new Map(ids.map((id) => [id, [id]]))),
    labelValues: (keys) => Promise.resolve(pick(recorded.labels, keys)),
    consumers: () => Promise.resolve(Object.entries(recorded.consumers).map(([id, name]) => ({ id, name }))),
    system: () =>
      Promise.resolve({
        tenantName: '',
        deploymentId: recorded.deployment_id ?? '',
        deploymentName: recorded.deployment_name ?? '',
        blueprintId: '',
        owner: '',
      }),
  };
  return storage;
}
