import { GantryError } from '../domain/errors.ts';
import { JsonText } from '../domain/json-text.ts';
import type { FilterRule, ListQuery, Page, SortKey } from '../store/scope.ts';
import { pythonRepr } from '../domain/python-text.ts';
import { neededFields, selectFields, writeProjected } from './shapes/field.ts';
import type { Field, Shape } from './shapes/field.ts';

/** Default number of items of a page. */
export const defaultPageSize = 1000;

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

/** Reads a boolean of the list style; `shown` is the name in the message. @throws GantryError bad_parameters_error */
export function readBoolean(value: unknown, shown: string): boolean {
  if (typeof value === 'boolean') {
    return value;
  }
  const text = typeof value === 'string' ? value.toLowerCase() : undefined;
  if (text === 'true' || text === 'false') {
    return text === 'true';
  }
  return refuse(`${shown} must be <true/false>, got ${typeof value === 'string' ? value : JSON.stringify(value)}`);
}

/** The parameters of a URL; every name may be given several times. */
export class QueryValues {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(search: string) {
    if (search.includes('%00') && new URLSearchParams(search).toString().includes('%00')) {
      refuse('The query contains the character NUL, which no value may contain');
    }
    const values = new Map<string, string[]>();
    if (search === '') {
      this.#values = values;
      return;
    }
    for (const [name, value] of new URLSearchParams(search)) {
      const present = values.get(name);
      if (present) {
        present.push(value);
      } else {
        values.set(name, [value]);
      }
    }
    this.#values = values;
  }

  /** The same without one parameter. */
  without(name: string): QueryValues {
    const search = new URLSearchParams();
    for (const [key, values] of this.#values) {
      if (key !== name) {
        values.forEach((value) => search.append(key, value));
      }
    }
    return new QueryValues(search.toString());
  }

