/** Lists and single reads of every resource: scope, filters, search, rules, order and paging are written here once. */
import { GantryError, notFound } from '../domain/errors.ts';
import { escapePattern, ruleCondition } from './filter-rules.ts';
import type { Field, Resource, ResourceShape } from './resource.ts';
import type { ListQuery, Page, Scope, SortKey } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters, withoutNulls } from './values.ts';

const defaultSize = 1000;

function fieldOf(resource: ResourceShape, name: string, use: string): Field {
  const field = Object.hasOwn(resource.fields, name) ? resource.fields[name] : undefined;
  if (!field) {
    throw new GantryError(
      'bad_parameters_error',
      `${use} keys '['${name}']' do not exist. Allowed keys are: [${Object.keys(resource.fields)
        .map((key) => `'${key}'`)
        .join(', ')}]`,
    );
  }
  return field;
}

/** The condition for rows that `scope` may see. */
export function scopeCondition(columns: ResourceShape['scope'], scope: Scope, parameters: Parameters): string {
  const conditions: string[] = [];
  if (scope.tenants !== 'all') {
    const tenants = parameters.add([...(scope.tenants ?? [scope.tenantId])]);
    conditions.push(`(${columns.tenant} = any(${tenants}::integer[]) or ${columns.visibility} = 'global')`);
  }
  if (scope.viewer && scope.viewer.administers !== 'all') {
    const user = parameters.add(scope.viewer.userId);
    const administered = parameters.add([...scope.viewer.administers]);
    conditions.push(
      `(${columns.visibility} <> 'private' or ${columns.creator} = ${user} or ${columns.tenant} = any(${administered}::integer[]))`,
    );
  }
  return conditions.join(' and ') || 'true';
}

function refuseValue(name: string, value: string, expected: string): never {
  throw new GantryError('bad_parameters_error', `The filter ${name} expects ${expected}, got "${value}"`);
}

function filterValue(name: string, type: Field['type'], value: string): unknown {
  switch (type) {
    case 'text':
      return value;
    case 'integer':
      return /^-?\d{1,15}$/.test(value) ? Number(value) : refuseValue(name, value, 'a whole number');
    case 'number':
      return value.trim() !== '' && Number.isFinite(Number(value))
        ? Number(value)
        : refuseValue(name, value, 'a number');
    case 'boolean':
      return /^(true|false)$/i.test(value) ? value.toLowerCase() === 'true' : refuseValue(name, value, 'true or false');
    case 'timestamp':
      return Number.isNaN(Date.parse(value)) ? refuseValue(name, value, 'a time') : new Date(value).toISOString();
    case 'json':
      try {
        return JSON.stringify(JSON.parse(value));
      } catch {
        return refuseValue(name, value, 'a JSON document');
      }
  }
}

const arrayTypes: Readonly<Record<Field['type'], string>> = {
  text: 'text[]',
  integer: 'bigint[]',
  number: 'double precision[]',
  boolean: 'boolean[]',
  timestamp: 'timestamptz[]',
  json: 'jsonb[]',
};

function equality(resource: ResourceShape, name: string, values: readonly string[], parameters: Parameters): string {
  const field = fieldOf(resource, name, 'Filter');
  const converted = values.map((value) => filterValue(name, field.type, value));
  const sql = field.type === 'json' ? `(${field.sql})::jsonb` : field.sql;
  return `${sql} = any(${parameters.add(converted)}::${arrayTypes[field.type]})`;
}

function searchCondition(
  resource: ResourceShape,
  search: Readonly<Record<string, string>>,
  parameters: Parameters,
): string {
  const alternatives = Object.entries(search).map(([name, value]) => {
    const pattern = parameters.add(`%${escapePattern(value.normalize('NFKC'))}%`);
    return `${fieldOf(resource, name, 'Search').sql} ilike ${pattern}`;
  });
  return `(${alternatives.join(' or ')})`;
}

/** A further condition of one list, such as membership in a group; gets the parameters to add values to. */
export type Condition = (parameters: Parameters) => string;

