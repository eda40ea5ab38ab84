import type { Json, JsonObject } from '../../domain/plan.ts';

/** Every intrinsic function of the blueprint language. */
export const FUNCTION_NAMES = [
  'get_input',
  'get_sys',
  'get_consumers',
  'get_property',
  'get_attribute',
  'get_attributes_list',
  'get_attributes_dict',
  'get_secret',
  'concat',
  'merge',
  'get_capability',
  'get_group_capability',
  'get_label',
  'get_environment_capability',
  'string_find',
  'string_replace',
  'string_split',
  'string_lower',
  'string_upper',
] as const;

export type FunctionName = (typeof FUNCTION_NAMES)[number];

/** A call as written in a blueprint: `{get_input: port}` or, typed, `{get_input: port, type: integer}`. */
export interface IntrinsicFunction {
  name: FunctionName;
  argument: Json;
  /** The declared type of the result, when the call has a sibling `type`. */
  returnType?: Json;
  /** The mapping itself. */
  raw: JsonObject;
}

const names: ReadonlySet<string> = new Set(FUNCTION_NAMES);

function isFunctionName(key: string): key is FunctionName {
  return names.has(key);
}

/** True for JSON mappings: not null, not a list. */
export function isMapping(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Recognises a function call: a mapping of one or two keys, one of them a function's name and the other, if any,
 * `type`. Everything else, an unknown function name included, is plain data.
 *
 * @returns the call, or undefined for plain data
 */
export function parseFunction(value: unknown): IntrinsicFunction | undefined {
  if (!isMapping(value)) {
    return undefined;
  }
  let name: FunctionName | undefined;
  let count = 0;
  for (const key in value) {
    if (++count > 2) {
      return undefined;
    }
    if (isFunctionName(key)) {
      name = key;
    } else if (key !== 'type') {
      return undefined;
    }
  }
  if (name === undefined) {
    return undefined;
  }
  const call: IntrinsicFunction = { name, argument: value[name] as Json, raw: value };
  const returnType = value['type'];
  if (returnType !== undefined) {
    call.returnType = returnType;
  }
  return call;
}

/** True when `value` is a call of an intrinsic function. */
export function isFunction(value: unknown): value is JsonObject {
  return parseFunction(value) !== undefined;
}
