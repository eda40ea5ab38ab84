import type {
  DeploymentPlan,
  JsonObject,
  Plan,
  PlanInterfaces,
  PlanOperation,
  PlanOperations,
} from '../../domain/plan.ts';
import type { EvaluationContext } from './context.ts';
import { Evaluator } from './evaluator.ts';
import type { FunctionPlace, ScannedPlan } from './place.ts';
import { PlanData } from './plan-data.ts';
import { isFunction, isMapping } from './recognise.ts';
import { isEmpty, scanPlan } from './scan.ts';

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
  // Interfaces of one type are one object for all nodes of it: what has no inputs is looked through once.
  const withoutInputs = new Set<PlanInterfaces>();
  for (const node of plan.nodes) {
    node.interfaces = withInputsOf(node.operations, node.interfaces, withoutInputs);
    for (const relationship of node.relationships) {
      const { source_operations: source, target_operations: target } = relationship;
      relationship.source_interfaces = withInputsOf(source, relationship.source_interfaces, withoutInputs);
      relationship.target_interfaces = withInputsOf(target, relationship.target_interfaces, withoutInputs);
    }
  }
}

/** The interfaces with the inputs their operations have now; the same object when nothing differs. */
function withInputsOf(
  operations: PlanOperations,
  interfaces: PlanInterfaces,
  withoutInputs: Set<PlanInterfaces>,
): PlanInterfaces {
  if (withoutInputs.has(interfaces)) {
    return interfaces;
  }
  let copy: PlanInterfaces | undefined;
  let hasInputs = false;
  for (const interfaceName in interfaces) {
    const members = interfaces[interfaceName] as PlanInterfaces[string];
    for (const operationName in members) {
      const definition = members[operationName] as PlanInterfaces[string][string];
      if (!isMapping(definition.inputs) || isEmpty(definition.inputs)) {
        continue;
      }
      hasInputs = true;
      const inputs = operations[`${interfaceName}.${operationName}`]?.inputs;
      // Operations that run a script have inputs of their own beside those of the interface.
      if (inputs !== undefined && inputs !== definition.inputs && hasSameKeys(inputs, definition.inputs)) {
        copy ??= { ...interfaces };
        copy[interfaceName] = { ...copy[interfaceName], [operationName]: { ...definition, inputs } };
      }
    }
  }
  if (!hasInputs) {
    withoutInputs.add(interfaces);
  }
  return copy ?? interfaces;
}

/** A copy of a plan in which every part that {@link evaluatePlan} changes is its own; values are shared. */
export function copyScannedParts<P extends Plan | DeploymentPlan>(plan: P): P {
  const copyMembers = <T extends object>(members: T): T =>
    Object.fromEntries(Object.entries(members).map(([name, member]) => [name, { ...member }])) as T;
  const nodes = plan.nodes.map((node) => ({
    ...node,
    capabilities: copyMembers(node.capabilities),
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
    policies: copyMembers(plan.policies),
    scaling_groups: copyMembers(plan.scaling_groups),
  };
}

/** A copy in which every operation with inputs is its own; the same object when no operation has any. */
function copyOperations(operations: PlanOperations): PlanOperations {
  let copy: PlanOperations | undefined;
  for (const name in operations) {
    const operation = operations[name] as PlanOperation;
    if (isMapping(operation) && isMapping(operation.inputs) && !isEmpty(operation.inputs)) {
      copy ??= { ...operations };
      copy[name] = { ...operation };
    }
  }
  return copy ?? operations;
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
