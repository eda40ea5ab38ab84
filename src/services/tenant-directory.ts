import type { Tenant } from '../domain/entities.ts';
import type { Database } from '../store/database.ts';
import { loadTenants } from '../store/tenants.ts';
import type { AccessMemory, Remembered } from './access-memory.ts';

/** The tenants by name, remembered because every request asks for them. */
export interface TenantDirectory {
  /** @param known what holds at the moment that counts; now by default */
  all(known?: Remembered): Promise<ReadonlyMap<string, Tenant>>;
}

/** Makes the directory of this process. */
export function createTenantDirectory(database: Database, memory: AccessMemory): TenantDirectory {
  return {
    async all(known) {
      const remembered = known ?? (await memory.current());
      return (await remembered.remember('tenants', () => loadTenants(database))) ?? new Map();
    },
  };
}
