import { formatError, logicError } from '../errors.ts';
import type { Path, DslError } from '../errors.ts';
import type { Problems } from '../problems.ts';
import { describeVersion, isOlder } from '../versions.ts';
import type { Version } from '../versions.ts';
import { isWholeFloat, oddKeyOf } from '../yaml/marks.ts';
import { isDict, isOfType, typeNameOf } from './element.ts';
import type { Element, FieldsSchema, Schema } from './element.ts';
import { nearestName } from './names.ts';

export interface ValidationOptions {
  /** Version of the main blueprint; undefined when constructs are not judged by version. */
  readonly version: Version | undefined;
  readonly problems: Problems;
  /**
   * Takes collections that the version does not have. They are looked into all the same, because what is wrong inside
   * them is the more telling mistake.
   */
  readonly tooNew: Problems;
}

/**
 * Checks a value against the tables: kinds of values, known and required keys, versions, and the tables' own rules.
 * Every mistake goes to `problems`. Time is linear in the value.
 */
export function validateElement(
  element: Element,
  value: unknown,
  path: Path,
  options: ValidationOptions,
  parent?: Record<string, unknown>,
): void {
  const { problems, version } = options;
  const name = String(path.at(-1) ?? '');
  if (value === null || value === undefined) {
    if (element.isRequired) {
      problems.add(formatError(1, `'${name}' key is required but it is currently missing`, { path }));
    }
    return;
  }
  const isFloat = parent !== undefined && isWholeFloat(parent, name);
  const schema = matchingSchema(element, value);
  const mismatch = isFloat ? floatError(schema) : kindError(schema, value);
  if (mismatch !== undefined) {
    problems.add(formatError(1, mismatch, { path }));
    return;
  }
  const before = problems.count;
  if (schema.kind === 'dict' || schema.kind === 'fields') {
    refuseOddKey(value, path, problems);
  }
  if (element.since && version && isOlder(version, element.since)) {
    const target = typeof value === 'object' ? options.tooNew : problems;
    target.add(versionError(name, value, version, element.since, path));
  }
  validateInside(schema, value, path, options);
  if (element.check && problems.count === before) {
    const check = element.check as (value: unknown, context: object) => void;
    problems.attempt(path, () => {
      check(value, { path, parent, version });
    });
  }
}

/** The error of a construct that the blueprint's version does not have yet. */
export function versionError(name: string, value: unknown, version: Version, since: Version, path: Path): DslError {
  const what = name === 'type' ? `type '${String(value)}'` : name;
  const [have, need] = [describeVersion(version), describeVersion(since)];
  return logicError(102, `${what} not supported in version ${have}, it was added in ${need}`, {
    path,
    remedy: `Set tosca_definitions_version to ${need} or later`,
  });
}

function matchingSchema(element: Element, value: unknown): Schema {
  const { schemas } = element;
  const found = schemas.length === 1 ? schemas[0] : schemas.find((schema) => !kindError(schema, value));
  return (found ?? schemas.at(-1)) as Schema;
}

function kindError(schema: Schema, value: unknown): string | undefined {
  switch (schema.kind) {
    case 'leaf':
      return schema.types.some((type) => isOfType(value, type)) ? undefined : wanted(schema.types, value);
    case 'list':
      return Array.isArray(value) ? undefined : wanted(['list'], value);
    default:
      return isDict(value) ? undefined : wanted(['dict'], value);
  }
}

/** `5.0` is not an integer, although the number is whole. */
function floatError(schema: Schema): string | undefined {
  const types: readonly string[] = schema.kind === 'leaf' ? schema.types : [schema.kind === 'list' ? 'list' : 'dict'];
  return types.includes('float') ? undefined : wanted(types, 0.5);
}

function wanted(types: readonly string[], value: unknown): string {
  const names = types.length === 1 ? `'${String(types[0])}'` : `[${types.map((type) => `'${type}'`).join(', ')}]`;
  return `Expected ${names} type but found '${typeNameOf(value)}' type`;
}

function refuseOddKey(value: object, path: Path, problems: Problems): void {
  const odd = oddKeyOf(value);
  if (odd) {
    const message = `Dict keys must be strings but found '${odd.text}' of type '${odd.typeName}'`;
    problems.add(formatError(1, message, { path: [...path, odd.text], remedy: 'Put the key in quotes' }));
  }
}

function validateInside(schema: Schema, value: unknown, path: Path, options: ValidationOptions): void {
  switch (schema.kind) {
    case 'dict':
      for (const [key, item] of Object.entries(value as Record<string, unknown>)) {
        validateElement(schema.of, item, [...path, key], options, value as Record<string, unknown>);
      }
      break;
    case 'list':
      (value as unknown[]).forEach((item, index) => {
        validateElement(schema.of, item, [...path, index], options);
      });
      break;
    case 'fields':
      validateFields(schema, value as Record<string, unknown>, path, options);
      break;
    default:
      break;
  }
}

function validateFields(
  schema: FieldsSchema,
  value: Record<string, unknown>,
  path: Path,
  options: ValidationOptions,
): void {
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(schema.fields, key)) {
      options.problems.add(unknownKeyError(key, Object.keys(schema.fields), path));
    }
  }
  for (const [key, element] of Object.entries(schema.fields)) {
    if (Object.hasOwn(value, key)) {
      validateElement(element, value[key], [...path, key], options, value);
    } else if (element.isRequired) {
      const message = `'${key}' key is required but it is currently missing`;
      options.problems.add(formatError(1, message, { path: [...path, key] }));
    }
  }
}

function unknownKeyError(key: string, known: readonly string[], path: Path): DslError {
  const valid = known.map((name) => `'${name}'`).join(', ');
  return formatError(1, `'${key}' is not in schema. Valid schema values: [${valid}]`, {
    path: [...path, key],
    remedy: nearestName(key, known),
  });
}
