import type { InterDeploymentFunction, Json, Plan, PlanNodeInstance } from '../../domain/plan.ts';
import type { FunctionPlace } from '../functions/index.ts';
import { isFunction } from '../functions/index.ts';
import { visitFunctions } from '../functions/validate.ts';

/**
 * Finds the functions by which a deployment depends on others. One in a node counts once for each of its instances,
 * one in a relationship for each instance of the source.
 */
export function findInterDeploymentFunctions(
  plan: Omit<Plan, 'inputs'>,
  instances: readonly PlanNodeInstance[],
): InterDeploymentFunction[] {
  const byNode = new Map<string, PlanNodeInstance[]>();
  for (const instance of instances) {
    const siblings = byNode.get(instance.node_id);
    if (siblings === undefined) {
      byNode.set(instance.node_id, [instance]);
    } else {
      siblings.push(instance);
    }
  }
  const found: InterDeploymentFunction[] = [];
  visitFunctions(plan, ({ name, argument }, place) => {
    if (name !== 'get_capability') {
      return;
    }
    const deployment = (argument as Json[])[0] as Json;
    for (const context of contextsOf(place, byNode)) {
      found.push({
        function_identifier: `${place.path}.get_capability`,
        target_deployment: [isFunction(deployment) ? null : deployment, deployment],
        context,
      });
    }
  });
  return found;
}

function contextsOf(
  place: FunctionPlace,
  byNode: ReadonlyMap<string, readonly PlanNodeInstance[]>,
): Record<string, string>[] {
  const instances = place.node === undefined ? [] : (byNode.get(place.node.name) ?? []);
  switch (place.scope) {
    case 'node_template':
      return instances.map(({ id }) => ({ self: id }));
    case 'node_template_relationship':
      return instances.map((instance) => {
        const link = instance.relationships.find(
          ({ type, target_name: target }) =>
            type === place.relationship?.type && target === place.relationship.target_id,
        );
        const source = { self: instance.id, source: instance.id };
        return link === undefined ? source : { ...source, target: link.target_id };
      });
    default:
      return [{}];
  }
}
