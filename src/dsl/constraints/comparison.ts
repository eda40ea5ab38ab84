import type { Json } from '../../domain/plan.ts';
import { isMapping } from '../functions/recognise.ts';

/** Equality of JSON values as Python has it: `true` is 1, mappings and lists compare by content. */
export function pythonEquals(left: Json, right: Json): boolean {
  const a = typeof left === 'boolean' ? Number(left) : left;
  const b = typeof right === 'boolean' ? Number(right) : right;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => pythonEquals(item, b[index] as Json));
  }
  if (isMapping(a) && isMapping(b)) {
    const keys = Object.keys(a);
    return (
      keys.length === Object.keys(b).length &&
      keys.every((key) => Object.hasOwn(b, key) && pythonEquals(a[key] as Json, b[key] as Json))
    );
  }
  return a === b;
}

/** The sign of `left - right`, or undefined when the values have no order: numbers (and booleans) have one. */
export function pythonCompare(left: Json, right: Json): number | undefined {
  const a = typeof left === 'boolean' ? Number(left) : left;
  const b = typeof right === 'boolean' ? Number(right) : right;
  return typeof a === 'number' && typeof b === 'number' ? Math.sign(a - b) : undefined;
}
