import type { DeploymentPlan, JsonObject, Plan } from '../../domain/plan.ts';
import type { EvaluationContext } from './context.ts';
import { Evaluator } from './evaluator.ts';
import type { FunctionPlace, ScannedPlan } from './place.ts';
import { PlanData } from './plan-data.ts';
import { isFunction, isMapping } from './recognise.ts';
import { scanPlan } from './scan.ts';

/**
 * Evaluates the functions of a plan that need no running deployment, and marks the operations whose inputs still hold
 * functions with `has_intrinsic_functions`.
 *
 * @param plan changed: the caller's own copy, see {@link copyScannedParts}
 * @param options.isRuntimeOnly evaluate nothing, only mark the operations
 * @throws DslError when a function fails
 */
export function evaluatePlan(plan: ScannedPlan, inputs: JsonObject, options: { isRuntimeOnly: boolean }): void {
  const evaluator = new Evaluator(new PlanData(inputs, plan.nodes), { leavesHybrid: options.isRuntimeOnly });
  scanPlan(plan, ({ values, place, replace }) => {
    const evaluated = evaluator.evaluateContents(values, contextOfPlace(place), place.path);
    if (evaluated !== values) {
      replace(evaluated);
    }
    if (place.operation !== undefined && Object.values(evaluated).some(holdsFunction)) {
      place.operation.has_intrinsic_functions = true;
    }
  });
}

/** A copy of a plan in which every part that {@link evaluatePlan} changes is its own; values are shared. */
export function copyScannedParts<P extends Plan | DeploymentPlan>(plan: P): P {
  const copyOperations = <T extends object>(operations: T): T =>
    Object.fromEntries(Object.entries(operations).map(([name, operation]) => [name, { ...operation }])) as T;
  const nodes = plan.nodes.map((node) => ({
    ...node,
    capabilities: copyOperations(node.capabilities),
    operations: copyOperations(node.operations),
    relationships: node.relationships.map((relationship) => ({
      ...relationship,
      source_operations: copyOperations(relationship.source_operations),
      target_operations: copyOperations(relationship.target_operations),
    })),
  }));
  return {
    ...plan,
    nodes,
    outputs: { ...plan.outputs },
    capabilities: { ...plan.capabilities },
    labels: { ...plan.labels },
    policies: copyOperations(plan.policies),
    scaling_groups: copyOperations(plan.scaling_groups),
  };
}

function contextOfPlace(place: FunctionPlace): EvaluationContext {
  const { scope, node, relationship } = place;
  if (scope === 'node_template_relationship') {
    return { scope, sourceNodeId: node?.name, targetNodeId: relationship?.target_id };
  }
  return { scope, nodeId: node?.name };
}

/** Values come from evaluation, which limits their depth. */
function holdsFunction(value: unknown): boolean {
  if (Array.isArray(value)) {
    return value.some(holdsFunction);
  }
  if (!isMapping(value)) {
    return false;
  }
  return isFunction(value) || Object.values(value).some(holdsFunction);
}
