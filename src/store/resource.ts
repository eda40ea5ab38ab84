/** How an entity is read from its tables: what `list-query.ts` needs to know. */
import type { Session } from './session.ts';

export type FieldType = 'text' | 'integer' | 'number' | 'boolean' | 'timestamp' | 'json';

export interface Field {
  /** Expression over the tables of the resource. */
  sql: string;
  type: FieldType;
  /** Costly to load: read only when asked for. */
  isHeavy?: true;
  /** Usable in filters and sort keys only. */
  isHidden?: true;
}

/** The tables and columns of a resource. */
export interface ResourceShape {
  /** Name in messages, e.g. `Deployment`. */
  kind: string;
  /** Table of the rows themselves. */
  table: string;
  /** Tables with their joins, the first as `table alias`; names are left joins, which cost nothing where they are not used. */
  from: string;
  /** Name of the table in the statement: a row lock is taken on it, and its storage_id tells rows apart. */
  alias: string;
  /** Columns with the tenant, creator and visibility of a row. */
  scope: { tenant: string; creator: string; visibility: string };
  fields: Readonly<Record<string, Field>>;
  /** Appended to every order. */
  defaultOrder: string;
  /** Table with the labels. */
  labels?: string;
  /** Keys of attribute filter rules. */
  attributes?: Readonly<Record<string, string>>;
}

/** How rows of a resource become entities. */
export interface Resource<Entity> extends ResourceShape {
  /** Values for heavy fields that were not asked for. */
  defaults?: Partial<Entity>;
  /** Adds what lies in other tables, one statement for all items; `wants` tells which fields are used. */
  attach?: (session: Session, items: Entity[], wants: (field: string) => boolean) => Promise<void>;
  /** The same for a single row, within its statement; both or none. */
  embedded?: Readonly<Record<string, Embedded>>;
}

/** What lies in other tables, as one JSON value. */
export interface Embedded {
  /** Expression over the tables of the resource. */
  sql: string;
  /** Makes the member of the entity of the parsed value. */
  read: (value: unknown) => unknown;
  /** Read only when named, also where everything is asked for. */
  isOnRequest?: true;
}

export function text(sql: string): Field {
  return { sql, type: 'text' };
}

export function integer(sql: string): Field {
  return { sql, type: 'integer' };
}

export function number(sql: string): Field {
  return { sql, type: 'number' };
}

export function boolean(sql: string): Field {
  return { sql, type: 'boolean' };
}

export function timestamp(sql: string): Field {
  return { sql, type: 'timestamp' };
}

export function json(sql: string): Field {
  return { sql, type: 'json' };
}

export function heavy(field: Field): Field {
  return { ...field, isHeavy: true };
}

export function hidden(field: Field): Field {
  return { ...field, isHidden: true };
}

/**
 * The fields every tenant-scoped table has.
 * @param alias of the table; `tenants` and `creators` must be joined, see `resourceJoins`
 */
export function resourceFields(alias: string): Record<string, Field> {
  return {
    storageId: integer(`${alias}.storage_id`),
    id: text(`${alias}.id`),
    ...scopeFields(alias),
  };
}

/** Tenant, creator and visibility of the row `alias`; for children that have none of their own, of their parent. */
export function scopeFields(alias: string, creator = alias): Record<string, Field> {
  return {
    tenantId: integer(`${alias}.tenant_id`),
    tenantName: text('tenants.name'),
    creatorId: integer(`${creator}.creator_id`),
    createdBy: text('creators.username'),
    visibility: text(`${alias}.visibility`),
    isPrivate: hidden(boolean(`(${alias}.visibility = 'private')`)),
  };
}

export function resourceJoins(alias: string, creator = alias): string {
  return `left join tenants on tenants.id = ${alias}.tenant_id left join users creators on creators.id = ${creator}.creator_id`;
}

export function scopeOf(alias: string, creator = alias): ResourceShape['scope'] {
  return { tenant: `${alias}.tenant_id`, creator: `${creator}.creator_id`, visibility: `${alias}.visibility` };
}
