import type { DeploymentPlan, JsonObject, Plan, PlanInterfaces, PlanOperations } from '../../domain/plan.ts';
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
  const evaluator = new Evaluator(new PlanData(inputs, plan.nodes), { leavesFunctions: options.isRuntimeOnly });
  scanPlan(plan, ({ values, place, replace }) => {
    const evaluated = evaluator.evaluateContents(values, contextOfPlace(place), place.path);
    if (evaluated !== values) {
      replace(evaluated);
    }
    if (place.operation !== undefined && Object.values(evaluated).some(holdsFunction)) {
      place.operation.has_intrinsic_functions = true;
    }
  });
  for (const node of plan.nodes) {
    node.interfaces = withInputsOf(node.operations, node.interfaces);
    for (const relationship of node.relationships) {
      relationship.source_interfaces = withInputsOf(relationship.source_operations, relationship.source_interfaces);
      relationship.target_interfaces = withInputsOf(relationship.target_operations, relationship.target_interfaces);
    }
  }
}

/** The interfaces with the inputs their operations have now; the same object when nothing differs. */
function withInputsOf(operations: PlanOperations, interfaces: PlanInterfaces): PlanInterfaces {
  let copy: PlanInterfaces | undefined;
  for (const [interfaceName, members] of Object.entries(interfaces)) {
    for (const [operationName, definition] of Object.entries(members)) {
      const inputs = operations[`${interfaceName}.${operationName}`]?.inputs;
      // Operations that run a script have inputs of their own beside those of the interface.
      if (inputs !== undefined && inputs !== definition.inputs && hasSameKeys(inputs, definition.inputs)) {
        copy ??= { ...interfaces };
        copy[interfaceName] = { ...copy[interfaceName], [operationName]: { ...definition, inputs } };
      }
    }
  }
  return copy ?? interfaces;
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

function hasSameKeys(left: JsonObject, right: unknown): boolean {
  return (
    isMapping(right) &&
    Object.keys(left).length === Object.keys(right).length &&
    Object.keys(left).every((key) => Object.hasOwn(right, key))
  );
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
