import { GantryError } from '../../domain/errors.ts';
import type { Resource } from '../../domain/entities.ts';
import { JsonText } from '../../domain/json-text.ts';
import { pythonRepr } from '../../domain/python-text.ts';

export type FieldType = 'text' | 'integer' | 'number' | 'boolean' | 'timestamp' | 'json';

/** One member of a resource on the wire. */
export interface Field<Entity> {
  readonly name: string;
  readonly type: FieldType;
  readonly read: (entity: Entity) => unknown;
  /** Field of the entity by which the store sorts and filters; computed members have none. */
  readonly column?: string;
  /** Entity fields that `read` looks at; the store leaves costly ones out when they are not needed. */
  readonly needs: readonly string[];
  /** The only values a filter may have. */
  readonly values?: readonly string[];
  /** The only values an answer has, where these are others. */
  readonly shown?: readonly string[];
  /** What a filter by a value also finds: values that clients see as this one. */
  readonly alike?: Readonly<Record<string, readonly string[]>>;
}

/** How one kind of resource looks on the wire: its members in order, and what lists of it accept. */
export interface Shape<Entity> {
  /** Class name in messages, e.g. `Deployment`. */
  readonly kind: string;
  /** Name in the OpenAPI document, where the class has answers of several shapes. */
  readonly component?: string;
  readonly fields: readonly Field<Entity>[];
  /** Filter and sort keys that are not members: wire name -> entity field. */
  readonly extraColumns?: Readonly<Record<string, string>>;
  /** Members of older versions that are accepted in `_include` and never given. */
  readonly retired?: readonly string[];
}

interface FieldOptions {
  readonly values?: readonly string[];
}

type KeyOf<Entity> = Extract<keyof Entity, string>;

function column<Entity>(type: FieldType, name: string, key: KeyOf<Entity>, options: FieldOptions = {}): Field<Entity> {
  return { name, type, read: (entity) => entity[key], column: key, needs: [key], ...options };
}

/** Makes the members of one kind of entity; `key` is the entity's field behind a member. */
export function fieldsOf<Entity>(): FieldMaker<Entity> {
  return {
    text: (name, key, options) => column('text', name, key, options),
    integer: (name, key) => column('integer', name, key),
    number: (name, key) => column('number', name, key),
    boolean: (name, key) => column('boolean', name, key),
    timestamp: (name, key) => column('timestamp', name, key),
    json: (name, key) => ({ name, type: 'json', read: (entity) => entity[key], needs: [key] }),
    computed: (name, needs, read, type = 'json') => ({ name, type, read, needs }),
  };
}

export interface FieldMaker<Entity> {
  readonly text: (name: string, key: KeyOf<Entity>, options?: FieldOptions) => Field<Entity>;
  readonly integer: (name: string, key: KeyOf<Entity>) => Field<Entity>;
  readonly number: (name: string, key: KeyOf<Entity>) => Field<Entity>;
  readonly boolean: (name: string, key: KeyOf<Entity>) => Field<Entity>;
  readonly timestamp: (name: string, key: KeyOf<Entity>) => Field<Entity>;
  /** A stored document: it can be asked for, but not sorted or filtered by. */
  readonly json: (name: string, key: KeyOf<Entity>) => Field<Entity>;
  readonly computed: (
    name: string,
    needs: readonly KeyOf<Entity>[],
    read: (entity: Entity) => unknown,
    type?: FieldType,
  ) => Field<Entity>;
}

export const visibilities = ['private', 'tenant', 'global'] as const;

/** The members that most resources begin with. */
export function headFields<Entity extends Resource & { readonly createdAt: Date }>(): Field<Entity>[] {
  return [
    {
      name: 'created_at',
      type: 'timestamp',
      read: (entity) => entity.createdAt,
      column: 'createdAt',
      needs: ['createdAt'],
    },
    { name: 'id', type: 'text', read: (entity) => entity.id, column: 'id', needs: ['id'] },
    {
      name: 'visibility',
      type: 'text',
      read: (entity) => entity.visibility,
      column: 'visibility',
      needs: ['visibility'],
      values: visibilities,
    },
  ];
}

