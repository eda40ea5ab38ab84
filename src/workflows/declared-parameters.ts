import { coerceError, GantryError } from '../domain/errors.ts';
import type { Json, JsonObject, PlanWorkflow, PropertySchema } from '../domain/plan.ts';
import { checkPlainConstraints } from '../dsl/constraints/index.ts';
import { DslError } from '../dsl/errors.ts';

const refused = Symbol('refused');

function toNumber(value: Json, isInteger: boolean): Json | typeof refused {
  if (typeof value === 'number') {
    return isInteger && !Number.isInteger(value) ? refused : value;
  }
  const pattern = isInteger ? /^\s*[+-]?\d+\s*$/ : /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;
  return typeof value === 'string' && pattern.test(value) ? Number(value) : refused;
}

/** The value as its declared type, read from text where clients can only send text. */
function convert(value: Json, type: string | undefined): Json | typeof refused {
  switch (type) {
    case 'integer':
      return toNumber(value, true);
    case 'float':
      return toNumber(value, false);
    case 'boolean':
      if (typeof value === 'string' && /^(true|false)$/i.test(value)) {
        return value.toLowerCase() === 'true';
      }
      return typeof value === 'boolean' ? value : refused;
    case 'string':
    case 'textarea':
      return typeof value === 'string' ? value : refused;
    case 'list':
      return Array.isArray(value) ? value : refused;
    case 'dict':
      return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : refused;
    default:
      return value;
  }
}

function isFunctionCall(value: Json): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).length === 1 &&
    /^(get_|concat$|merge$|string_)/.test(Object.keys(value)[0] ?? '')
  );
}

function convertParameter(value: Json, schema: PropertySchema): Json | typeof refused {
  if (value === null || isFunctionCall(value)) {
    return value;
  }
  const converted = convert(value, schema.type);
  if (converted === refused || schema.item_type === undefined || !Array.isArray(converted)) {
    return converted;
  }
  const items = converted.map((item) => (isFunctionCall(item) ? item : convert(item, schema.item_type)));
  return items.includes(refused) ? refused : (items as Json[]);
}

function typeText(schema: PropertySchema): string {
  return schema.item_type === undefined ? String(schema.type) : `list of ${schema.item_type}s`;
}

/** What constraints say against a value; undefined = nothing. */
function violationOf(name: string, value: Json, schema: PropertySchema): string | undefined {
  if (value === null || isFunctionCall(value) || !schema.constraints || schema.constraints.length === 0) {
    return undefined;
  }
  try {
    checkPlainConstraints({ name, itemType: schema.item_type, constraints: schema.constraints }, value);
    return undefined;
  } catch (error) {
    if (error instanceof DslError) {
      return `Parameter "${name}" does not meet its constraints: ${coerceError(error).message}`;
    }
    throw error;
  }
}

export interface ParameterRules {
  /** Takes parameters that the workflow does not declare. */
  readonly allowCustom: boolean;
}

/**
 * Merges the parameters of a call with what the workflow declares.
 * @throws GantryError illegal_execution_parameters_error
 */
export function mergeWorkflowParameters(
  workflowId: string,
  workflow: Pick<PlanWorkflow, 'parameters'>,
  given: JsonObject,
  rules: ParameterRules,
): JsonObject {
  const declared = workflow.parameters;
  const custom = Object.keys(given).filter((name) => !Object.hasOwn(declared, name));
  if (custom.length > 0 && !rules.allowCustom) {
    throw new GantryError(
      'illegal_execution_parameters_error',
      `Workflow "${workflowId}" does not have the following parameters declared: ${custom.join(', ')}. ` +
        'Remove these parameters or use the flag for allowing custom parameters',
    );
  }
  const merged: JsonObject = {};
  const wrong: string[] = [];
  const absent: string[] = [];
  for (const [name, schema] of Object.entries(declared)) {
    const value = Object.hasOwn(given, name) ? given[name] : schema.default;
    if (value === undefined) {
      if (schema.required !== false) {
        absent.push(name);
      }
      continue;
    }
    const converted = convertParameter(value, schema);
    if (converted === refused) {
      wrong.push(`Parameter "${name}" must be of type ${typeText(schema)}`);
      continue;
    }
    const violation = violationOf(name, converted, schema);
    if (violation === undefined) {
      merged[name] = converted;
    } else {
      wrong.push(violation);
    }
  }
  if (wrong.length > 0) {
    throw new GantryError('illegal_execution_parameters_error', wrong.join('\n'));
  }
  if (absent.length > 0) {
    throw new GantryError(
      'illegal_execution_parameters_error',
      `Workflow "${workflowId}" must be provided with the following parameters to execute: ${absent.join(', ')}`,
    );
  }
  for (const name of custom) {
    merged[name] = given[name] ?? null;
  }
  return merged;
}
