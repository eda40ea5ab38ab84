import type { Json, JsonObject, PlanNode, PlanOperation, PlanOperations } from '../../domain/plan.ts';
import type { FunctionPlace, ScannedPlan } from './place.ts';
import { isMapping } from './recognise.ts';

/** A mapping of a plan whose values may hold functions. */
export interface Site {
  values: JsonObject;
  place: FunctionPlace;
  /** Puts other values in the place of these. The plan must be a copy the caller may change. */
  replace: (values: JsonObject) => void;
}

/**
 * Visits every part of a plan in which functions are evaluated, in the order they are evaluated in. Relationship
 * properties, workflow parameters, resource tags and plugin properties are not among them: those functions wait until
 * they are used.
 */
export function scanPlan(plan: ScannedPlan, visit: (site: Site) => void): void {
  const withoutInputs = new Set<PlanOperations>();
  for (const node of plan.nodes) {
    scanNodeProperties(node, visit);
    scanNodeOperations(node, visit, withoutInputs);
  }
  scanDeployment(plan, visit);
}

/** Visits the properties and capabilities of a node. */
function scanNodeProperties(
  node: Pick<PlanNode, 'name' | 'properties' | 'capabilities'>,
  visit: (site: Site) => void,
): void {
  const owner = node as PlanNode;
  visit({
    values: node.properties,
    place: { scope: 'node_template', path: `nodes.${node.name}.properties`, node: owner },
    replace: (values) => {
      node.properties = values;
    },
  });
  for (const [name, capability] of entriesOf<{ properties?: Json }>(node.capabilities)) {
    visitProperties(
      capability,
      { scope: 'node_template', path: `nodes.${node.name}.capabilities.${name}`, node: owner },
      visit,
    );
  }
}

/**
 * Visits the inputs of a node's operations and of those of its relationships.
 *
 * @param withoutInputs operations known to have none; nodes of one type share them. Added to.
 */
function scanNodeOperations(
  node: PlanNode,
  visit: (site: Site) => void,
  withoutInputs: Set<PlanOperations> = new Set(),
): void {
  const scan = (operations: PlanOperations, place: FunctionPlace): void => {
    if (!withoutInputs.has(operations) && !scanOperations(operations, place, visit)) {
      withoutInputs.add(operations);
    }
  };
  scan(node.operations, { scope: 'node_template', path: `nodes.${node.name}.operations`, node });
  for (const relationship of node.relationships) {
    const place: FunctionPlace = {
      scope: 'node_template_relationship',
      path: `nodes.${node.name}.${relationship.type}`,
      node,
      relationship,
    };
    scan(relationship.source_operations, place);
    scan(relationship.target_operations, place);
  }
}

function scanDeployment(plan: ScannedPlan, visit: (site: Site) => void): void {
  const visitMembers = (scope: 'outputs' | 'capabilities' | 'labels', members: Record<string, object>) => {
    for (const name of Object.keys(members)) {
      visit({
        values: members[name] as JsonObject,
        place: { scope, path: `${scope}.${name}` },
        replace: (values) => {
          members[name] = values;
        },
      });
    }
  };
  visitMembers('outputs', plan.outputs);
  for (const scope of ['policies', 'scaling_groups'] as const) {
    for (const [name, member] of entriesOf<{ properties?: Json }>(plan[scope])) {
      visitProperties(member, { scope, path: `${scope}.${name}.properties` }, visit);
    }
  }
  visitMembers('capabilities', plan.capabilities);
  visitMembers('labels', plan.labels);
  visit({
    values: plan.deployment_settings,
    place: { scope: 'deployment_settings', path: 'deployment_settings' },
    replace: (values) => {
      plan.deployment_settings = values;
    },
  });
}

/** @returns whether any operation has inputs */
function scanOperations(operations: PlanOperations, place: FunctionPlace, visit: (site: Site) => void): boolean {
  let hasInputs = false;
  // Most operations have no inputs, and there are many of them: nothing is made for those.
  for (const name in operations) {
    const operation = operations[name] as PlanOperation;
    if (!isMapping(operation) || !isMapping(operation.inputs) || isEmpty(operation.inputs)) {
      continue;
    }
    hasInputs = true;
    visit({
      values: operation.inputs,
      place: { ...place, path: `${place.path}.${name}.inputs`, operation },
      replace: (values) => {
        operation.inputs = values;
      },
    });
  }
  return hasInputs;
}

/** Whether a mapping has no keys; quicker than listing them. */
export function isEmpty(mapping: JsonObject): boolean {
  for (const key in mapping) {
    return mapping[key] === undefined;
  }
  return true;
}

function visitProperties(owner: { properties?: Json }, place: FunctionPlace, visit: (site: Site) => void): void {
  if (!isMapping(owner.properties)) {
    return;
  }
  visit({
    values: owner.properties,
    place,
    replace: (values) => {
      owner.properties = values;
    },
  });
}

/** The entries of a stored mapping that may be missing in plans of older versions. */
function entriesOf<T extends object>(mapping: unknown): [string, T][] {
  if (!isMapping(mapping)) {
    return [];
  }
  return Object.entries(mapping).filter((entry) => isMapping(entry[1])) as unknown as [string, T][];
}
