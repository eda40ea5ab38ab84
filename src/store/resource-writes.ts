/** Creating, changing and removing rows of any resource. */
import { notFound } from '../domain/errors.ts';
import type { Visibility } from '../domain/states.ts';
import { findResources } from './list-query.ts';
import type { Resource, ResourceShape } from './resource.ts';
import type { Session } from './session.ts';
import { insertUnique } from './unique-ids.ts';
import { Parameters, assignments } from './values.ts';

/** What every new tenant-scoped row has. */
export interface NewResource {
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  createdAt?: Date | undefined;
}

/** The entity of a storage id, whatever its tenant. @throws GantryError not_found_error */
export async function requireResource<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  storageId: number,
): Promise<Entity> {
  const [entity] = await findResources(
    session,
    resource,
    (parameters) => `${resource.alias}.storage_id = ${parameters.add(storageId)}`,
  );
  if (!entity) {
    throw notFound(resource.kind, String(storageId));
  }
  return entity;
}

/**
 * Inserts a row whose id is unique in its tenant and among global ones.
 * @param columns of the table beside those of every resource; undefined ones take their defaults
 * @param key further columns that make the id unique
 * @throws GantryError conflict_error when the id is taken
 */
export async function createResource<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  row: NewResource,
  columns: Readonly<Record<string, unknown>>,
  key: Readonly<Record<string, unknown>> = {},
): Promise<Entity> {
  return session.transaction(async (transaction) => {
    const label = resource.kind.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
    const common = {
      id: row.id,
      tenant_id: row.tenantId,
      creator_id: row.creatorId,
      visibility: row.visibility,
      created_at: row.createdAt,
    };
    const storageId = await insertUnique(transaction, resource.table, label, row, { ...common, ...columns }, key);
    return requireResource(transaction, resource, storageId);
  });
}

/** Sets columns; undefined ones stay. @returns whether the row is there */
export async function changeResource(
  session: Session,
  resource: ResourceShape,
  storageId: number,
  columns: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const parameters = new Parameters();
  const set = assignments(columns, parameters);
  const of = `where storage_id = ${parameters.add(storageId)}`;
  const rows = await session.query(
    set ? `update ${resource.table} set ${set} ${of} returning 1` : `select from ${resource.table} ${of}`,
    parameters.values,
  );
  return rows.length > 0;
}

/** Sets columns; undefined ones stay. @returns the whole row. @throws GantryError not_found_error */
export async function updateResource<Entity extends object>(
  session: Session,
  resource: Resource<Entity>,
  storageId: number,
  columns: Readonly<Record<string, unknown>>,
): Promise<Entity> {
  await changeResource(session, resource, storageId, columns);
  return requireResource(session, resource, storageId);
}

/** @returns whether the row was there */
export async function deleteResource(session: Session, resource: ResourceShape, storageId: number): Promise<boolean> {
  const rows = await session.prepared(`delete from ${resource.table} where storage_id = $1 returning storage_id`, [
    storageId,
  ]);
  return rows.length > 0;
}
