/** Reads of a single row by its id, of every resource. */
import { LRUCache } from 'lru-cache';
import { GantryError, notFound } from '../domain/errors.ts';
import { JsonText } from '../domain/json-text.ts';
import { documentMemory } from './document-memory.ts';
import { bareEntities, documentColumns, fieldOf, isDocument, toEntities, wantsOf } from './entity-rows.ts';
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
  isPrepared: boolean;
  /** Tells statements apart. */
  name: string;
  wants: (field: string) => boolean;
  /** Names of the documents that it reads only of rows that have another version than the one given as its last value. */
  remembered: readonly string[];
  /** Makes one row of the statement a row as lists have it. */
  unpack: (row: PackedRow) => Record<string, unknown>;
}

/** Small columns as one JSON array: reading many columns of one row costs a client more than all else of it. */
interface PackedRow {
  packed: unknown[];
  /** Of the row; only where documents are texts. */
  version?: string;
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

let statementCount = 0;

/**
 * The statement that reads one row; made once, for gets are many and their texts long.
 * @param knownVersion placeholder of the version of the row whose documents need not be read again; undefined = all are
 */
function singleStatement<Entity>(
  resource: Resource<Entity>,
  conditions: string,
  options: ReadOptions,
  knownVersion: string | undefined,
): SingleStatement {
  const { fields, areDocumentsText, lock } = options;
  const known = singleStatements.get(resource) ?? new LRUCache<string, SingleStatement>({ max: 200 });
  singleStatements.set(resource, known);
  const key = `${fields?.join() ?? '*'}|${conditions}|${areDocumentsText === true}|${lock === true}`;
  let statement = known.get(key);
  if (!statement) {
    const wants = wantsOf(fields);
    const columns = columnsOf(resource, options);
    const version = `${resource.alias}.xmin::text`;
    const documents = documentColumns(resource, wants, areDocumentsText);
    const selected = [
      `json_build_array(${columns.map(({ sql }) => sql).join(', ')}) as packed`,
      ...(knownVersion === undefined ? [] : [`${version} as version`]),
      ...documents.map(({ name, sql }) =>
        knownVersion === undefined
          ? `${sql} as "${name}"`
          : `case when ${version} is distinct from ${knownVersion} then ${sql} end as "${name}"`,
      ),
    ].join(', ');
    const text = `select ${selected} from ${resource.from} where ${conditions} limit 2 ${lock ? `for no key update of ${resource.alias}` : ''}`;
    statement = {
      text,
      isPrepared: isPrepared(resource, text),
      name: String((statementCount += 1)),
      wants,
      remembered: knownVersion === undefined ? [] : documents.map(({ name }) => name),
      unpack: ({ packed, version: _version, ...row }) => {
        columns.forEach(({ name, read }, index) => (row[name] = read(packed[index])));
        return row;
      },
    };
    known.set(key, statement);
  }
  return statement;
}

/** A row that is to be locked may have to be waited for. */
function readRows(
  session: Session,
  { text, isPrepared: mayBePrepared }: SingleStatement,
  values: readonly unknown[],
  isLocking: boolean | undefined,
): Promise<PackedRow[]> {
  if (!mayBePrepared) {
    return session.query<PackedRow>(text, values);
  }
  return isLocking ? session.prepared<PackedRow>(text, values) : session.lookUp<PackedRow>(text, values);
}

/** Runs a statement whose documents are texts; those of rows that have not changed since are taken from memory. */
async function readWithMemory(
  session: Session,
  statement: SingleStatement,
  values: readonly unknown[],
  isLocking: boolean | undefined,
): Promise<Record<string, unknown>[]> {
  const memory = documentMemory(session);
  const key = [statement.name, ...values].join('\n');
  const known = memory.get(key);
  const rows = await readRows(session, statement, [...values, known?.version ?? null], isLocking);
  return rows.map((row) => {
    const { version = '' } = row;
    const documents = known?.version === version ? known.documents : textsOf(row, statement.remembered);
    if (rows.length === 1 && documents !== known?.documents) {
      memory.set(key, { version, documents });
    }
    return Object.assign(statement.unpack(row), documents);
  });
}

function textsOf(row: PackedRow, names: readonly string[]): Record<string, JsonText | null> {
  return Object.fromEntries(
    names.map((name) => {
      const text = row[name];
      return [name, typeof text === 'string' ? new JsonText(text) : null];
    }),
  );
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
  const { values } = parameters;
  const knownVersion = options.areDocumentsText ? `$${values.length + 1}` : undefined;
  const statement = singleStatement(resource, conditions.join(' and '), options, knownVersion);
  const rows =
    statement.remembered.length > 0
      ? await readWithMemory(session, statement, values, options.lock)
      : (await readRows(session, statement, values, options.lock)).map(statement.unpack);
  const [id] = Object.values(key);
  if (rows.length > 1) {
    throw new GantryError(
      'ambiguous_name',
      `More than one \`${resource.kind}\` with ID \`${String(id)}\` can be seen: one of this tenant and a global one. Call from the tenant the other one belongs to, or rename one.`,
    );
  }
  const [entity] = resource.embedded
    ? bareEntities(resource, rows)
    : await toEntities(session, resource, rows, statement.wants);
  if (!entity) {
    throw notFound(resource.kind, String(id));
  }
  return entity;
}
