import type { Tenant } from '../domain/entities.ts';
import type { FileStore } from '../files/file-store.ts';
import type { Database } from '../store/database.ts';
import { countUse, pluginIdsOf, putQuota, quotaExceeded, readQuota } from '../store/tenant-quotas.ts';
import type { TenantQuota, TenantUse } from '../store/tenant-quotas.ts';
import { actorOf } from './dependencies.ts';
import type { Caller } from './caller.ts';

export interface QuotaView {
  readonly limits: TenantQuota;
  readonly used: TenantUse & { readonly storageBytes: number };
}

export interface TenantQuotaService {
  get(tenant: Tenant): Promise<QuotaView>;
  /** Sets the limits; what is used already stays. */
  put(caller: Caller, tenant: Tenant, limits: TenantQuota): Promise<QuotaView>;
}

interface Storage {
  readonly database: Database;
  readonly files: FileStore;
}

async function bytesOf({ database, files }: Storage, tenant: Pick<Tenant, 'id' | 'name'>): Promise<number> {
  return files.tenantBytes(tenant.name, await pluginIdsOf(database, tenant.id));
}

/** Makes sure that so many more bytes are within the quota of a tenant. @throws GantryError quota_exceeded_error */
export async function requireStorage(
  storage: Storage,
  tenant: Pick<Tenant, 'id' | 'name'>,
  bytes: number,
): Promise<void> {
  const { storageBytes: limit } = await readQuota(storage.database, tenant.id);
  // nothing is measured where nothing is limited
  if (limit === undefined) {
    return;
  }
  const used = await bytesOf(storage, tenant);
  if (used + bytes > limit) {
    throw quotaExceeded(tenant.name, `bytes on the file server (${bytes} more were asked for)`, limit, used);
  }
}

/** Makes the use cases of what tenants may use at most. */
export function createTenantQuotaService(storage: Storage): TenantQuotaService {
  const { database } = storage;
  const get = async (tenant: Tenant): Promise<QuotaView> => {
    const [limits, use, storageBytes] = await Promise.all([
      readQuota(database, tenant.id),
      countUse(database, tenant.id),
      bytesOf(storage, tenant),
    ]);
    return { limits, used: { ...use, storageBytes } };
  };
  return {
    get,

    async put(caller, tenant, limits) {
      await database.actingAs(actorOf(caller)).transaction((transaction) => putQuota(transaction, tenant.id, limits));
      return get(tenant);
    },
  };
}
