import type { Clock } from '../domain/clock.ts';
import type { Tenant } from '../domain/entities.ts';
import type { Database } from '../store/database.ts';
import { loadTenants } from '../store/tenants.ts';

/** The tenants by name, remembered for a moment because every request asks for them. */
export interface TenantDirectory {
  /** @param needed a name that must be looked for anew when it is not remembered */
  all(needed?: string): Promise<ReadonlyMap<string, Tenant>>;
  /** To be called after a change by this process. */
  forget(): void;
}

/** Milliseconds for which another process's deletion of a tenant may go unnoticed. */
const lifetime = 1000;

/** Makes the directory of this process. */
export function createTenantDirectory(database: Database, clock: Clock): TenantDirectory {
  let remembered: { tenants: Promise<ReadonlyMap<string, Tenant>>; until: number } | undefined;
  const load = (): Promise<ReadonlyMap<string, Tenant>> => {
    const tenants = loadTenants(database);
    remembered = { tenants, until: clock.now() + lifetime };
    tenants.catch(() => (remembered = undefined));
    return tenants;
  };
  return {
    async all(needed) {
      const known = remembered && remembered.until > clock.now() ? await remembered.tenants : undefined;
      return known && (needed === undefined || known.has(needed)) ? known : load();
    },
    forget() {
      remembered = undefined;
    },
  };
}
