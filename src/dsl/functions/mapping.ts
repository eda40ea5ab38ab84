import type { Json, JsonObject } from '../../domain/plan.ts';

/** Sets a key whatever its name: assigning `__proto__` the plain way would change the mapping's prototype instead. */
export function setKey(mapping: JsonObject, key: string, value: Json): void {
  if (key === '__proto__') {
    Object.defineProperty(mapping, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    mapping[key] = value;
  }
}