function conditionsOf(
  resource: ResourceShape,
  scope: Scope,
  query: ListQuery,
  extra: readonly Condition[],
  parameters: Parameters,
): string {
  const conditions = [scopeCondition(resource.scope, scope, parameters)];
  for (const condition of extra) {
    conditions.push(condition(parameters));
  }
  for (const [name, values] of Object.entries(query.filters ?? {})) {
    conditions.push(equality(resource, name, values, parameters));
  }
  if (query.search && Object.keys(query.search).length > 0) {
    conditions.push(searchCondition(resource, query.search, parameters));
  }
  for (const rule of query.rules ?? []) {
    conditions.push(ruleCondition(resource, rule, parameters));
  }
  return conditions.join(' and ');
}

function orderOf(resource: ResourceShape, sort: readonly SortKey[], parameters: Parameters): string {
  const keys = sort.map(({ field, descending }) => {
    const direction = descending ? 'desc' : 'asc';
    if (field.startsWith('label:') && resource.labels) {
      const key = parameters.add(field.slice('label:'.length));
      return `(select array_agg(label.value order by label.value) from ${resource.labels} label where label.resource_id = ${resource.alias}.storage_id and label.key = ${key}) ${direction}`;
    }
    return `${fieldOf(resource, field, 'Sort').sql} ${direction}`;
  });
  return [...keys, resource.defaultOrder].join(', ');
}

function selection(resource: ResourceShape, wants: (field: string) => boolean): string {
  return Object.entries(resource.fields)
    .filter(([name, field]) => !field.isHidden && (!field.isHeavy || wants(name)))
    .map(([name, field]) => `${field.sql} as "${name}"`)
    .join(', ');
}

function wantsOf(fields: readonly string[] | undefined): (field: string) => boolean {
  if (!fields) {
    return () => true;
  }
  const wanted = new Set(fields);
  return (field) => wanted.has(field);
}

async function toEntities<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  rows: object[],
  wants: (field: string) => boolean,
): Promise<Entity[]> {
  const defaults = Object.entries(resource.defaults ?? {});
  const items = rows.map((row) => {
    const members = withoutNulls(row) as Record<string, unknown>;
    for (const [name, value] of defaults) {
      members[name] ??= value;
    }
    return members as Entity;
  });
  if (items.length > 0) {
    await resource.attach?.(session, items, wants);
  }
  return items;
}

async function count(
  session: Session,
  resource: ResourceShape,
  scope: Scope,
  query: ListQuery,
  extra: readonly Condition[],
): Promise<number> {
  const parameters = new Parameters();
  const conditions = conditionsOf(resource, scope, query, extra, parameters);
  const [row] = await session.query<{ count: number }>(
    `select count(*) as count from ${resource.from} where ${conditions}`,
    parameters.values,
  );
  return row?.count ?? 0;
}

/**
 * One page of a resource.
 * @param extra conditions the generic query cannot express
 * @throws GantryError bad_parameters_error for unknown fields and unfit values, invalid_filter_rule
 */
export async function listResources<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  scope: Scope,
  query: ListQuery,
  extra: readonly Condition[] = [],
): Promise<Page<Entity>> {
  const parameters = new Parameters();
  const wants = wantsOf(query.fields);
  const conditions = conditionsOf(resource, scope, query, extra, parameters);
  const order = orderOf(resource, query.sort ?? [], parameters);
  const size = query.size ?? defaultSize;
  const offset = query.all ? 0 : (query.offset ?? 0);
  const paging = query.all ? '' : `limit ${parameters.add(size)} offset ${parameters.add(offset)}`;
  const rows = await session.query(
    `select ${selection(resource, wants)} from ${resource.from} where ${conditions} order by ${order} ${paging}`,
    parameters.values,
  );
  const isLastPage = query.all === true || (rows.length < size && (rows.length > 0 || offset === 0));
  const total = isLastPage ? offset + rows.length : await count(session, resource, scope, query, extra);
  const isFiltered = (query.rules?.length ?? 0) > 0;
  const filtered = isFiltered ? (await count(session, resource, scope, {}, [])) - total : undefined;
  return { items: await toEntities(session, resource, rows, wants), total, filtered };
}

export interface ReadOptions {
  /** Costly fields to load; undefined = all. */
  fields?: readonly string[];
  /** Lock the row until the transaction ends. */
  lock?: boolean;
}

/**
 * The one row of `scope` whose fields have the given values.
 * @throws GantryError not_found_error; ambiguous_name when an own and a global row (or rows of several tenants) match
 */
