import type { Json } from '../../../src/domain/plan.ts';
import type {
  TopologyGroup,
  TopologyInstance,
  TopologyNode,
  TopologyRelationship,
} from '../../../src/topology/index.ts';

const ROOT = 'cloudify.relationships.depends_on';
export const CONTAINED_IN = 'cloudify.relationships.contained_in';
export const CONNECTED_TO = 'cloudify.relationships.connected_to';

export function containedIn(targetId: string): TopologyRelationship {
  return { type: CONTAINED_IN, targetId, typeHierarchy: [ROOT, CONTAINED_IN], connectionType: 'all_to_all' };
}

export function connectedTo(
  targetId: string,
  connectionType: Json = 'all_to_all',
  type = CONNECTED_TO,
): TopologyRelationship {
  return { type, targetId, typeHierarchy: [ROOT, CONNECTED_TO, type], connectionType };
}

export function node(id: string, count: Json, ...relationships: TopologyRelationship[]): TopologyNode {
  return { id, count, relationships };
}

export function host(id: string, count: number, ...relationships: TopologyRelationship[]): TopologyNode {
  return { id, count, relationships, hostId: id };
}

export function hosted(
  id: string,
  hostId: string,
  count: number,
  ...relationships: TopologyRelationship[]
): TopologyNode {
  return { id, count, relationships: [containedIn(hostId), ...relationships], hostId };
}

export function group(name: string, count: number, ...members: string[]): TopologyGroup {
  return { name, count, members };
}

export function ofNode<Instance extends TopologyInstance>(instances: readonly Instance[], nodeId: string): Instance[] {
  return instances.filter((instance) => instance.nodeId === nodeId);
}

/** Ids of the targets of an instance, of one node. */
export function targetsOf(instance: TopologyInstance, node: string): string[] {
  return instance.relationships.filter(({ targetName }) => targetName === node).map(({ targetId }) => targetId);
}

export function countsByNode(instances: readonly TopologyInstance[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { nodeId } of instances) {
    counts[nodeId] = (counts[nodeId] ?? 0) + 1;
  }
  return counts;
}
