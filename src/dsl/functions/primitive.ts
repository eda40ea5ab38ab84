import type { Json } from '../../domain/plan.ts';
import { compilePattern } from '../constraints/python-pattern.ts';
import { isMapping } from './recognise.ts';

/** Types whose values name an entity of the manager, e.g. a deployment. */
export const OBJECT_BASED_TYPES = [
  'blueprint_id',
  'deployment_id',
  'capability_value',
  'scaling_group',
  'node_id',
  'node_type',
  'node_instance',
  'secret_key',
  'operation_name',
] as const;

export type ObjectBasedType = (typeof OBJECT_BASED_TYPES)[number];

const objectBased: ReadonlySet<unknown> = new Set(OBJECT_BASED_TYPES);

export function isObjectBasedType(type: unknown): type is ObjectBasedType {
  return objectBased.has(type);
}

/**
 * True when `value` is of the primitive `type`. `string`, `textarea` and the types that name an entity accept
 * anything; a type that is not a primitive accepts nothing.
 */
export function matchesPrimitive(value: Json, type: Json): boolean {
  switch (type) {
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value);
    case 'float':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'string':
    case 'textarea':
      return true;
    case 'regex':
      return typeof value === 'string' && compilePattern(value) !== undefined;
    case 'list':
      return Array.isArray(value);
    case 'dict':
      return isMapping(value);
    default:
      return isObjectBasedType(type);
  }
}
