import type { Site } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { number, resourceFields, resourceJoins, scopeOf, timestamp } from './resource.ts';
import type { NewResource } from './resource-writes.ts';
import { createResource, deleteResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';

export interface SiteUpdate {
  /** New name. */
  id?: string | undefined;
  visibility?: Visibility | undefined;
  /** null = unknown place. */
  location?: { latitude: number; longitude: number } | null | undefined;
}

const siteResource: Resource<Site> = {
  kind: 'Site',
  table: 'sites',
  alias: 'site',
  from: `sites site ${resourceJoins('site')}`,
  scope: scopeOf('site'),
  fields: {
    ...resourceFields('site'),
    createdAt: timestamp('site.created_at'),
    latitude: number('site.latitude'),
    longitude: number('site.longitude'),
  },
  defaultOrder: 'site.created_at, site.storage_id',
};

function columnsOf({ id, visibility, location }: SiteUpdate): Record<string, unknown> {
  return {
    id,
    visibility,
    latitude: location === null ? null : location?.latitude,
    longitude: location === null ? null : location?.longitude,
  };
}

/** @throws GantryError conflict_error when the name is taken in the tenant or by a global site */
export async function createSite(session: Session, site: NewResource & SiteUpdate & { id: string }): Promise<Site> {
  return createResource(session, siteResource, site, columnsOf(site));
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getSite(session: Session, scope: Scope, name: string): Promise<Site> {
  return getResource(session, siteResource, scope, { id: name });
}

export async function listSites(session: Session, scope: Scope, query: ListQuery): Promise<Page<Site>> {
  return listResources(session, siteResource, scope, query);
}

/** @throws GantryError not_found_error */
export async function updateSite(session: Session, storageId: number, update: SiteUpdate): Promise<Site> {
  return updateResource(session, siteResource, storageId, columnsOf(update));
}

/** Deployments there lose their site. @returns whether it was there */
export async function deleteSite(session: Session, storageId: number): Promise<boolean> {
  return deleteResource(session, siteResource, storageId);
}
