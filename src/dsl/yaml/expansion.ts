import { formatError } from '../errors.ts';
import type { Path } from '../errors.ts';
import type { SourceDocument, YamlLimits } from './load.ts';
import { locationIn } from './positions.ts';

interface Extent {
  /** Values in it, itself included, aliases replaced by what they refer to. */
  readonly values: number;
  readonly depth: number;
}

const leaf: Extent = { values: 1, depth: 1 };
const unfinished: Extent = { values: -1, depth: -1 };

/**
 * Checks what a document would be with every alias replaced by what it refers to, without replacing any: bounded
 * in size and depth, free of loops, and of values JSON has no form for. Time is linear in the text.
 *
 * @throws DslError `DSLParsingFormatException` 1
 */
export function checkExpansion(document: SourceDocument, limits: YamlLimits): void {
  const extents = new Map<object, Extent>();
  const path: (string | number)[] = [];

  const fail = (message: string): never => {
    const at: Path = [...path];
    throw formatError(1, message, { location: locationIn(document, at) });
  };

  const measure = (value: unknown): Extent => {
    if (typeof value !== 'object' || value === null) {
      return leaf;
    }
    const known = extents.get(value);
    if (known) {
      return known === unfinished ? fail('An alias refers to the value it is part of') : known;
    }
    if (value instanceof Date) {
      return fail("A date is not a value of the blueprint language; put it in quotes to make it a 'string'");
    }
    extents.set(value, unfinished);
    let values = 1;
    let depth = 0;
    const keys = Array.isArray(value) ? value.keys() : Object.keys(value);
    for (const key of keys) {
      path.push(key);
      const extent = measure((value as Record<string | number, unknown>)[key]);
      path.pop();
      values += extent.values;
      depth = Math.max(depth, extent.depth);
    }
    if (values > limits.maxExpandedValues) {
      return fail(`Aliases expand to more than ${String(limits.maxExpandedValues)} values`);
    }
    if (depth >= limits.maxDepth) {
      return fail(`Values are nested deeper than ${String(limits.maxDepth)} levels`);
    }
    const extent = { values, depth: depth + 1 };
    extents.set(value, extent);
    return extent;
  };
  measure(document.root);
}
