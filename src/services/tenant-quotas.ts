import type { Tenant } from '../domain/entities.ts';
import { openStorageGate, storedBytes } from '../executor/storage-quota.ts';
import type { FileStore } from '../files/file-store.ts';
import type { StorageGate } from '../files/limit-bytes.ts';
import type { Database } from '../store/database.ts';
import { countUse, putQuota, readQuota } from '../store/tenant-quotas.ts';
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
  /** What lets files of a tenant in. @param most bytes of one upload, whatever the quota */
  gate(tenant: Pick<Tenant, 'id' | 'name'>, most: number): Promise<StorageGate>;
}

interface Storage {
  readonly database: Database;
  readonly files: FileStore;
}

/** Makes the use cases of what tenants may use at most. */
export function createTenantQuotaService(storage: Storage): TenantQuotaService {
  const { database } = storage;
  const get = async (tenant: Tenant): Promise<QuotaView> => {
    const [limits, use, storageBytes] = await Promise.all([
      readQuota(database, tenant.id),
      countUse(database, tenant.id),
      storedBytes(database, storage.files, tenant),
    ]);
    return { limits, used: { ...use, storageBytes } };
  };
  return {
    get,

    gate: (tenant, most) => openStorageGate(storage, tenant, most),

    async put(caller, tenant, limits) {
      await database.actingAs(actorOf(caller)).transaction((transaction) => putQuota(transaction, tenant.id, limits));
      return get(tenant);
    },
  };
}
