import { blueprint } from './schema/blueprint.ts';
import type { Element, Schema, ValueType } from './schema/element.ts';
import { isOlder, supportedVersions, versionKey, versionNumbers } from './versions.ts';
import type { Version } from './versions.ts';

/** A JSON Schema document, or a part of one. */
export interface JsonSchema {
  [keyword: string]: unknown;
}

const jsonTypes: Record<ValueType, string> = {
  string: 'string',
  boolean: 'boolean',
  integer: 'integer',
  float: 'number',
  list: 'array',
  dict: 'object',
};

/**
 * A JSON Schema (draft 2020-12) of blueprints, for editors: it knows every section and field, what is required, and
 * which version has what. Rules that need the whole blueprint are the parser's.
 *
 * @param versionText a supported version, `cloudify_dsl_1_5`; constructs it does not have are left out
 */
export function blueprintJsonSchema(versionText: string = supportedVersions.at(-1) ?? ''): JsonSchema {
  const version = versionNumbers(versionText);
  if (!version) {
    throw new RangeError(`There is no version ${versionText}; there are ${supportedVersions.join(', ')}`);
  }
  const schema = schemaOf(blueprint, version);
  const properties = schema['properties'] as JsonSchema;
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `Blueprint (${versionText})`,
    ...schema,
    properties: {
      ...properties,
      [versionKey]: { enum: supportedVersions, description: 'Version of the blueprint language.' },
      imports: importsSchema(version),
    },
    required: [versionKey],
  };
}

function importsSchema(version: Version): JsonSchema {
  const withProperties: JsonSchema = { type: 'object', minProperties: 1, maxProperties: 1 };
  return {
    type: 'array',
    description: 'Files, plugins and blueprints that are merged into this one.',
    items: isOlder(version, [1, 5]) ? { type: 'string' } : { anyOf: [{ type: 'string' }, withProperties] },
  };
}

function schemaOf(element: Element, version: Version): JsonSchema {
  const alternatives = element.schemas.map((schema) => shapeOf(schema, element, version));
  const [only] = alternatives;
  const shape: JsonSchema = alternatives.length === 1 && only ? only : { anyOf: alternatives };
  const described = element.about === undefined ? shape : { description: element.about, ...shape };
  return element.isRequired ? described : orNull(described);
}

/** Where nothing is required, an empty value is fine. */
function orNull(schema: JsonSchema): JsonSchema {
  const { type } = schema;
  if (typeof type === 'string') {
    const choices = Array.isArray(schema['enum']) ? { enum: [...(schema['enum'] as unknown[]), null] } : {};
    return { ...schema, type: [type, 'null'], ...choices };
  }
  if (Array.isArray(type)) {
    return { ...schema, type: [...(type as string[]), 'null'] };
  }
  if (Array.isArray(schema['anyOf'])) {
    return { ...schema, anyOf: [...(schema['anyOf'] as JsonSchema[]), { type: 'null' }] };
  }
  return schema;
}

function shapeOf(schema: Schema, element: Element, version: Version): JsonSchema {
  switch (schema.kind) {
    case 'leaf': {
      const types = [...new Set(schema.types.map((type) => jsonTypes[type]))];
      const choices = element.choices ? { enum: element.choices } : {};
      return { type: types.length === 1 ? types[0] : types, ...choices };
    }
    case 'list':
      return { type: 'array', items: schemaOf(schema.of, version) };
    case 'dict':
      return { type: 'object', additionalProperties: schemaOf(schema.of, version) };
    case 'fields': {
      const known = Object.entries(schema.fields).filter(([, { since }]) => !since || !isOlder(version, since));
      const required = known.filter(([, { isRequired }]) => isRequired).map(([name]) => name);
      return {
        type: 'object',
        properties: Object.fromEntries(known.map(([name, field]) => [name, schemaOf(field, version)])),
        additionalProperties: false,
        ...(required.length > 0 ? { required } : {}),
      };
    }
  }
}
