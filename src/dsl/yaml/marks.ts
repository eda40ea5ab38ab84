/**
 * What a loaded document says beyond its JSON values, kept beside them: keys that were not written as text, and
 * numbers that were written as floats although they are whole.
 */

/** What was written as the first key of a mapping that is not a string. */
export interface OddKey {
  readonly text: string;
  readonly typeName: string;
}

const oddKeys = new WeakMap<object, OddKey>();
const wholeFloats = new WeakMap<object, Set<string | number>>();

/** The first key of a loaded mapping that was not written as a string; keys are text once loaded. */
export function oddKeyOf(mapping: object): OddKey | undefined {
  return oddKeys.get(mapping);
}

/** Notes a key that was not written as a string; the first one counts. */
export function markOddKey(mapping: object, key: OddKey): void {
  if (!oddKeys.has(mapping)) {
    oddKeys.set(mapping, key);
  }
}

/** Whether a whole number in a mapping or list was written as a float, `5.0`. */
export function isWholeFloat(container: object, key: string | number): boolean {
  return wholeFloats.get(container)?.has(key) ?? false;
}

export function markWholeFloat(container: object, key: string | number): void {
  const keys = wholeFloats.get(container);
  if (keys) {
    keys.add(key);
  } else {
    wholeFloats.set(container, new Set([key]));
  }
}

/** Carries the marks over to a rewritten copy of a mapping. */
export function keepMarks(from: object, to: object): void {
  const odd = oddKeys.get(from);
  if (odd) {
    oddKeys.set(to, odd);
  }
  const floats = wholeFloats.get(from);
  if (floats) {
    wholeFloats.set(to, floats);
  }
}

/** Sets a key of a plain object; `__proto__` becomes an ordinary key, so that a blueprint cannot reach prototypes. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    target[key] = value;
  }
}
