import type { Filter, FilterKind, FilterRule } from '../domain/filter.ts';
import type { Visibility } from '../domain/states.ts';
import { listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { boolean, json, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import type { NewResource } from './resource-writes.ts';
import { createResource, deleteResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { jsonChange } from './values.ts';

export type { FilterKind };

const filterResource: Resource<Filter> = {
  kind: 'Filter',
  table: 'filters',
  alias: 'filter',
  from: `filters filter ${resourceJoins('filter')}`,
  scope: scopeOf('filter'),
  fields: {
    ...resourceFields('filter'),
    kind: text('filter.kind'),
    createdAt: timestamp('filter.created_at'),
    updatedAt: timestamp('filter.updated_at'),
    rules: json('filter.value'),
    isSystemFilter: boolean('filter.is_system_filter'),
  },
  defaultOrder: 'filter.created_at, filter.storage_id',
};

/** @throws GantryError conflict_error when the id is taken in the tenant or by a global filter */
export async function createFilter(
  session: Session,
  filter: NewResource & { kind: FilterKind; rules: readonly FilterRule[] },
): Promise<Filter> {
  return createResource(session, filterResource, filter, { value: jsonChange(filter.rules) }, { kind: filter.kind });
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getFilter(session: Session, scope: Scope, kind: FilterKind, id: string): Promise<Filter> {
  return getResource(session, filterResource, scope, { id, kind });
}

export async function listFilters(
  session: Session,
  scope: Scope,
  kind: FilterKind,
  query: ListQuery,
): Promise<Page<Filter>> {
  return listResources(session, filterResource, scope, query, [
    (parameters) => `filter.kind = ${parameters.add(kind)}`,
  ]);
}

/** Sets updated_at too. @throws GantryError not_found_error */
export async function updateFilter(
  session: Session,
  storageId: number,
  update: { rules?: readonly FilterRule[] | undefined; visibility?: Visibility | undefined },
): Promise<Filter> {
  return updateResource(session, filterResource, storageId, {
    value: jsonChange(update.rules),
    visibility: update.visibility,
    updated_at: new Date(),
  });
}

/** @returns whether it was there */
export async function deleteFilter(session: Session, storageId: number): Promise<boolean> {
  return deleteResource(session, filterResource, storageId);
}
