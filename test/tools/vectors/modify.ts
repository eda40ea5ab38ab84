import type { JsonObject, PlanNode, PlanScalingGroup } from '../../../src/domain/plan.ts';
import type { ModifiedInstance, PreviousInstance, TopologyNode } from '../../../src/topology/index.ts';
import { groupsOfPlan, modifyTopology, nodesOfPlan } from '../../../src/topology/index.ts';
import { seededRandom } from './random.ts';

interface RecordedInstance {
  id: string;
  node_id: string;
  host_id?: string;
  relationships?: { type: string; target_name: string; target_id: string }[];
  scaling_groups?: { name: string; id: string }[];
}

type RecordedNode = PlanNode & { number_of_instances?: number };

/** The input of a recorded modification. */
export interface ModifyInput {
  nodes: RecordedNode[];
  previous_nodes: RecordedNode[];
  previous_node_instances: RecordedInstance[];
  modified_nodes:
    | []
    | Record<string, { instances: number; removed_ids_include_hint?: string[]; removed_ids_exclude_hint?: string[] }>;
  scaling_groups: Record<string, PlanScalingGroup>;
}

/** Works out a recorded modification. */
export function modifyVector(input: ModifyInput): JsonObject {
  const recorded = new Map<string, JsonObject>();
  for (const instance of input.previous_node_instances) {
    recorded.set(instance.id, instance as unknown as JsonObject);
  }
  const result = modifyTopology({
    nodes: nodesOf(input.nodes),
    previousNodes: nodesOf(input.previous_nodes),
    groups: groupsOfPlan(Object.entries(input.scaling_groups)),
    previousInstances: input.previous_node_instances.map(previousOf),
    changes: new Map(
      Object.entries(input.modified_nodes).map(([name, change]) => [
        name,
        {
          instances: change.instances,
          removedIdsIncludeHint: change.removed_ids_include_hint,
          removedIdsExcludeHint: change.removed_ids_exclude_hint,
        },
      ]),
    ),
    random: seededRandom(1),
  });
  const answer = (instances: ModifiedInstance[]) => instances.map((instance) => describe(instance, recorded));
  return {
    added_and_related: answer(result.addedAndRelated),
    removed_and_related: answer(result.removedAndRelated),
    extended_and_related: answer(result.extendedAndRelated),
    reduced_and_related: answer(result.reducedAndRelated),
  };
}

function nodesOf(nodes: readonly RecordedNode[]): TopologyNode[] {
  return nodes.flatMap((node) => {
    const count = (node.capabilities as PlanNode['capabilities'] | undefined)?.scalable.properties.current_instances;
    const scalable = { properties: { current_instances: count ?? node.number_of_instances } };
    const relationships = (node.relationships as PlanNode['relationships'] | undefined) ?? [];
    return nodesOfPlan([{ ...node, relationships, capabilities: { scalable } } as PlanNode]);
  });
}

function previousOf(instance: RecordedInstance): PreviousInstance {
  return {
    id: instance.id,
    nodeId: instance.node_id,
    hostId: instance.host_id,
    relationships: (instance.relationships ?? []).map((relationship) => ({
      type: relationship.type,
      targetName: relationship.target_name,
      targetId: relationship.target_id,
    })),
    scalingGroups: instance.scaling_groups ?? [],
  };
}

function describe(instance: ModifiedInstance, recorded: ReadonlyMap<string, JsonObject>): JsonObject {
  const answer: JsonObject = recorded.has(instance.id)
    ? { ...recorded.get(instance.id) }
    : { id: instance.id, name: instance.nodeId, node_id: instance.nodeId };
  if (instance.hostId !== undefined) {
    answer['host_id'] = instance.hostId;
  }
  if (instance.scalingGroups.length > 0) {
    answer['scaling_groups'] = instance.scalingGroups;
  }
  if (instance.modification !== undefined) {
    answer['modification'] = instance.modification;
  }
  answer['relationships'] = instance.relationships.map(({ type, targetName, targetId }) => ({
    type,
    target_name: targetName,
    target_id: targetId,
  }));
  return answer;
}
