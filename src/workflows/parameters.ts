import type { Json, JsonObject } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import type { WorkflowContext } from './context.ts';
import { WorkflowRefused } from './errors.ts';
import { viewOf } from './topology-view.ts';

/** A parameter as a boolean; a missing or null one is the default. */
export function booleanParameter(parameters: JsonObject, name: string, otherwise: boolean): boolean {
  const value = parameters[name];
  if (value === undefined || value === null) {
    return otherwise;
  }
  if (value === 'true' || value === 'false') {
    return value === 'true';
  }
  return Boolean(value);
}

/** A parameter as a list of texts; a single text is a list of one, nothing an empty list. */
export function listParameter(parameters: JsonObject, name: string): string[] {
  const value = parameters[name];
  if (value === undefined || value === null || value === '') {
    return [];
  }
  return (Array.isArray(value) ? value : [value]).map(asText);
}

/** A parameter as an object; a missing one is empty. */
export function objectParameter(parameters: JsonObject, name: string): JsonObject {
  const value = parameters[name];
  if (value === undefined || value === null) {
    return {};
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new WorkflowRefused(`The parameter '${name}' must be a dictionary. Got: ${JSON.stringify(value)}`);
  }
  return value;
}

/**
 * @throws WorkflowRefused when the parameter is missing or empty
 */
export function textParameter(parameters: JsonObject, name: string): string {
  const value = parameters[name];
  if (typeof value !== 'string' || value === '') {
    throw new WorkflowRefused(`The parameter '${name}' is missing: give it a text`);
  }
  return value;
}

export interface InstanceFilter {
  readonly nodeIds: readonly string[];
  readonly instanceIds: readonly string[];
  readonly typeNames: readonly string[];
}

/** The standard filter parameters `node_ids`, `node_instance_ids` and `type_names`. */
export function filterParameters(parameters: JsonObject): InstanceFilter {
  return {
    nodeIds: listParameter(parameters, 'node_ids'),
    instanceIds: listParameter(parameters, 'node_instance_ids'),
    typeNames: listParameter(parameters, 'type_names'),
  };
}

/** The instances that pass all parts of the filter; an empty part lets everything pass. */
export function filterInstances(context: Pick<WorkflowContext, 'topology'>, filter: InstanceFilter): NodeInstance[] {
  const view = viewOf(context.topology);
  const nodeIds = new Set(filter.nodeIds);
  const instanceIds = new Set(filter.instanceIds);
  const passes = new Map<string, boolean>();
  return view.instances.filter((instance) => {
    let isNodeChosen = passes.get(instance.nodeId);
    if (isNodeChosen === undefined) {
      const { id, typeHierarchy } = view.nodeOf(instance);
      const hasType = filter.typeNames.length === 0 || filter.typeNames.some((name) => typeHierarchy.includes(name));
      isNodeChosen = hasType && (nodeIds.size === 0 || nodeIds.has(id));
      passes.set(instance.nodeId, isNodeChosen);
    }
    return isNodeChosen && (instanceIds.size === 0 || instanceIds.has(instance.id));
  });
}

function asText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
