import { OBJECT_BASED_TYPES } from '../functions/primitive.ts';
import type { Version } from '../versions.ts';

/** Types that refer to something the manager stores; the version that brought each. */
const objectTypes: ReadonlyMap<string, Version> = new Map(
  OBJECT_BASED_TYPES.map((name): [string, Version] => [name, name === 'operation_name' ? [1, 5] : [1, 4]]),
);

const plainTypes = ['string', 'integer', 'float', 'boolean', 'list', 'dict', 'regex', 'textarea'];

/** Types every blueprint has; the others are its data types. */
export const primitiveTypes: ReadonlySet<string> = new Set([...plainTypes, ...objectTypes.keys()]);

/** The first version with an object-based type; undefined for other types. */
export function versionOfType(name: string): Version | undefined {
  return objectTypes.get(name);
}

/** Whether values of the type are names of things the manager stores. */
export function isObjectType(name: string): boolean {
  return objectTypes.has(name);
}

/** Names with this prefix are the manager's own: namespaces leave them alone, and a later import replaces them. */
export const builtInPrefix = 'cloudify.';

export const hostTypeMark = 'cloudify.nodes.Compute';
export const containedInType = 'cloudify.relationships.contained_in';
export const lifecycleDependencyType = 'cloudify.relationships.depends_on_lifecycle_operation';
export const scalingPolicyType = 'cloudify.policies.scaling';

export const centralExecutor = 'central_deployment_agent';
export const hostExecutor = 'host_agent';
export const pluginExecutors: readonly string[] = [centralExecutor, hostExecutor];
