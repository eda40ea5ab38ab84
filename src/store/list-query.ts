/** Lists of every resource: scope, filters, search, rules, order and paging are written here once. */
import { GantryError } from '../domain/errors.ts';
import { fieldOf, markDocuments, selection, toEntities, wantsOf } from './entity-rows.ts';
import type { ReadOptions } from './entity-rows.ts';
import { escapePattern, ruleCondition } from './filter-rules.ts';
import type { Field, Resource, ResourceShape } from './resource.ts';
import type { ListQuery, Page, Scope, SortKey } from './scope.ts';
import { scopeCondition, scopeParts } from './scope-condition.ts';
import type { ScopePart } from './scope-condition.ts';
import type { Session } from './session.ts';
import { Parameters } from './values.ts';

const defaultSize = 1000;

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
  part: ScopePart,
  query: ListQuery,
  extra: readonly Condition[],
  parameters: Parameters,
): string {
  const conditions = [part(parameters)];
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

interface OrderKey {
  sql: string;
  direction: 'asc' | 'desc';
}

function orderOf(resource: ResourceShape, sort: readonly SortKey[], parameters: Parameters): OrderKey[] {
  const keys = sort.map(({ field, descending }): OrderKey => {
    const direction = descending ? 'desc' : 'asc';
    if (field.startsWith('label:') && resource.labels) {
      const key = parameters.add(field.slice('label:'.length));
      const sql = `(select array_agg(label.value order by label.value) from ${resource.labels} label where label.resource_id = ${resource.alias}.storage_id and label.key = ${key})`;
      return { sql, direction };
    }
    return { sql: fieldOf(resource, field, 'Sort').sql, direction };
  });
  return [...keys, ...resource.defaultOrder.split(', ').map((sql): OrderKey => ({ sql, direction: 'asc' }))];
}

function orderText(keys: readonly OrderKey[]): string {
  return keys.map(({ sql, direction }) => `${sql} ${direction}`).join(', ');
}

/** What a list is made of, and how. */
interface Listing {
  resource: ResourceShape;
  scope: Scope;
  query: ListQuery;
  extra: readonly Condition[];
}

async function count(session: Session, { resource, scope, query, extra }: Listing): Promise<number> {
  const parameters = new Parameters();
  const counts = scopeParts(resource.scope, scope).map((part) => {
    const conditions = conditionsOf(resource, part, query, extra, parameters);
    return `(select count(*) from ${resource.from} where ${conditions})`;
  });
  const [row] = await session.query<{ count: number }>(`select ${counts.join(' + ')} as count`, parameters.values);
  return row?.count ?? 0;
}

function allStatement({ resource, scope, query, extra }: Listing, selected: string, parameters: Parameters): string {
  const part: ScopePart = () => scopeCondition(resource.scope, scope, parameters);
  const conditions = conditionsOf(resource, part, query, extra, parameters);
  const order = orderText(orderOf(resource, query.sort ?? [], parameters));
  return `select ${selected} from ${resource.from} where ${conditions} order by ${order}`;
}

/**
 * Chooses the rows of the page by their keys alone, in parts that indexes can read in order, and reads what was asked
 * for of those: rows that are wide or joined to many others must not all be sorted.
 */
function pageStatement(
  { resource, scope, query, extra }: Listing,
  selected: string,
  { size, offset }: { size: number; offset: number },
  parameters: Parameters,
): string {
  const limit = parameters.add(size);
  const skipped = parameters.add(offset);
  let directions: OrderKey['direction'][] = [];
  const parts = scopeParts(resource.scope, scope).map((part) => {
    const conditions = conditionsOf(resource, part, query, extra, parameters);
    const keys = orderOf(resource, query.sort ?? [], parameters);
    directions = keys.map(({ direction }) => direction);
    const columns = keys.map(({ sql }, index) => `${sql} as key_${index}`).join(', ');
    return `(select ${resource.alias}.storage_id as page_id, ${columns} from ${resource.from} where ${conditions} order by ${orderText(keys)} limit ${limit}::bigint + ${skipped}::bigint)`;
  });
  const order = directions.map((direction, index) => `page.key_${index} ${direction}`).join(', ');
  const rows = resource.from.replace(
    `${resource.table} ${resource.alias}`,
    `(select * from (${parts.join(' union all ')}) page order by ${order} limit ${limit} offset ${skipped}) page
       join ${resource.table} ${resource.alias} on ${resource.alias}.storage_id = page.page_id`,
  );
  return `select ${selected} from ${rows} order by ${order}`;
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
  const listing: Listing = { resource, scope, query, extra };
  const selected = selection(resource, wants, query.areDocumentsText);
  const size = query.size ?? defaultSize;
  const offset = query.all ? 0 : (query.offset ?? 0);
  const statement = query.all
    ? allStatement(listing, selected, parameters)
    : pageStatement(listing, selected, { size, offset }, parameters);
  const rows = await session.query(statement, parameters.values);
  if (query.areDocumentsText) {
    markDocuments(resource, rows);
  }
  const isLastPage = query.all === true || (rows.length < size && (rows.length > 0 || offset === 0));
  const total = isLastPage ? offset + rows.length : await count(session, listing);
  const isFiltered = (query.rules?.length ?? 0) > 0;
  const filtered = isFiltered ? (await count(session, { resource, scope, query: {}, extra: [] })) - total : undefined;
  return { items: await toEntities(session, resource, rows, wants), total, filtered };
}

export interface FindOptions extends Omit<ReadOptions, 'lock'> {
  order?: string;
  limit?: number;
  /** Lock the rows until the transaction ends; `free`: leave out those that somebody else has locked. */
  lock?: boolean | 'free';
}

/** Entities that meet `condition`, whatever tenant they are of: how the engine and other stores read. */
export async function findResources<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  condition: Condition,
  options: FindOptions = {},
): Promise<Entity[]> {
  const parameters = new Parameters();
  const wants = wantsOf(options.fields);
  const others = options.lock === 'free' ? 'skip locked' : '';
  const where = condition(parameters);
  const limit = options.limit === undefined ? '' : `limit ${options.limit}`;
  const rows = await session.prepared(
    `select ${selection(resource, wants)} from ${resource.from} where ${where} order by ${options.order ?? resource.defaultOrder} ${limit} ${options.lock ? `for no key update of ${resource.alias} ${others}` : ''}`,
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
  const part: ScopePart = () => scopeCondition(resource.scope, scope, parameters);
  const conditions = conditionsOf(resource, part, query, extra, parameters);
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
