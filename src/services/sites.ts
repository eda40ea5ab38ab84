import { GantryError } from '../domain/errors.ts';
import type { Site } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import { createSite, deleteSite, getSite, listSites, updateSite } from '../store/sites.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { checkIdentifier, everywhere, requireFreeGlobally, requireOwnTenant, widerVisibility } from './identifiers.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';

export interface NewSiteRequest {
  readonly name: string;
  /** `latitude,longitude` */
  readonly location: string | undefined;
  readonly visibility: Visibility;
  readonly origin: Origin;
}

export interface SiteService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<Site>>;
  get(caller: TenantCaller, name: string): Promise<Site>;
  /** @throws GantryError conflict_error, bad_parameters_error */
  create(caller: TenantCaller, site: NewSiteRequest): Promise<Site>;
  /** An empty location clears it. */
  update(
    caller: TenantCaller,
    name: string,
    change: { location?: string | undefined; newName?: string | undefined; visibility?: unknown },
  ): Promise<Site>;
  remove(caller: TenantCaller, name: string): Promise<void>;
}

interface Place {
  latitude: number;
  longitude: number;
}

function readLocation(text: string): Place | null {
  if (text === '') {
    return null;
  }
  const refuse = (reason: string): never => {
    throw new GantryError('bad_parameters_error', `Invalid location \`${text}\`, ${reason}`);
  };
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length !== 2 || parts.includes('')) {
    return refuse('the format is expected to be "latitude,longitude" such as "32.071072,34.787274"');
  }
  const [latitude = Number.NaN, longitude = Number.NaN] = parts.map(Number);
  if (!Number.isFinite(latitude) || !Number.isFinite(longitude)) {
    return refuse('the latitude and longitude are expected to be of type float');
  }
  if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180) {
    return refuse('The latitude must be a number between -90 and 90 and the longitude between -180 and 180');
  }
  return { latitude, longitude };
}

/** Makes the use cases of sites. */
export function createSiteService({ database }: ServiceDependencies): SiteService {
  return {
    list: (caller, query, isAllTenants) => listSites(database, listScopeOf(caller, isAllTenants, 'site_list'), query),

    get: (caller, name) => getSite(database, scopeOf(caller), name),

    create: (caller, { name, location, visibility, origin }) => {
      checkIdentifier('name', name);
      return database.transactionAs(actorOf(caller), async (transaction) =>
        createSite(transaction, {
          id: name,
          tenantId: caller.tenant.id,
          creatorId: await ownerId(transaction, caller, origin.creator),
          createdAt: creationTime(caller, origin.createdAt),
          visibility,
          location: location === undefined ? undefined : readLocation(location),
        }),
      );
    },

    update: (caller, name, change) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const site = await getSite(transaction, scopeOf(caller), name);
        requireOwnTenant(caller, site);
        const { newName } = change;
        if (newName !== undefined && newName !== name) {
          checkIdentifier('new_name', newName);
          const scope = { tenantId: caller.tenant.id };
          const { total } = await listSites(transaction, scope, { filters: { id: [newName] }, size: 1 });
          if (total > 0) {
            throw new GantryError(
              'conflict_error',
              `Invalid new name \`${newName}\`, it already exists on <Tenant name=\`${caller.tenant.name}\`> or with global visibility`,
            );
          }
        }
        const visibility =
          change.visibility === undefined ? undefined : widerVisibility(caller, site, change.visibility);
        if (visibility) {
          await requireFreeGlobally(visibility, site, (query) => listSites(transaction, everywhere, query));
        }
        const location = change.location === undefined ? undefined : readLocation(change.location);
        return updateSite(transaction, site.storageId, { id: newName, visibility, location });
      }),

    remove: (caller, name) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const site = await getSite(transaction, scopeOf(caller), name);
        requireOwnTenant(caller, site);
        await deleteSite(transaction, site.storageId);
      }),
  };
}
