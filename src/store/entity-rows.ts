/** How rows of a statement become entities. */
import { GantryError } from '../domain/errors.ts';
import { JsonText } from '../domain/json-text.ts';
import type { Field, Resource, ResourceShape } from './resource.ts';
import type { Session } from './session.ts';
import { withoutNulls } from './values.ts';

/** How single rows are read. */
export interface ReadOptions {
  /** Costly fields to load; undefined = all. */
  fields?: readonly string[];
  /** See `ListQuery`. */
  areDocumentsText?: boolean;
  /** Lock the row until the transaction ends. */
  lock?: boolean;
}

/** @throws GantryError bad_parameters_error for an unknown one */
export function fieldOf(resource: ResourceShape, name: string, use: string): Field {
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

/** Whether it is a costly JSON document. */
export function isDocument({ type, isHeavy }: Field): boolean {
  return type === 'json' && isHeavy === true;
}

function expression(field: Field, areDocumentsText: boolean): string {
  return `${field.sql}${areDocumentsText && isDocument(field) ? '::text' : ''}`;
}

/** Columns of everything that is not costly or that `wants` names. */
export function selection(
  resource: ResourceShape,
  wants: (field: string) => boolean,
  areDocumentsText = false,
): string {
  return Object.entries(resource.fields)
    .filter(([name, field]) => !field.isHidden && (!field.isHeavy || wants(name)))
    .map(([name, field]) => `${expression(field, areDocumentsText)} as "${name}"`)
    .join(', ');
}

/** The costly documents that `wants` names, each with the expression that reads it. */
export function documentColumns(
  resource: ResourceShape,
  wants: (field: string) => boolean,
  areDocumentsText = false,
): { name: string; sql: string }[] {
  return Object.entries(resource.fields)
    .filter(([name, field]) => isDocument(field) && !field.isHidden && wants(name))
    .map(([name, field]) => ({ name, sql: expression(field, areDocumentsText) }));
}

/** Makes the texts of documents `JsonText`; in place. */
export function markDocuments(resource: ResourceShape, rows: readonly object[]): void {
  const names = Object.entries(resource.fields).flatMap(([name, field]) => (isDocument(field) ? [name] : []));
  for (const row of rows as Record<string, unknown>[]) {
    for (const name of names) {
      const text = row[name];
      if (typeof text === 'string') {
        row[name] = new JsonText(text);
      }
    }
  }
}

/** Which costly fields are asked for: those named, or all. */
export function wantsOf(fields: readonly string[] | undefined): (field: string) => boolean {
  if (!fields) {
    return () => true;
  }
  const wanted = new Set(fields);
  return (field) => wanted.has(field);
}

/** Entities of rows, with what lies in their own statement. */
export function bareEntities<Entity extends object>(resource: Resource<Entity>, rows: object[]): Entity[] {
  const defaults = Object.entries(resource.defaults ?? {});
  return rows.map((row) => {
    const members = withoutNulls(row) as Record<string, unknown>;
    for (const [name, value] of defaults) {
      members[name] ??= value;
    }
    return members as Entity;
  });
}

/** Entities of rows, with what lies in other tables. */
export async function toEntities<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  rows: object[],
  wants: (field: string) => boolean,
): Promise<Entity[]> {
  const items = bareEntities(resource, rows);
  if (items.length > 0) {
    await resource.attach?.(session, items, wants);
  }
  return items;
}
