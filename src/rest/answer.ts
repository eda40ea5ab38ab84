import type { JsonSchema } from './body.ts';
import type { Field, FieldType, Shape } from './shapes/field.ts';

/** What a route answers when it has done what was asked; the OpenAPI document tells it. */
export interface AnswerDescription {
  /** Undefined where the answer has no body. */
  readonly contentType: string | undefined;
  /** Of JSON bodies. A schema with a `title` becomes a component of that name. */
  readonly schema?: JsonSchema;
  /** Whether there may be nothing to tell: status 204 then. */
  readonly isOptional?: boolean;
  /** Whether it leads a browser elsewhere. */
  readonly isRedirect?: boolean;
}

const schemaOfType: Readonly<Record<FieldType, JsonSchema>> = {
  text: { type: ['string', 'null'] },
  integer: { type: ['integer', 'null'] },
  number: { type: ['number', 'null'] },
  boolean: { type: ['boolean', 'null'] },
  timestamp: { type: ['string', 'null'], format: 'date-time' },
  json: {},
};

function schemaOfField<Entity>({ name, type, values, shown = values }: Field<Entity>): [string, JsonSchema] {
  return [name, shown === undefined ? schemaOfType[type] : { ...schemaOfType[type], enum: [...shown, null] }];
}

const schemas = new WeakMap<object, JsonSchema>();

/** The members that an answer of this shape may have; `_include` leaves some out. */
export function schemaOfShape<Entity>(shape: Shape<Entity>): JsonSchema {
  const known = schemas.get(shape);
  if (known) {
    return known;
  }
  const schema = {
    title: shape.component ?? shape.kind,
    type: 'object',
    properties: Object.fromEntries(shape.fields.map(schemaOfField)),
  };
  schemas.set(shape, schema);
  return schema;
}

/** Members by their type, for answers that are not made of a shape. */
export type Members = Readonly<Record<string, FieldType | JsonSchema>>;

function schemaOfMembers(members: Members): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(members).map(([name, member]) => [name, typeof member === 'string' ? schemaOfType[member] : member]),
  );
}

/** An object of which every member is there. @param title name of the component; undefined = not one of its own */
export function record(title: string | undefined, members: Members): JsonSchema {
  return {
    ...(title === undefined ? {} : { title }),
    type: 'object',
    required: Object.keys(members),
    properties: schemaOfMembers(members),
  };
}

/** An object that may have these members. */
export function partial(title: string, members: Members): JsonSchema {
  return { title, type: 'object', properties: schemaOfMembers(members) };
}

const pagination = record('Pagination', {
  total: { type: 'integer' },
  size: { type: 'integer' },
  offset: { type: 'integer' },
});

const metadata: JsonSchema = {
  type: 'object',
  required: ['pagination'],
  properties: { pagination, filtered: { type: ['integer', 'null'] } },
};

/** Any JSON value. */
export function json(schema: JsonSchema): AnswerDescription {
  return { contentType: 'application/json', schema };
}

/** One resource. */
export function single<Entity>(shape: Shape<Entity>): AnswerDescription {
  return json(schemaOfShape(shape));
}

/** A page of items. @param items their schema */
export function paged(items: JsonSchema): AnswerDescription {
  return json({ type: 'object', required: ['items', 'metadata'], properties: { items: list(items), metadata } });
}

/** A page of resources. */
export function pageOf<Entity>(shape: Shape<Entity>): AnswerDescription {
  return paged(schemaOfShape(shape));
}

export function list(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

/** An object with values of one kind under any names. */
export function mapOf(values: JsonSchema): JsonSchema {
  return { type: 'object', additionalProperties: values };
}

/** Text that is always there. */
export const textSchema: JsonSchema = { type: 'string' };

/** Done, and nothing to tell: status 204. */
export const nothing: AnswerDescription = { contentType: undefined };

/** Done, told by the JSON value `null`. */
export const none: AnswerDescription = json({ type: 'null' });

/** Leads a browser elsewhere: status 302. */
export const redirect: AnswerDescription = { contentType: undefined, isRedirect: true };

/** The same answer, or 204 where there is nothing to tell. */
export function optional(answer: AnswerDescription): AnswerDescription {
  return { ...answer, isOptional: true };
}

/** The content of a file. */
export function file(contentType = 'application/octet-stream'): AnswerDescription {
  return { contentType };
}
