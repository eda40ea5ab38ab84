import type { RandomSource } from '../domain/clock.ts';
import type { Plan, PlanNodeInstance } from '../domain/plan.ts';
import { connectForest } from './connect.ts';
import { groupsOfPlan, nodesOfPlan, planInstances } from './from-plan.ts';
import type { TopologyGroup, TopologyNode } from './graph.ts';
import { buildTopologyGraph } from './graph.ts';
import { InstanceIds } from './instance-ids.ts';
import type { TopologyInstance } from './instance-tree.ts';
import { describeInstance, growForest } from './instance-tree.ts';

/**
 * Creates the node instances of a new deployment, with their hosts, groups and relationships. Time and memory are
 * linear in the instances and relationships created.
 *
 * @param takenIds ids by node that new instances must not get
 * @throws DslError when the topology cannot be deployed
 */
export function expandTopology(
  nodes: readonly TopologyNode[],
  groups: readonly TopologyGroup[],
  random: RandomSource,
  takenIds: ReadonlyMap<string, readonly string[]> = new Map(),
): TopologyInstance[] {
  const graph = buildTopologyGraph(nodes, groups);
  const ids = new InstanceIds(random);
  for (const [node, taken] of takenIds) {
    for (const id of taken) {
      ids.reserve(node, id);
    }
  }
  const forest = growForest(graph, (vertex) => ({ survivors: [], added: vertex.count }), ids);
  connectForest(graph, forest, () => undefined);
  return nodes.flatMap((node) => (forest.get(node.id) ?? []).map(describeInstance));
}

/**
 * Creates the node instances of a deployment plan. Lists that are equal may be one object: treat them as read-only.
 *
 * @param takenIds ids by node that new instances must not get
 * @throws DslError when the topology cannot be deployed
 */
export function expandPlan(
  plan: Pick<Plan, 'nodes' | 'scaling_groups'>,
  random: RandomSource,
  takenIds?: ReadonlyMap<string, readonly string[]>,
): PlanNodeInstance[] {
  const groups = groupsOfPlan(Object.entries(plan.scaling_groups));
  return planInstances(expandTopology(nodesOfPlan(plan.nodes), groups, random, takenIds));
}