/** The members at the end of every resource of a tenant. */
export function commonFields<Entity extends Resource>(): Field<Entity>[] {
  return [
    { name: 'tenant_name', type: 'text', read: (entity) => entity.tenantName, column: 'tenantName', needs: [] },
    { name: 'created_by', type: 'text', read: (entity) => entity.createdBy, column: 'createdBy', needs: [] },
    {
      name: 'resource_availability',
      type: 'text',
      read: (entity) => entity.visibility,
      column: 'visibility',
      needs: [],
      values: visibilities,
    },
    {
      name: 'private_resource',
      type: 'boolean',
      read: (entity) => entity.visibility === 'private',
      column: 'isPrivate',
      needs: [],
    },
  ];
}

function marshal(type: FieldType, value: unknown): unknown {
  if (value === undefined || value === null) {
    return type === 'integer' ? 0 : null;
  }
  return value instanceof Date ? value.toISOString() : value;
}

/**
 * Which members an answer has.
 * @param include names asked for; undefined or empty = all
 * @throws GantryError no_such_include_field_error
 */
export function selectFields<Entity>(
  shape: Shape<Entity>,
  include: readonly string[] | undefined,
): readonly Field<Entity>[] {
  if (include === undefined || include.length === 0) {
    return shape.fields;
  }
  const known = new Set([...shape.fields.map(({ name }) => name), ...(shape.retired ?? [])]);
  const unknown = include.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new GantryError(
      'no_such_include_field_error',
      `Include keys '${pythonRepr(unknown)}' do not exist. Allowed keys are: ${pythonRepr(
        shape.fields.map(({ name }) => name),
      )}`,
    );
  }
  const wanted = new Set(include);
  return shape.fields.filter(({ name }) => wanted.has(name));
}

/** The entity as it goes over the wire: members in order, absent ones as null, missing integers as 0. */
export function project<Entity>(fields: readonly Field<Entity>[], entity: Entity): Record<string, unknown> {
  const projected: Record<string, unknown> = {};
  for (const field of fields) {
    projected[field.name] = marshal(field.type, field.read(entity));
  }
  return projected;
}

const beginnings = new WeakMap<object, string>();

/** `,"name":` of a member. */
function beginningOf(field: { readonly name: string }): string {
  let beginning = beginnings.get(field);
  if (beginning === undefined) {
    beginning = `,${JSON.stringify(field.name)}:`;
    beginnings.set(field, beginning);
  }
  return beginning;
}

function writeValue(type: FieldType, value: unknown): string {
  if (value === undefined || value === null) {
    return type === 'integer' ? '0' : 'null';
  }
  if (value instanceof JsonText) {
    return value.text;
  }
  return value instanceof Date ? `"${value.toISOString()}"` : (JSON.stringify(value) ?? 'null');
}

/** The same as `project`, as JSON: documents that are texts already stay as they are. */
export function writeProjected<Entity>(fields: readonly Field<Entity>[], entity: Entity): string {
  let text = '';
  for (const field of fields) {
    text += beginningOf(field) + writeValue(field.type, field.read(entity));
  }
  return `{${text.slice(1)}}`;
}

/** The entity with the members asked for. @throws GantryError no_such_include_field_error */
export function shapeOne<Entity>(
  shape: Shape<Entity>,
  entity: Entity,
  include?: readonly string[],
): Record<string, unknown> {
  return project(selectFields(shape, include), entity);
}

/** Entity fields that the members asked for are made of. */
export function neededFields<Entity>(fields: readonly Field<Entity>[]): readonly string[] {
  let needed = neededBy.get(fields);
  if (!needed) {
    needed = [...new Set(fields.flatMap(({ needs }) => needs))];
    neededBy.set(fields, needed);
  }
  return needed;
}

/** Most answers have all members of their shape. */
const neededBy = new WeakMap<readonly unknown[], readonly string[]>();
