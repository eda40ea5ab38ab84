import type { JsonObject, PlanOperation, PlanOperations, PlanPlugin } from '../../../src/domain/plan.ts';
import type {
  Node,
  NodeInstance,
  NodeInstanceRelationship,
  NodeRelationship,
  ScalingGroup,
  Topology,
} from '../../../src/domain/topology.ts';

export interface RelationshipSpec {
  target: string;
  type?: string;
  properties?: JsonObject;
  /** Short operation names, e.g. `establish`. */
  source?: readonly string[];
  targetOperations?: readonly string[];
}

export interface NodeSpec {
  /** Full operation names, or short ones of the lifecycle interface. */
  operations?: readonly string[] | Readonly<Record<string, Partial<PlanOperation>>>;
  relationships?: readonly (string | RelationshipSpec)[];
  instances?: number;
  state?: string;
  types?: readonly string[];
  properties?: JsonObject;
  hostId?: string;
}

export type MutableTopology = {
  nodes: Map<string, Node>;
  instances: Map<string, NodeInstance>;
  scalingGroups: Map<string, ScalingGroup>;
};

const plugin: PlanPlugin = {
  name: 'test',
  source: null,
  executor: 'central_deployment_agent',
  install: false,
  install_arguments: null,
  package_name: null,
  package_version: null,
  supported_platform: null,
  distribution: null,
  distribution_version: null,
  distribution_release: null,
};

/** A mapped operation of the test plugin. */
function planOperation(name: string, overrides: Partial<PlanOperation> = {}): PlanOperation {
  return {
    plugin: 'test',
    operation: `test.${name}`,
    executor: 'central_deployment_agent',
    inputs: {},
    has_intrinsic_functions: false,
    max_retries: null,
    retry_interval: null,
    timeout: null,
    timeout_recoverable: null,
    ...overrides,
  };
}

const interfaces: Readonly<Record<string, string>> = {
  check_status: 'cloudify.interfaces.validation',
  validate_create: 'cloudify.interfaces.validation',
};

/** `create` -> `cloudify.interfaces.lifecycle.create`; names with dots stay. */
function fullName(name: string, interfaceName = 'cloudify.interfaces.lifecycle'): string {
  return name.includes('.') ? name : `${interfaces[name] ?? interfaceName}.${name}`;
}

/** Builds a topology; instance ids are `<node>_<number>`, or `<node>` when there is one instance. */
export function topologyOf(specs: Readonly<Record<string, NodeSpec>>): MutableTopology {
  const nodes = new Map<string, Node>();
  const instances = new Map<string, NodeInstance>();
  for (const [id, spec] of Object.entries(specs)) {
    nodes.set(id, nodeOf(id, spec));
  }
  for (const [id, spec] of Object.entries(specs)) {
    for (const [position, instanceId] of instanceIds(id, spec).entries()) {
      instances.set(instanceId, {
        id: instanceId,
        nodeId: id,
        index: position + 1,
        hostId: spec.hostId ?? (spec.types?.includes('cloudify.nodes.Compute') ? instanceId : undefined),
        state: spec.state ?? 'uninitialized',
        version: 1,
        relationships: relationshipInstances(spec, specs, position),
        runtimeProperties: {},
        systemProperties: {},
        scalingGroups: [],
      });
    }
  }
  return { nodes, instances, scalingGroups: new Map() };
}

function instanceIds(id: string, spec: NodeSpec): string[] {
  const count = spec.instances ?? 1;
  return count === 1 ? [id] : Array.from({ length: count }, (_, position) => `${id}_${position}`);
}

function relationshipSpec(spec: string | RelationshipSpec): RelationshipSpec {
  return typeof spec === 'string' ? { target: spec } : spec;
}

function relationshipInstances(
  spec: NodeSpec,
  specs: Readonly<Record<string, NodeSpec>>,
  position: number,
): NodeInstanceRelationship[] {
  return (spec.relationships ?? []).map(relationshipSpec).flatMap((relationship) => {
    const type = relationship.type ?? 'cloudify.relationships.connected_to';
    const targets = instanceIds(relationship.target, specs[relationship.target] ?? {});
    const isContained = type === 'cloudify.relationships.contained_in';
    const chosen = isContained ? [targets[position % targets.length] as string] : targets;
    return chosen.map((targetId) => ({ type, targetName: relationship.target, targetId }));
  });
}

function nodeOf(id: string, spec: NodeSpec): Node {
  const count = spec.instances ?? 1;
  return {
    id,
    type: spec.types?.[0] ?? 'test.nodes.Any',
    typeHierarchy: spec.types ?? ['test.nodes.Any'],
    hostId: undefined,
    properties: spec.properties ?? {},
    operations: operationsOf(spec.operations ?? []),
    relationships: (spec.relationships ?? []).map(relationshipSpec).map(nodeRelationship),
    plugins: [plugin],
    pluginsToInstall: undefined,
    deployNumberOfInstances: count,
    numberOfInstances: count,
    plannedNumberOfInstances: count,
    minNumberOfInstances: 0,
    maxNumberOfInstances: -1,
  };
}

function nodeRelationship(spec: RelationshipSpec): NodeRelationship {
  const type = spec.type ?? 'cloudify.relationships.connected_to';
  const interfaceName = 'cloudify.interfaces.relationship_lifecycle';
  return {
    targetId: spec.target,
    type,
    typeHierarchy: [type],
    properties: spec.properties ?? {},
    sourceOperations: operationsOf(spec.source ?? [], interfaceName),
    targetOperations: operationsOf(spec.targetOperations ?? [], interfaceName),
  };
}

function operationsOf(
  operations: readonly string[] | Readonly<Record<string, Partial<PlanOperation>>>,
  interfaceName?: string,
): PlanOperations {
  const entries: [string, Partial<PlanOperation>][] = isNameList(operations)
    ? operations.map((name) => [name, {}])
    : Object.entries(operations);
  return Object.fromEntries(
    entries.map(([name, overrides]) => [
      fullName(name, interfaceName),
      planOperation(name.split('.').at(-1) ?? name, overrides),
    ]),
  );
}

function isNameList(
  operations: readonly string[] | Readonly<Record<string, Partial<PlanOperation>>>,
): operations is readonly string[] {
  return Array.isArray(operations);
}

/** A copy whose instances can be changed without touching the original. */
export function snapshotOf(topology: MutableTopology): Topology {
  return structuredClone(topology);
}
