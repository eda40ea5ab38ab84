import type { Json, JsonObject, Plan, PropertySchema } from '../../domain/plan.ts';
import type { EntityLookup } from '../constraints/index.ts';
import { checkConstraints, subjectOf } from '../constraints/index.ts';
import { DslError, inputTypeError, parsingError } from '../errors.ts';
import { pythonRepr } from '../../domain/python-text.ts';
import { setKey } from '../functions/mapping.ts';
import type { DataTypes, PropertySchemas, ValueRules } from '../types/values.ts';
import { typedValue } from '../types/values.ts';
import { correctType } from './correct-type.ts';

/** How inputs are taken. */
export interface InputOptions {
  /** Finds the entities that inputs of types such as `deployment_id` name. */
  lookup: EntityLookup | undefined;
  /** Turn text into the number or boolean an input asks for. */
  correctsTypes: boolean;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Gives every declared input its value: the given one, else its default, else what its data type's defaults make, else
 * null when it is not required. Values are checked against constraints and type, and completed.
 *
 * @throws DslError MissingRequiredInputError or UnknownInputError with all names; ConstraintException;
 *   DSLParsingException 213 or 214; DSLParsingInputTypeException 108
 */
export async function prepareInputs(
  plan: Pick<Plan, 'inputs' | 'data_types'>,
  given: JsonObject,
  options: InputOptions,
): Promise<JsonObject> {
  const dataTypes = dataTypesOf(plan.data_types);
  const values: JsonObject = {};
  const missing: string[] = [];
  for (const [name, schema] of Object.entries(plan.inputs)) {
    const chosen = chooseValue(name, schema, given, dataTypes);
    if (chosen === undefined) {
      if (schema.required ?? true) {
        missing.push(name);
      } else {
        setKey(values, name, null);
      }
      continue;
    }
    const value = options.correctsTypes ? correctType(chosen, schema.type) : chosen;
    await checkConstraints(subjectOf(name, schema), value, options.lookup);
    setKey(values, name, completeValue(name, schema, value, dataTypes));
  }
  refuseNames(plan.inputs, given, missing);
  return values;
}

function refuseNames(declared: Plan['inputs'], given: JsonObject, missing: readonly string[]): void {
  const expected = `expected inputs: ${pythonRepr(Object.keys(declared))}`;
  if (missing.length > 0) {
    throw new DslError(
      'MissingRequiredInputError',
      `Required inputs ${pythonRepr(missing)} were not specified - ${expected}`,
    );
  }
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(declared, name));
  if (unknown.length > 0) {
    throw new DslError('UnknownInputError', `Unknown inputs ${pythonRepr(unknown)} specified - ${expected}`);
  }
}

function chooseValue(name: string, schema: PropertySchema, given: JsonObject, dataTypes: DataTypes): Json | undefined {
  if (Object.hasOwn(given, name)) {
    const value = given[name] as Json;
    if (hasLoneSurrogate(value)) {
      throw inputTypeError(
        108,
        `Illegal characters in input: ${name}. The text contains half of a character pair, which no encoding can store.`,
      );
    }
    return value;
  }
  return schema.default ?? valueOfDefaults(name, schema, dataTypes);
}

/** What an input of a data type whose fields all have defaults is without being given. */
function valueOfDefaults(name: string, schema: PropertySchema, dataTypes: DataTypes): Json | undefined {
  try {
    const value = typedValue({}, schema.type ?? undefined, rulesOf(name, dataTypes));
    return Object.keys(value as JsonObject).length > 0 ? value : undefined;
  } catch (error) {
    if (error instanceof DslError) {
      return undefined;
    }
    throw error;
  }
}

function completeValue(name: string, schema: PropertySchema, value: Json, dataTypes: DataTypes): Json {
  try {
    return typedValue(value, schema.type ?? undefined, rulesOf(name, dataTypes));
  } catch (error) {
    if (error instanceof DslError && error.className === 'DSLParsingLogicException') {
      throw parsingError(214, error.message, { path: ['inputs', name], remedy: error.remedy, cause: error });
    }
    throw error;
  }
}

function rulesOf(name: string, dataTypes: DataTypes): ValueRules {
  return {
    dataTypes,
    owner: name,
    undefinedMessage: (owner, property) => `Undefined property ${property} in value of input ${owner}.`,
    missingMessage: (owner, property) => `Value of input ${owner} is missing property ${property}.`,
    mustBeComplete: true,
    at: ['inputs', name],
  };
}

function dataTypesOf(dataTypes: JsonObject): DataTypes {
  const stored = dataTypes as unknown as Record<string, { properties: PropertySchemas }>;
  return { get: (name) => (Object.hasOwn(stored, name) ? stored[name] : undefined) };
}

/** Looks at every text without recursion: inputs come from outside and may be nested however deep. */
function hasLoneSurrogate(value: Json): boolean {
  const pending: Json[] = [value];
  for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
    if (typeof current === 'string') {
      if (LONE_SURROGATE.test(current)) {
        return true;
      }
    } else if (typeof current === 'object' && current !== null) {
      pending.push(...(Array.isArray(current) ? current : [...Object.keys(current), ...Object.values(current)]));
    }
  }
  return false;
}
