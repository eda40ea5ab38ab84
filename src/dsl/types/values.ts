import type { Json, JsonObject, PropertySchema } from '../../domain/plan.ts';
import { compilePattern } from '../constraints/index.ts';
import { logicError } from '../errors.ts';
import type { DslError, Path } from '../errors.ts';
import { pythonText } from '../../domain/python-text.ts';
import { isFunction } from '../functions/index.ts';
import type { Problems } from '../problems.ts';
import { isDict } from '../schema/element.ts';
import { nearestName } from '../schema/names.ts';
import { isWholeFloat, setOwn } from '../yaml/marks.ts';
import { isObjectType, primitiveTypes } from './names.ts';

export type PropertySchemas = Readonly<Record<string, PropertySchema>>;

/** Data types by name; what values of them look like. */
export interface DataTypes {
  get(name: string): { readonly properties: PropertySchemas } | undefined;
}

/** How values are checked against schemas, and how mistakes are worded. */
export interface ValueRules {
  readonly dataTypes: DataTypes;
  /** The node, input or type whose value it is, as messages name it. */
  readonly owner: string;
  readonly undefinedMessage: (owner: string, property: string) => string;
  readonly missingMessage: (owner: string, property: string) => string;
  /** Whether a required property without value is a mistake; defaults may be completed later. */
  readonly mustBeComplete: boolean;
  /** Where the values are written. */
  readonly at: Path;
  /** Takes every mistake there is, in place of an error for the first. */
  readonly problems?: Problems | undefined;
}

/** An own member of a mapping, undefined for inherited ones such as `constructor`. */
export function own<T>(mapping: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(mapping, key) ? mapping[key] : undefined;
}

/**
 * Checks a value against a type and completes values of data types with the types' defaults. Intrinsic functions
 * pass unchecked.
 *
 * @param derived default of the property in its type, which a data-typed value is laid over
 * @throws DslError 105, 106, 107, 219
 */
export function typedValue(
  value: Json,
  type: string | undefined,
  rules: ValueRules,
  path: readonly string[] = [],
  derived?: Json,
): Json {
  if (type === undefined || isFunction(value)) {
    return value;
  }
  const dataType = primitiveTypes.has(type) ? undefined : rules.dataTypes.get(type);
  if (dataType && isDict(value)) {
    const defaults = { ...defaultsOf(dataType.properties), ...(isDict(derived) ? derived : {}) };
    return laidOver(value as JsonObject, dataType.properties, defaults, rules, path);
  }
  if (!dataType && isOfPrimitiveType(value, type)) {
    return value;
  }
  throw typeError(value, type, rules, path);
}

/**
 * Values laid over the defaults of their schemas, each checked against its type.
 *
 * @throws DslError 105, 106, 107, 219
 */
export function valuesWithDefaults(values: JsonObject, schemas: PropertySchemas, rules: ValueRules): JsonObject {
  return laidOver(values, schemas, defaultsOf(schemas), rules, []);
}

/** The defaults of the schemas that have one. */
export function defaultsOf(schemas: PropertySchemas): JsonObject {
  const result: JsonObject = {};
  for (const [name, schema] of Object.entries(schemas)) {
    if (schema.default !== undefined) {
      setOwn(result, name, schema.default);
    }
  }
  return result;
}

/** Whether a value is of a primitive type; text and names of stored things may be anything. */
function isOfPrimitiveType(value: Json, type: string): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'float':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'regex':
      return typeof value === 'string' && compilePattern(value) !== undefined;
    case 'list':
      return Array.isArray(value);
    case 'dict':
      return isDict(value);
    default:
      return type === 'string' || type === 'textarea' || isObjectType(type);
  }
}

function laidOver(
  values: JsonObject,
  schemas: PropertySchemas,
  defaults: JsonObject,
  rules: ValueRules,
  path: readonly string[],
): JsonObject {
  const unknown = Object.keys(values).filter((key) => !Object.hasOwn(schemas, key));
  for (const key of unknown) {
    collected(rules, path, () => {
      throw logicError(106, rules.undefinedMessage(rules.owner, [...path, key].join('.')), {
        path: [...rules.at, ...path, key],
        remedy: nearestName(key, Object.keys(schemas)),
      });
    });
  }
  const external = own(values, 'use_external_resource') ?? own(defaults, 'use_external_resource');
  const isExternal = collected(rules, path, () => usesExternalResource(external, { rules, path })) ?? true;
  // A misspelt name is one mistake: what it stands for is not missing as well.
  const isMisspelt = (name: string): boolean => unknown.some((key) => nearestName(key, [name]) !== undefined);
  const result: JsonObject = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const value = Object.hasOwn(values, name) ? values[name] : own(defaults, name);
    if (value !== undefined) {
      const derived = own(defaults, name);
      collected(rules, path, () => {
        requireNoFloat(values, name, schema.type, rules, [...path, name]);
        setOwn(result, name, typedValue(value, schema.type ?? undefined, rules, [...path, name], derived));
      });
    } else if (isRequired(schema) && !isExternal && rules.mustBeComplete && !isMisspelt(name)) {
      collected(rules, path, () => {
        throw logicError(107, rules.missingMessage(rules.owner, [...path, name].join('.')), {
          path: [...rules.at, ...path],
          remedy: `Give a value for '${name}'`,
        });
      });
    }
  }
  return result;
}

function isRequired(schema: PropertySchema): boolean {
  return schema.required ?? !('required' in schema);
}

/** Runs work of which the rules may want every mistake. */
function collected<T>(rules: ValueRules, path: readonly string[], work: () => T): T | undefined {
  return rules.problems ? rules.problems.attempt([...rules.at, ...path], work) : work();
}

function usesExternalResource(
  value: Json | undefined,
  { rules, path }: { rules: ValueRules; path: readonly string[] },
): boolean {
  if (isFunction(value)) {
    const rule = "Only boolean values are allowed for `use_external_resource` property, don't use intrinsic functions.";
    throw logicError(219, rule, { path: [...rules.at, ...path, 'use_external_resource'] });
  }
  if (typeof value === 'object' && value !== null) {
    return Object.keys(value).length > 0;
  }
  return Boolean(value);
}

/**
 * Refuses `5.0` for an integer, although the number is whole.
 *
 * @param container what holds the value under `key`, as it was loaded
 * @throws DslError 105
 */
export function requireNoFloat(
  container: object,
  key: string,
  type: string | null | undefined,
  rules: ValueRules,
  path: readonly string[],
): void {
  if (type === 'integer' && isWholeFloat(container, key)) {
    const value = (container as Record<string, number>)[key] ?? 0;
    throw typeError(value.toFixed(1), type, rules, path);
  }
}

function typeError(value: Json, type: string, rules: ValueRules, path: readonly string[]): DslError {
  const which = path.length === 0 ? 'the defined type' : `property '${path.join('.')}' type`;
  const given = `yet it was assigned with the value '${pythonText(value)}'`;
  return logicError(105, `Property type validation failed in '${rules.owner}': ${which} is '${type}', ${given}`, {
    path: [...rules.at, ...path],
  });
}
