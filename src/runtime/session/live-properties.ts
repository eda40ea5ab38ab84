import { isDeepStrictEqual } from 'node:util';
import type { Json, JsonObject } from '../../domain/plan.ts';
import type { RuntimeProperties } from '../sdk.ts';
import { deleteByPath, findByPath, putMember, setByPath, topLevelKey } from './paths.ts';

/** The working copy of a node instance's runtime properties: knows what was changed since it was read. */
export class LiveProperties implements RuntimeProperties {
  #stored: JsonObject;
  #current: JsonObject;
  readonly #changed = new Set<string>();

  constructor(stored: JsonObject) {
    this.#stored = stored;
    this.#current = structuredClone(stored);
  }

  get isDirty(): boolean {
    return this.#changed.size > 0;
  }

  /** Top-level properties that were set, removed or changed inside. */
  get changedKeys(): readonly string[] {
    return [...this.#changed];
  }

  get(path: string): Json | undefined {
    const value = findByPath(this.#current, path);
    return value === null || typeof value !== 'object' ? value : structuredClone(value);
  }

  set(path: string, value: Json): void {
    const key = topLevelKey(this.#current, path);
    setByPath(this.#current, path, structuredClone(value));
    this.#changed.add(key);
  }

  delete(path: string): boolean {
    const key = topLevelKey(this.#current, path);
    const isRemoved = deleteByPath(this.#current, path);
    if (isRemoved) {
      this.#changed.add(key);
    }
    return isRemoved;
  }

  /** Sets one top-level property by its plain name, dots and all. */
  setKey(key: string, value: Json): void {
    putMember(this.#current, key, structuredClone(value));
    this.#changed.add(key);
  }

  /** Removes one top-level property by its plain name. @returns whether there was one */
  deleteKey(key: string): boolean {
    if (!Object.hasOwn(this.#current, key)) {
      return false;
    }
    delete this.#current[key];
    this.#changed.add(key);
    return true;
  }

  clear(): void {
    for (const key of Object.keys(this.#current)) {
      this.deleteKey(key);
    }
  }

  toJSON(): JsonObject {
    return structuredClone(this.#current);
  }

  /** Notes what was saved. Properties changed again while the save was under way stay marked as changed. */
  markSaved(saved: JsonObject): void {
    this.#stored = saved;
    for (const key of this.#changed) {
      if (isDeepStrictEqual(own(saved, key), own(this.#current, key))) {
        this.#changed.delete(key);
      }
    }
  }

  /**
   * Puts the changes made here onto what somebody else stored meanwhile.
   * @returns the properties both sides changed in different ways; nothing is changed here when there are any
   */
  rebase(stored: JsonObject): readonly string[] {
    const clashes = [...this.#changed].filter(
      (key) =>
        !isDeepStrictEqual(own(stored, key), own(this.#stored, key)) &&
        !isDeepStrictEqual(own(stored, key), own(this.#current, key)),
    );
    if (clashes.length > 0) {
      return clashes;
    }
    const merged = structuredClone(stored);
    for (const key of this.#changed) {
      const value = own(this.#current, key);
      if (value === undefined) {
        delete merged[key];
      } else {
        putMember(merged, key, value);
      }
    }
    this.#stored = stored;
    this.#current = merged;
    return [];
  }
}

function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