export async function getResource<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  scope: Scope,
  key: Readonly<Record<string, string | number>>,
  options: ReadOptions = {},
): Promise<Entity> {
  const parameters = new Parameters();
  const wants = wantsOf(options.fields);
  const conditions = [
    scopeCondition(resource.scope, scope, parameters),
    ...Object.entries(key).map(
      ([name, value]) => `${fieldOf(resource, name, 'Filter').sql} = ${parameters.add(value)}`,
    ),
  ];
  const rows = await session.prepared(
    `select ${selection(resource, wants)} from ${resource.from} where ${conditions.join(' and ')} limit 2 ${options.lock ? `for update of ${resource.alias}` : ''}`,
    parameters.values,
  );
  const [id] = Object.values(key);
  if (rows.length > 1) {
    throw new GantryError(
      'ambiguous_name',
      `More than one \`${resource.kind}\` with ID \`${String(id)}\` can be seen: one of this tenant and a global one. Call from the tenant the other one belongs to, or rename one.`,
    );
  }
  const [entity] = await toEntities(session, resource, rows, wants);
  if (!entity) {
    throw notFound(resource.kind, String(id));
  }
  return entity;
}

/** Entities that meet `condition`, whatever tenant they are of: how the engine and other stores read. */
export async function findResources<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  condition: Condition,
  options: ReadOptions & { order?: string; limit?: number } = {},
): Promise<Entity[]> {
  const parameters = new Parameters();
  const wants = wantsOf(options.fields);
  const where = condition(parameters);
  const limit = options.limit === undefined ? '' : `limit ${parameters.add(options.limit)}`;
  const rows = await session.prepared(
    `select ${selection(resource, wants)} from ${resource.from} where ${where} order by ${options.order ?? resource.defaultOrder} ${limit} ${options.lock ? `for update of ${resource.alias}` : ''}`,
    parameters.values,
  );
  return toEntities(session, resource, rows, wants);
}

/**
 * Entities of the rows that a statement inserted or changed, in the same statement.
 * @param statement an insert or update of the table of the resource, without `returning`
 * @param returning what it returns: `*`, or `alias.*` when it has a `from`
 */
export async function returnResources<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  statement: string,
  parameters: Parameters,
  returning = '*',
): Promise<Entity[]> {
  const from = resource.from.replace(`${resource.table} ${resource.alias}`, `changed ${resource.alias}`);
  const rows = await session.prepared(
    `with changed as (${statement} returning ${returning}) select ${selection(resource, () => true)} from ${from} order by ${resource.defaultOrder}`,
    parameters.values,
  );
  return toEntities(session, resource, rows, () => true);
}

export interface SummaryRow {
  value: unknown;
  subValue: unknown;
  count: number;
}

/**
 * Counts rows by one or two fields, ordered by them. Paging counts groups.
 *
 * @param extra further conditions on the rows
 * @throws GantryError bad_parameters_error
 */
export async function summarize(
  session: Session,
  resource: ResourceShape,
  scope: Scope,
  query: ListQuery,
  by: { field: string; subField?: string | undefined },
  extra: readonly Condition[] = [],
): Promise<{ items: SummaryRow[]; total: number }> {
  const parameters = new Parameters();
  const conditions = conditionsOf(resource, scope, query, extra, parameters);
  const value = fieldOf(resource, by.field, 'Summary').sql;
  const subValue = by.subField === undefined ? 'null::text' : fieldOf(resource, by.subField, 'Summary').sql;
  const groups = `select ${value} as value, ${subValue} as "subValue", count(*) as count from ${resource.from} where ${conditions} group by 1, 2`;
  const paging = query.all
    ? ''
    : `limit ${parameters.add(query.size ?? defaultSize)} offset ${parameters.add(query.offset ?? 0)}`;
  const rows = await session.query<SummaryRow & { total: number }>(
    `select value, "subValue", count, count(*) over () as total from (${groups}) groups order by 1, 2 ${paging}`,
    parameters.values,
  );
  return {
    items: rows.map(({ value: first, subValue: second, count: rowCount }) => ({
      value: first,
      subValue: second,
      count: rowCount,
    })),
    total: rows[0]?.total ?? 0,
  };
}
