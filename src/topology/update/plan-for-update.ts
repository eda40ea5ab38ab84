import type { JsonObject, Plan } from '../../domain/plan.ts';
import type { Node } from '../../domain/topology.ts';

/** The inputs of an update that the blueprint knows; the others belonged to the blueprint before. */
export function inputsForUpdate(plan: Pick<Plan, 'inputs'>, inputs: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => Object.hasOwn(plan.inputs, name)));
}

/**
 * A copy of a blueprint's plan in which nodes that are deployed already have as many instances as they have now: an
 * update does not undo scaling. Only `instances.deploy` of a template asks for another number.
 */
export function planForUpdate(
  plan: Plan,
  nodes: Iterable<Pick<Node, 'id' | 'numberOfInstances' | 'plannedNumberOfInstances'>>,
): Plan {
  const deployed = new Map(Array.from(nodes, (node) => [node.id, node]));
  return {
    ...plan,
    nodes: plan.nodes.map((node) => {
      const stored = deployed.get(node.id);
      if (stored === undefined) {
        return node;
      }
      const properties = {
        ...node.capabilities.scalable.properties,
        current_instances: stored.numberOfInstances,
        planned_instances: node.instances.deploy ?? stored.plannedNumberOfInstances,
      };
      return {
        ...node,
        capabilities: { ...node.capabilities, scalable: { ...node.capabilities.scalable, properties } },
      };
    }),
  };
}
