/** Snapshots and log bundles: what is known about archives that lie in the file store. */
import type { ArchiveStatus, StoredArchive } from '../domain/cluster.ts';
import { findResources, listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import type { NewResource } from './resource-writes.ts';
import { createResource, deleteResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';

export type ArchiveKind = 'snapshots' | 'log_bundles';

function archiveResource(table: ArchiveKind, kind: string): Resource<StoredArchive> {
  return {
    kind,
    table,
    alias: 'archive',
    from: `${table} archive ${resourceJoins('archive')}`,
    scope: scopeOf('archive'),
    fields: {
      ...resourceFields('archive'),
      createdAt: timestamp('archive.created_at'),
      status: text('archive.status'),
      error: text('archive.error'),
    },
    defaultOrder: 'archive.created_at, archive.storage_id',
  };
}

const archiveResources: Readonly<Record<ArchiveKind, Resource<StoredArchive>>> = {
  snapshots: archiveResource('snapshots', 'Snapshot'),
  log_bundles: archiveResource('log_bundles', 'LogBundle'),
};

/** @throws GantryError conflict_error when the id is taken in the tenant */
export async function createArchive(
  session: Session,
  kind: ArchiveKind,
  archive: Omit<NewResource, 'visibility'> & { status: ArchiveStatus; error?: string | undefined },
): Promise<StoredArchive> {
  return createResource(
    session,
    archiveResources[kind],
    { ...archive, visibility: 'private' },
    { status: archive.status, error: archive.error },
  );
}

/** @throws GantryError not_found_error */
export async function getArchive(
  session: Session,
  kind: ArchiveKind,
  scope: Scope,
  id: string,
): Promise<StoredArchive> {
  return getResource(session, archiveResources[kind], scope, { id });
}

/** The archive with an id, whatever tenant it is of: ids name files, so they are given once. */
export async function findArchiveOf(
  session: Session,
  kind: ArchiveKind,
  id: string,
): Promise<StoredArchive | undefined> {
  const [archive] = await findResources(
    session,
    archiveResources[kind],
    (parameters) => `archive.id = ${parameters.add(id)}`,
    { limit: 1 },
  );
  return archive;
}

export async function listArchives(
  session: Session,
  kind: ArchiveKind,
  scope: Scope,
  query: ListQuery,
): Promise<Page<StoredArchive>> {
  return listResources(session, archiveResources[kind], scope, query);
}

/** @throws GantryError not_found_error */
export async function setArchiveStatus(
  session: Session,
  kind: ArchiveKind,
  storageId: number,
  change: { status: ArchiveStatus; error?: string | null | undefined },
): Promise<StoredArchive> {
  return updateResource(session, archiveResources[kind], storageId, { status: change.status, error: change.error });
}

/** @returns whether it was there */
export async function deleteArchive(session: Session, kind: ArchiveKind, storageId: number): Promise<boolean> {
  return deleteResource(session, archiveResources[kind], storageId);
}
