/**
 * Reading and changing nested JSON by paths like `a.b[1].c`.
 * Compatibility: the paths of Cloudify's `ctx` command, with the text `illegal path:` that scripts look for.
 */
import type { Json, JsonObject } from '../../domain/plan.ts';

/** A path that leads nowhere. Its name is the one that clients of the `ctx` protocol know. */
export class IllegalPathError extends Error {
  override readonly name = 'RuntimeError';

  constructor(path: string) {
    super(`illegal path: ${path}`);
  }
}

const elementSegment = /^(.+)\[(\d+)\]$/;

/** Whether a value is a JSON object, not a list and not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets a member even when its name is one that objects treat specially. */
export function putMember(object: JsonObject, key: string, value: Json): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[key] = value;
  }
}

function member(value: Json | undefined, key: string): Json | undefined {
  return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function step(current: Json | undefined, segment: string): Json | undefined {
  const element = elementSegment.exec(segment);
  if (element === null || member(current, segment) !== undefined) {
    return member(current, segment);
  }
  const list = member(current, element[1] as string);
  return Array.isArray(list) ? list[Number(element[2])] : undefined;
}

/** The value at a path, undefined when there is none; the value itself, not a copy. */
export function findByPath(root: JsonObject, path: string): Json | undefined {
  let current: Json | undefined = root;
  for (const segment of path.split('.')) {
    current = step(current, segment);
    if (current === undefined) {
      return undefined;
    }
  }
  return current;
}

/** The value at a path. @throws IllegalPathError when there is none */
export function readByPath(root: JsonObject, path: string): Json {
  const value = findByPath(root, path);
  if (value === undefined) {
    throw new IllegalPathError(path);
  }
  return value;
}

/** Walks to the object that holds the last segment of a path; makes missing objects when `isMaking`. */
function parentOf(root: JsonObject, path: string, isMaking: boolean): [JsonObject, string] | undefined {
  const segments = path.split('.');
  const last = segments.pop() as string;
  let current: JsonObject = root;
  for (const segment of segments) {
    let next = step(current, segment);
    if (next === undefined && isMaking && !elementSegment.test(segment)) {
      next = {};
      putMember(current, segment, next);
    }
    if (!isJsonObject(next)) {
      if (isMaking) {
        throw new IllegalPathError(path);
      }
      return undefined;
    }
    current = next;
  }
  return [current, last];
}

/**
 * Sets the value at a path, making missing objects on the way. A last segment like `list[2]` replaces an element of a
 * list, or appends one when the index is the list's length.
 * @throws IllegalPathError when something on the way is not an object
 */
export function setByPath(root: JsonObject, path: string, value: Json): void {
  const [parent, last] = parentOf(root, path, true) as [JsonObject, string];
  const element = elementSegment.exec(last);
  const list = element === null ? undefined : member(parent, element[1] as string);
  if (element !== null && Array.isArray(list)) {
    const index = Number(element[2]);
    if (index > list.length) {
      throw new IllegalPathError(path);
    }
    list[index] = value;
    return;
  }
  putMember(parent, last, value);
}

/** Removes the value at a path. @returns whether there was one */
export function deleteByPath(root: JsonObject, path: string): boolean {
  const [parent, last] = parentOf(root, path, false) ?? [];
  if (parent === undefined || last === undefined) {
    return false;
  }
  if (Object.hasOwn(parent, last)) {
    delete parent[last];
    return true;
  }
  const element = elementSegment.exec(last);
  const list = element === null ? undefined : member(parent, element[1] as string);
  if (element === null || !Array.isArray(list) || Number(element[2]) >= list.length) {
    return false;
  }
  list.splice(Number(element[2]), 1);
  return true;
}

/** The first segment of a path without its index: the top-level property it is in. */
export function topLevelKey(root: JsonObject, path: string): string {
  const first = path.split('.', 1)[0] as string;
  const element = elementSegment.exec(first);
  return element !== null && !Object.hasOwn(root, first) ? (element[1] as string) : first;
}
