import type { Json } from '../../domain/plan.ts';
import { pythonText } from '../../domain/python-text.ts';
import { isFunction, isMapping } from './recognise.ts';

/** A path item: the key of a mapping or the index of a list. */
export type PathItem = string | number;

/** Why a path leads nowhere. */
export type WalkFailure =
  | { reason: 'no such key' }
  | { reason: 'not an index' }
  | { reason: 'out of range'; size: number }
  | { reason: 'not a container' };

export type Step = { found: true; value: Json } | { found: false; failure: WalkFailure };

/**
 * Goes one step down into a value. Negative indexes count from the end of a list, and `true` and `false` are 1 and 0,
 * as they were for the old manager.
 */
export function step(value: Json, item: Json): Step {
  if (Array.isArray(value)) {
    const index = typeof item === 'boolean' ? Number(item) : item;
    if (typeof index !== 'number' || !Number.isInteger(index)) {
      return { found: false, failure: { reason: 'not an index' } };
    }
    const inner = value.at(index);
    if (inner === undefined) {
      return { found: false, failure: { reason: 'out of range', size: value.length } };
    }
    return { found: true, value: inner };
  }
  if (isMapping(value)) {
    // Keys of JSON mappings are text, so an integer never names one.
    if (typeof item === 'string' && Object.hasOwn(value, item)) {
      return { found: true, value: value[item] as Json };
    }
    return { found: false, failure: { reason: 'no such key' } };
  }
  return { found: false, failure: { reason: 'not a container' } };
}

/** True for what may stand in a path: a key, an index, or a function that gives one. */
export function isPathItem(value: Json): boolean {
  return (
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isInteger(value)) ||
    isFunction(value)
  );
}

/** True for a list of at least two path items. */
export function isNestedPath(value: Json): value is Json[] {
  return Array.isArray(value) && value.length >= 2 && value.every(isPathItem);
}

/** `['endpoint', 'ports', 0]` as `endpoint.ports[0]`. */
export function pathText(items: readonly Json[]): string {
  return items
    .map((item, position) => {
      const text = pythonText(item);
      return position === 0 ? text : typeof item === 'number' ? `[${text}]` : `.${text}`;
    })
    .join('');
}
