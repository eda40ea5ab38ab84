import type { PlanNode, PlanPlugin, PlanRelationship } from '../../domain/plan.ts';
import type { Node, NodeRelationship } from '../../domain/topology.ts';
import { differingKeys, isSameDocument } from './compare.ts';
import type { StepAction, StepEntity } from './step.ts';

const CONTAINED_IN = 'cloudify.relationships.contained_in';

/** Takes one difference. */
export type Emit = (
  action: StepAction,
  entityType: StepEntity,
  entityId: (string | number)[],
  isSupported?: boolean,
) => void;

/** The differences of nodes: which are new, which are gone, what changed in the others. */
export function emitNodeSteps(
  next: ReadonlyMap<string, PlanNode>,
  previous: ReadonlyMap<string, Node>,
  emit: Emit,
): void {
  for (const [name, node] of next) {
    const stored = previous.get(name);
    if (stored === undefined) {
      emit('add', 'node', ['nodes', name]);
    } else if (node.type !== stored.type || containerOfPlan(node) !== containerOfNode(stored)) {
      // Such a node is another one under the same name; its other differences say nothing.
      emit('modify', 'node', ['nodes', name], false);
    } else {
      emitMemberSteps(node, stored, emit);
    }
  }
  for (const name of previous.keys()) {
    if (!next.has(name)) {
      emit('remove', 'node', ['nodes', name]);
    }
  }
}

/** Plugins that nodes which exist already need anew. */
export function emitPluginSteps(
  next: ReadonlyMap<string, PlanNode>,
  previous: ReadonlyMap<string, Node>,
  emit: Emit,
): void {
  const compare = (
    list: 'plugins' | 'plugins_to_install',
    after: readonly PlanPlugin[],
    before: readonly PlanPlugin[],
    name: string,
  ) => {
    for (const plugin of after) {
      const known = before.find((other) => other.name === plugin.name && other.executor === plugin.executor);
      if (!isSameDocument(plugin, known)) {
        emit(known === undefined ? 'add' : 'modify', 'plugin', [list, name, plugin.name]);
      }
    }
  };
  for (const list of ['plugins_to_install', 'plugins'] as const) {
    for (const [name, node] of next) {
      const stored = previous.get(name);
      if (stored !== undefined) {
        const before = list === 'plugins' ? stored.plugins : (stored.pluginsToInstall ?? []);
        compare(list, node[list] ?? [], before, name);
      }
    }
  }
}

function emitMemberSteps(node: PlanNode, stored: Node, emit: Emit): void {
  const at = ['nodes', node.id];
  for (const { action, key } of differingKeys(node.operations, stored.operations)) {
    emit(action, 'operation', [...at, 'operations', key]);
  }
  emitRelationshipSteps(node, stored, emit);
  for (const { action, key } of differingKeys(node.properties, stored.properties)) {
    emit(action, 'property', [...at, 'properties', key]);
  }
}

function emitRelationshipSteps(node: PlanNode, stored: Node, emit: Emit): void {
  const at = ['nodes', node.id, 'relationships'];
  const known = indexesByKey(stored.relationships.map(({ type, targetId }) => [type, targetId]));
  node.relationships.forEach((relationship, index) => {
    const previousIndex = known.get(keyOf(relationship.type, relationship.target_id))?.shift();
    if (previousIndex === undefined) {
      emit('add', 'relationship', [...at, index]);
      return;
    }
    if (previousIndex !== index) {
      emit('modify', 'relationship', [...at, previousIndex, index]);
    }
    emitRelationshipMembers(
      relationship,
      stored.relationships[previousIndex] as NodeRelationship,
      [...at, index],
      emit,
    );
  });
  // What no relationship of the plan has taken is gone.
  for (const indexes of known.values()) {
    for (const index of indexes) {
      emit('remove', 'relationship', [...at, index]);
    }
  }
}

function emitRelationshipMembers(
  next: PlanRelationship,
  previous: NodeRelationship,
  at: readonly (string | number)[],
  emit: Emit,
): void {
  for (const { action, key } of differingKeys(next.source_operations, previous.sourceOperations)) {
    emit(action, 'operation', [...at, 'source_operations', key]);
  }
  for (const { action, key } of differingKeys(next.target_operations, previous.targetOperations)) {
    emit(action, 'operation', [...at, 'target_operations', key]);
  }
  for (const { action, key } of differingKeys(next.properties, previous.properties)) {
    emit(action, 'property', [...at, 'properties', key], false);
  }
}

function keyOf(type: string, target: string): string {
  return JSON.stringify([type, target]);
}

/** Positions of equal relationships, first one first: the k-th of one side is the k-th of the other. */
function indexesByKey(relationships: readonly (readonly [string, string])[]): Map<string, number[]> {
  const indexes = new Map<string, number[]>();
  relationships.forEach(([type, target], index) => {
    const key = keyOf(type, target);
    const positions = indexes.get(key);
    if (positions === undefined) {
      indexes.set(key, [index]);
    } else {
      positions.push(index);
    }
  });
  return indexes;
}

function containerOfPlan(node: PlanNode): string | undefined {
  return node.relationships.find((relationship) => relationship.type_hierarchy.includes(CONTAINED_IN))?.target_id;
}

function containerOfNode(node: Node): string | undefined {
  return node.relationships.find((relationship) => relationship.typeHierarchy.includes(CONTAINED_IN))?.targetId;
}