  names(): string[] {
    return [...this.#values.keys()];
  }

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  one(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** @throws GantryError bad_parameters_error when it is not there */
  required(name: string): string {
    return this.one(name) ?? refuse(`Missing required query parameter: ${name}`);
  }

  /** A list style flag such as `_all_tenants`; absent = false. @throws GantryError bad_parameters_error */
  flag(name: string): boolean {
    const value = this.one(name);
    return value === undefined || value === '' ? false : readBoolean(value, name.replace(/^_/, ''));
  }

  /** A flag that also takes 1, 0 and on, such as `force`. @throws GantryError bad_parameters_error */
  switch(name: string, fallback = false): boolean {
    const value = this.one(name)?.toLowerCase();
    if (value === undefined) {
      return fallback;
    }
    if (['true', '1', 'on'].includes(value)) {
      return true;
    }
    return ['false', '0'].includes(value) ? false : refuse(`${name} must be <true/false>, got ${value}`);
  }

  /** A whole number not below 0. @throws GantryError bad_parameters_error */
  count(name: string): number | undefined {
    const value = this.one(name);
    if (value === undefined) {
      return undefined;
    }
    if (!/^[+-]?\d+$/.test(value.trim())) {
      refuse(`1 validation error for Pagination\n${name}\n  value is not a valid integer (type=type_error.integer)`);
    }
    const number = Number(value);
    if (number < 0 || number > Number.MAX_SAFE_INTEGER) {
      refuse(
        `1 validation error for Pagination\n${name}\n  ensure this value is greater than or equal to 0 ` +
          '(type=value_error.number.not_ge; limit_value=0)',
      );
    }
    return number;
  }

  /** Names of `_include`; undefined = everything. */
  include(): readonly string[] | undefined {
    const names = this.all('_include')
      .flatMap((list) => list.split(','))
      .map((name) => name.trim())
      .filter((name) => name !== '');
    return names.length > 0 ? names : undefined;
  }
}

/** What a list accepts besides the rules for all lists. */
export interface ListOptions {
  /** `_search`-like parameter -> entity field it looks in. */
  readonly search?: Readonly<Record<string, string>>;
  readonly takesLabelSort?: boolean;
  /** Whether every member is a filter; searches take no filters. Default true. */
  readonly takesFilters?: boolean;
  /** Query parameters without underscore that are not filters. */
  readonly reserved?: readonly string[];
  readonly defaultSize?: number;
}

export interface ParsedList<Entity> {
  readonly query: ListQuery;
  readonly fields: readonly Field<Entity>[];
  readonly size: number;
  readonly offset: number;
  readonly isAllTenants: boolean;
}

function columnsOf<Entity>(shape: Shape<Entity>): Map<string, Partial<Field<Entity>> & { column: string }> {
  const columns = new Map<string, Partial<Field<Entity>> & { column: string }>();
  for (const field of shape.fields) {
    if (field.column !== undefined) {
      columns.set(field.name, { ...field, column: field.column });
    }
  }
  for (const [name, column] of Object.entries(shape.extraColumns ?? {})) {
    columns.set(name, { column });
  }
  return columns;
}

function parseSort<Entity>(values: QueryValues, shape: Shape<Entity>, options: ListOptions): SortKey[] {
  const columns = columnsOf(shape);
  const unknown: string[] = [];
  const keys = values.all('_sort').map((text) => {
    const [, sign = '', name = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
    const descending = sign === '-';
    if (options.takesLabelSort && name.startsWith('label:')) {
      return { field: name, descending };
    }
    const column = columns.get(name)?.column;
    if (column === undefined) {
      unknown.push(name);
    }
    return { field: column ?? '', descending };
  });
  if (unknown.length > 0) {
    refuse(
      `Sort keys '${pythonRepr(unknown)}' do not exist. Allowed keys are: ${pythonRepr([...columns.keys()].sort())}`,
    );
  }
  return keys;
}

function checkFilterValue<Entity>(name: string, field: Partial<Field<Entity>>, value: string): string {
  switch (field.type) {
    case 'integer':
      return /^-?\d{1,9}$/.test(value) ? value : refuse(`Filter key ${name} must be an integer, got ${value}`);
    case 'number':
      return value !== '' && Number.isFinite(Number(value))
        ? value
        : refuse(`Filter key ${name} must be a number, got ${value}`);
    case 'boolean':
      return String(readBoolean(value, name));
    case 'timestamp':
      return Number.isNaN(Date.parse(value)) ? refuse(`Filter key ${name} must be a time, got ${value}`) : value;
    default:
      if (field.values && !field.values.includes(value)) {
        refuse(`Invalid value for ${name}: ${value}. Valid values are: ${pythonRepr(field.values)}`);
      }
      return value;
  }
}

function parseFilters<Entity>(
  values: QueryValues,
  shape: Shape<Entity>,
  options: ListOptions,
): Record<string, readonly string[]> {
  const filters: Record<string, readonly string[]> = {};
  if (options.takesFilters === false) {
    return filters;
  }
  const columns = columnsOf(shape);
  const names = values.names().filter((name) => !name.startsWith('_') && !options.reserved?.includes(name));
  const unknown = names.filter((name) => !columns.has(name));
  if (unknown.length > 0) {
    refuse(
      `Filter keys '${pythonRepr(unknown)}' do not exist. Allowed keys are: ${pythonRepr([...columns.keys()].sort())}`,
    );
  }
  for (const name of names) {
    const field = columns.get(name);
    if (field) {
      const given = values.all(name).map((value) => checkFilterValue(name, field, value));
      filters[field.column] = given.flatMap((value) => [value, ...(field.alike?.[value] ?? [])]);
    }
  }
  return filters;
}

/**
 * Reads what a list is asked for.
 * @throws GantryError no_such_include_field_error, bad_parameters_error
 */
export function parseList<Entity>(
  values: QueryValues,
  shape: Shape<Entity>,
  options: ListOptions = {},
  rules?: readonly FilterRule[],
): ParsedList<Entity> {
  const fields = selectFields(shape, values.include());
  const size = values.count('_size') ?? options.defaultSize ?? defaultPageSize;
  const offset = values.count('_offset') ?? 0;
  const search: Record<string, string> = {};
  for (const [parameter, field] of Object.entries(options.search ?? {})) {
    const text = values.one(parameter);
    if (text !== undefined && text !== '') {
      search[field] = text.normalize('NFKC');
    }
  }
  return {
    query: {
      size,
      offset,
      all: values.flag('_get_all_results'),
      sort: parseSort(values, shape, options),
      filters: parseFilters(values, shape, options),
      ...(Object.keys(search).length > 0 ? { search } : {}),
      ...(rules ? { rules } : {}),
      fields: neededFields(fields),
    },
    fields,
    size,
    offset,
    isAllTenants: values.flag('_all_tenants'),
  };
}

export interface Envelope {
  items: unknown[];
  metadata: { pagination: { total: number; size: number; offset: number }; filtered?: number | null };
}

/** A list as clients expect it. */
export function envelope(
  items: unknown[],
  page: { total: number; size: number; offset: number; filtered?: number | undefined },
): Envelope {
  const { total, size, offset } = page;
  return { items, metadata: { pagination: { total, size, offset }, filtered: page.filtered ?? null } };
}

/** A page of the store as the answer to a list. */
export function listAnswer<Entity>(parsed: ParsedList<Entity>, page: Page<Entity>): JsonText {
  const { size, offset } = parsed;
  const { metadata } = envelope([], { total: page.total, size, offset, filtered: page.filtered });
  const items = page.items.map((item) => writeProjected(parsed.fields, item)).join(',');
  return new JsonText(`{"items":[${items}],"metadata":${JSON.stringify(metadata)}}`);
}
