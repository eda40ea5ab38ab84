import type { Json, PropertySchema } from '../../domain/plan.ts';
import { logicError } from '../errors.ts';
import type { Path } from '../errors.ts';
import type { Problems } from '../problems.ts';
import { nearestName } from '../schema/names.ts';
import { setOwn } from '../yaml/marks.ts';
import { primitiveTypes } from './names.ts';
import { own, requireNoFloat, typedValue } from './values.ts';
import type { PropertySchemas, ValueRules } from './values.ts';

/** A mapping whose shape the tables have checked. */
export type Raw = Readonly<Record<string, unknown>>;

/** Data types known so far, with their names for hints. */
export interface KnownDataTypes {
  get(name: string): { readonly properties: PropertySchemas } | undefined;
  keys(): Iterable<string>;
}

export interface SchemaContext {
  readonly dataTypes: KnownDataTypes;
  readonly problems: Problems;
}

/** Property schemas of a type, with the defaults as the type itself writes them. */
export interface OwnSchemas {
  readonly schemas: Record<string, PropertySchema>;
  /** Defaults as written, before the data types' own defaults complete them. */
  readonly written: ReadonlyMap<string, Json>;
}

/**
 * Reads the schemas of properties of a type. A property of a data type has a default even when none is written: what
 * the data type's own defaults give.
 *
 * @param owner the type's name, for messages
 */
export function readProperties(raw: unknown, owner: string, path: Path, context: SchemaContext): OwnSchemas {
  const schemas: Record<string, PropertySchema> = {};
  const written = new Map<string, Json>();
  for (const [name, item] of Object.entries((raw ?? {}) as Record<string, Raw | null>)) {
    const at = [...path, name];
    const schema = { ...item } as PropertySchema;
    context.problems.attempt(at, () => {
      requireType(schema.type, at, context);
      const isDataTyped = Boolean(schema.type) && !primitiveTypes.has(schema.type ?? '');
      if (schema.default !== undefined && schema.default !== null) {
        written.set(name, schema.default);
      }
      const value = schema.default ?? (isDataTyped ? {} : undefined);
      if (value !== undefined) {
        const rules = defaultRules(owner, path, context.dataTypes, context.problems);
        requireNoFloat(item ?? {}, 'default', schema.type, rules, [name]);
        schema.default = typedValue(value, schema.type ?? undefined, rules, [name]);
      }
    });
    setOwn(schemas, name, schema);
  }
  return { schemas, written };
}

/**
 * Reads the schemas of inputs: of a blueprint, of an operation, or parameters of a workflow. Defaults of data types
 * must be complete.
 */
export function readInputs(raw: unknown, path: Path, context: SchemaContext): Record<string, PropertySchema> {
  const schemas: Record<string, PropertySchema> = {};
  for (const [name, item] of Object.entries((raw ?? {}) as Record<string, Raw | null>)) {
    const at = [...path, name];
    const schema = { ...item } as PropertySchema;
    context.problems.attempt(at, () => {
      requireType(schema.type, at, context);
      if (schema.default !== undefined && schema.default !== null) {
        const rules = inputRules(name, [...at, 'default'], context);
        requireNoFloat(item ?? {}, 'default', schema.type, rules, []);
        schema.default = typedValue(schema.default, schema.type ?? undefined, rules);
      }
    });
    setOwn(schemas, name, schema);
  }
  return schemas;
}

/**
 * Checks that a property's type exists.
 *
 * @throws DslError 103; KnownMistake when it does and is wrong itself
 */
export function requireType(type: string | null | undefined, path: Path, { dataTypes, problems }: SchemaContext): void {
  if (!type || primitiveTypes.has(type)) {
    return;
  }
  problems.requireSound('data_types', type);
  if (!dataTypes.get(type)) {
    throw logicError(103, `Illegal type name '${type}'`, {
      path: [...path, 'type'],
      remedy: nearestName(type, [...primitiveTypes, ...dataTypes.keys()]),
    });
  }
}

function defaultRules(owner: string, path: Path, dataTypes: KnownDataTypes, problems?: Problems): ValueRules {
  return {
    dataTypes,
    problems,
    owner,
    undefinedMessage: (name, property) => `Undefined property ${property} in default value of type ${name}`,
    missingMessage: (name, property) => `Missing property ${property} in default value of type ${name}`,
    mustBeComplete: false,
    at: path,
  };
}

function inputRules(name: string, path: Path, { dataTypes, problems }: SchemaContext): ValueRules {
  return {
    dataTypes,
    problems,
    owner: name,
    undefinedMessage: (owner, property) => `Undefined property ${property} in default value of input ${owner}.`,
    missingMessage: (owner, property) => `Value of input ${owner} is missing property ${property}.`,
    mustBeComplete: true,
    at: path,
  };
}

/**
 * Schemas of a type merged with those of the type it extends: its own come first and replace inherited ones as a
 * whole. Only when both are of one data type, the inherited default fills what the own default leaves out.
 */
export function inheritProperties(
  derived: OwnSchemas,
  inherited: PropertySchemas,
  dataTypes: KnownDataTypes,
): Record<string, PropertySchema> {
  const merged: Record<string, PropertySchema> = { ...derived.schemas };
  for (const [name, parent] of Object.entries(inherited)) {
    const schema = own(derived.schemas, name);
    if (!schema) {
      setOwn(merged, name, parent);
    } else if (schema.type && schema.type === parent.type && (parent.default ?? null) !== null) {
      if (dataTypes.get(schema.type) && !primitiveTypes.has(schema.type)) {
        const value = typedValue(
          derived.written.get(name) ?? {},
          schema.type,
          defaultRules(name, [], dataTypes),
          [],
          parent.default,
        );
        if (Object.keys(value as object).length > 0) {
          setOwn(merged, name, { ...schema, default: value });
        }
      }
    }
  }
  return merged;
}
