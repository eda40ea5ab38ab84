/** Reads of a single row by its id, of every resource. */
import { LRUCache } from 'lru-cache';
import { GantryError, notFound } from '../domain/errors.ts';
import {
  bareEntities,
  documentSelection,
  fieldOf,
  isDocument,
  markDocuments,
  toEntities,
  wantsOf,
} from './entity-rows.ts';
import type { ReadOptions } from './entity-rows.ts';
import type { Resource, ResourceShape } from './resource.ts';
import type { Scope } from './scope.ts';
import { scopeCondition } from './scope-condition.ts';
import type { Session } from './session.ts';
import { Parameters } from './values.ts';

const singleStatements = new WeakMap<ResourceShape, LRUCache<string, SingleStatement>>();

/**
 * Statements of each resource that are prepared. Clients choose the members that are read, and every prepared statement
 * takes memory on every connection for as long as that lasts; so those beyond the first ones are planned every time.
 */
const preparedTexts = new WeakMap<ResourceShape, Set<string>>();
const mostPrepared = 50;

function isPrepared(resource: ResourceShape, text: string): boolean {
  const texts = preparedTexts.get(resource) ?? new Set<string>();
  preparedTexts.set(resource, texts);
  return texts.has(text) || (texts.size < mostPrepared && texts.add(text).has(text));
}

interface SingleStatement {
  text: string;
  wants: (field: string) => boolean;
  /** Makes one row of the statement a row as lists have it. */
  unpack: (row: PackedRow) => Record<string, unknown>;
}

/** Small columns as one JSON array: reading many columns of one row costs a client more than all else of it. */
interface PackedRow {
  packed: unknown[];
  [document: string]: unknown;
}

/** How a small column is written into the array, and what it is made of again. */
interface PackedColumn {
  name: string;
  sql: string;
  read: (value: unknown) => unknown;
}

function columnsOf<Entity>(resource: Resource<Entity>, options: ReadOptions): PackedColumn[] {
  const wants = wantsOf(options.fields);
  const own = Object.entries(resource.fields)
    .filter(([name, field]) => !field.isHidden && !isDocument(field) && (!field.isHeavy || wants(name)))
    .map(([name, { sql, type }]): PackedColumn => {
      const isTime = type === 'timestamp';
      return { name, sql, read: (value) => (isTime && typeof value === 'string' ? new Date(value) : value) };
    });
  const embedded = Object.entries(resource.embedded ?? {})
    .filter(([name, { isOnRequest }]) => wants(name) && (!isOnRequest || options.fields))
    .map(([name, { sql, read }]): PackedColumn => ({ name, sql, read }));
  return [...own, ...embedded];
}

/** The statement that reads one row; made once, for gets are many and their texts long. */
function singleStatement<Entity>(
  resource: Resource<Entity>,
  conditions: string,
  options: ReadOptions,
): SingleStatement {
  const { fields, areDocumentsText, lock } = options;
  const known = singleStatements.get(resource) ?? new LRUCache<string, SingleStatement>({ max: 200 });
  singleStatements.set(resource, known);
  const key = `${fields?.join() ?? '*'}|${conditions}|${areDocumentsText === true}|${lock === true}`;
  let statement = known.get(key);
  if (!statement) {
    const wants = wantsOf(fields);
    const columns = columnsOf(resource, options);
    const documents = documentSelection(resource, wants, areDocumentsText);
    const selected = [`json_build_array(${columns.map(({ sql }) => sql).join(', ')}) as packed`, ...documents].join(
      ', ',
    );
    statement = {
      text: `select ${selected} from ${resource.from} where ${conditions} limit 2 ${lock ? `for no key update of ${resource.alias}` : ''}`,
      wants,
      unpack: ({ packed, ...row }) => {
        columns.forEach(({ name, read }, index) => (row[name] = read(packed[index])));
        return row;
      },
    };
    known.set(key, statement);
  }
  return statement;
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
  const conditions = [
    scopeCondition(resource.scope, scope, parameters),
    ...Object.entries(key).map(
      ([name, value]) => `${fieldOf(resource, name, 'Filter').sql} = ${parameters.add(value)}`,
    ),
  ];
  const { text, wants, unpack } = singleStatement(resource, conditions.join(' and '), options);
  const found = isPrepared(resource, text)
    ? await session.prepared<PackedRow>(text, parameters.values)
    : await session.query<PackedRow>(text, parameters.values);
  const rows = found.map(unpack);
  if (options.areDocumentsText) {
    markDocuments(resource, rows);
  }
  const [id] = Object.values(key);
  if (rows.length > 1) {
    throw new GantryError(
      'ambiguous_name',
      `More than one \`${resource.kind}\` with ID \`${String(id)}\` can be seen: one of this tenant and a global one. Call from the tenant the other one belongs to, or rename one.`,
    );
  }
  const [entity] = resource.embedded ? bareEntities(resource, rows) : await toEntities(session, resource, rows, wants);
  if (!entity) {
    throw notFound(resource.kind, String(id));
  }
  return entity;
}
