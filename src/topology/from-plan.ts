import type { PlanNode, PlanNodeInstance, PlanScalingGroup } from '../domain/plan.ts';
import type { Node, ScalingGroup } from '../domain/topology.ts';
import type { TopologyGroup, TopologyNode } from './graph.ts';
import type { TopologyInstance } from './instance-tree.ts';

type PlannedNode = Pick<PlanNode, 'id' | 'host_id' | 'capabilities' | 'relationships'>;

/** The nodes of a plan. */
export function nodesOfPlan(nodes: readonly PlannedNode[]): TopologyNode[] {
  return nodes.map((node) => ({
    id: node.id,
    hostId: node.host_id,
    count: node.capabilities.scalable.properties.current_instances,
    relationships: node.relationships.map((relationship) => ({
      type: relationship.type,
      targetId: relationship.target_id,
      typeHierarchy: relationship.type_hierarchy,
      connectionType: relationship.properties['connection_type'],
    })),
  }));
}

/** The nodes of a deployment, with as many instances as they have now. */
export function nodesOfDeployment(
  nodes: Iterable<Pick<Node, 'id' | 'hostId' | 'numberOfInstances' | 'relationships'>>,
): TopologyNode[] {
  return Array.from(nodes, (node) => ({
    id: node.id,
    hostId: node.hostId,
    count: node.numberOfInstances,
    relationships: node.relationships.map((relationship) => ({
      type: relationship.type,
      targetId: relationship.targetId,
      typeHierarchy: relationship.typeHierarchy,
      connectionType: relationship.properties['connection_type'],
    })),
  }));
}

/** The scaling groups of a plan or deployment, by name. */
export function groupsOfPlan(groups: Iterable<readonly [string, PlanScalingGroup | ScalingGroup]>): TopologyGroup[] {
  return Array.from(groups, ([name, group]) => ({
    name,
    members: group.members,
    count: group.properties.current_instances,
  }));
}

/**
 * Instances as a deployment plan holds them. Neighbours with the same relationships share one list: where everything
 * is connected with everything there would be millions of entries.
 */
export function planInstances(instances: readonly TopologyInstance[]): PlanNodeInstance[] {
  let known: TopologyInstance['relationships'] = [];
  let planned: PlanNodeInstance['relationships'] = [];
  return instances.map((instance) => {
    if (!haveSameMembers(instance.relationships, known)) {
      known = instance.relationships;
      planned = known.map(({ type, targetName, targetId }) => ({ type, target_name: targetName, target_id: targetId }));
    }
    return planInstance(instance, planned);
  });
}

function haveSameMembers(left: readonly object[], right: readonly object[]): boolean {
  return left.length === right.length && left.every((member, position) => member === right[position]);
}

function planInstance(instance: TopologyInstance, relationships: PlanNodeInstance['relationships']): PlanNodeInstance {
  const planned: PlanNodeInstance = { name: instance.nodeId, node_id: instance.nodeId, id: instance.id, relationships };
  if (instance.hostId !== undefined) {
    planned.host_id = instance.hostId;
  }
  if (instance.scalingGroups.length > 0) {
    planned.scaling_groups = instance.scalingGroups;
  }
  return planned;
}
