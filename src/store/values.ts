/** How values go into statements and come out of rows. */
import type { Json } from '../domain/plan.ts';

/** PostgreSQL stores neither NUL characters nor halves of surrogate pairs. */
const unstorable = /\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/g;

function replaceUnstorable(match: string): string {
  switch (match) {
    case '\\\\':
      return match;
    case '\\u0000':
      return '<NUL>';
    default:
      return '\\ufffd';
  }
}

/** The text of a JSON document as a jsonb parameter; undefined gives the database's null. */
export function toJson(value: unknown): string | null {
  if (value === undefined) {
    return null;
  }
  const text = JSON.stringify(value) ?? 'null';
  // all of them show as escapes, and most documents have no escape at all
  return text.includes('\\') ? text.replace(unstorable, replaceUnstorable) : text;
}

/**
 * JSON documents as one text parameter, a line each; `string_to_table($n, E'\\n')` takes them apart. Much faster than an
 * array of documents, whose quotes would all have to be escaped. undefined gives an empty line.
 */
export function toJsonLines(values: readonly unknown[]): string {
  return values.map((value) => toJson(value) ?? '').join('\n');
}

/** Text that PostgreSQL can store: NUL characters become `<NUL>`. */
export function cleanText(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '<NUL>') : text;
}

/** A text or the database's null. */
export function textOrNull(text: string | undefined): string | null {
  return text === undefined ? null : cleanText(text);
}

/** Collects the values of a statement while its text is being put together. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Adds a value; returns its placeholder. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/**
 * The condition that a column has one of the values. For a single one it is an equality: that lets an index give rows in
 * order, and one plan fit all values.
 * @param type of the column
 */
export function isOneOf<Value extends number | string>(
  column: string,
  values: readonly Value[],
  type: Value extends string ? 'text' : 'integer' | 'bigint',
  parameters: Parameters,
): string {
  const [only] = values;
  return values.length === 1 && only !== undefined
    ? `${column} = ${parameters.add(only)}`
    : `${column} = any(${parameters.add([...values])}::${type}[])`;
}

/**
 * The condition that a column has one of some constants, which are written out: an index of the rows with certain statuses
 * is used by a plan that is kept only when the plan knows which ones are meant.
 * @param constants without quotes
 */
export function isAmong(column: string, constants: Iterable<string>): string {
  return `${column} in (${[...constants].map((constant) => `'${constant}'`).join(', ')})`;
}

/** The database's nulls become undefined; in place, rows are ours. */
export function withoutNulls<Row extends object>(row: Row): Row {
  const members = row as Record<string, unknown>;
  for (const key in members) {
    if (members[key] === null) {
      members[key] = undefined;
    }
  }
  return row;
}

/** A JSON column's new value for an update: undefined leaves it. */
export function jsonChange(value: Json | object | undefined): string | null | undefined {
  return value === undefined ? undefined : toJson(value);
}

/**
 * An `update ... set` list from column names and values; undefined values are left out.
 * @returns undefined when nothing is to be set
 */
export function assignments(columns: Readonly<Record<string, unknown>>, parameters: Parameters): string | undefined {
  const parts = Object.entries(columns)
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => `${column} = ${parameters.add(value)}`);
  return parts.length > 0 ? parts.join(', ') : undefined;
}

/** The one row of a result that must have one. */
export function onlyRow<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) {
    throw new Error('A statement that always returns a row returned none');
  }
  return row;
}

/** Rows by a key, in their order; what Map.groupBy does where the runtime has it. */
export function groupRows<Row, Key>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) {
      group.push(row);
    } else {
      groups.set(key, [row]);
    }
  }
  return groups;
}
