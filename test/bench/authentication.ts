import type { GantryClient } from '../../src/client/client.ts';
import type { Credentials } from '../../src/services/authentication.ts';
import { verifyPassword } from '../../src/security/passwords.ts';
import { createAuthentication } from '../../src/services/authentication.ts';
import { createAuthorization } from '../../src/services/authorization.ts';
import { createAccessMemory } from '../../src/services/access-memory.ts';
import { createMaintenanceService } from '../../src/services/maintenance.ts';
import { createTenantDirectory } from '../../src/services/tenant-directory.ts';
import { createAccounts } from '../../src/store/accounts.ts';
import { readAccessVersion } from '../../src/store/access-version.ts';
import type { Database } from '../../src/store/database.ts';
import { loadPermissions } from '../../src/store/permissions.ts';
import { median } from './statistics.ts';

const calls = 2000;

/** Milliseconds that finding out who calls, and whether that is permitted, takes for a credential that is repeated. */
export async function measureAuthentication(
  database: Database,
  client: GantryClient,
  password: string,
): Promise<{ basic: number; token: number }> {
  const { value } = await client.transport.json<{ value: string }>('POST', '/tokens', { body: {} });
  const memory = createAccessMemory(() => readAccessVersion(database));
  const maintenance = createMaintenanceService(database);
  const authorization = createAuthorization({
    authentication: createAuthentication({ accounts: createAccounts(database), now: () => Date.now(), verifyPassword }),
    tenants: createTenantDirectory(database, memory),
    memory,
    loadPermissions: async () => Object.fromEntries(await loadPermissions(database)),
    isRestoring: () => false,
    maintenanceStatus: () => maintenance.currentStatus(),
  });
  const measure = async (credentials: Partial<Credentials>): Promise<number> => {
    const times: number[] = [];
    for (let call = 0; call < calls; call += 1) {
      const started = performance.now();
      await authorization.admit({
        credentials: { executionToken: undefined, token: undefined, basic: undefined, address: 'here', ...credentials },
        tenantName: 'default_tenant',
        access: { permission: 'deployment_get', isAllTenants: false },
        maintenance: { isAllowed: false, isBypassed: false, isChange: false },
      });
      times.push(performance.now() - started);
    }
    return Number(median(times).toFixed(3));
  };
  return { basic: await measure({ basic: { username: 'admin', password } }), token: await measure({ token: value }) };
}
