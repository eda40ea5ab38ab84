import type { GantryClient } from '../../src/client/client.ts';
import { silentLogger } from '../../src/log/logger.ts';
import type { Credentials } from '../../src/services/authentication.ts';
import { verifyPassword } from '../../src/security/passwords.ts';
import { createAuthentication } from '../../src/services/authentication.ts';
import { createAuthorization } from '../../src/services/authorization.ts';
import { createMaintenanceService } from '../../src/services/maintenance.ts';
import { openPermissionDirectory } from '../../src/services/permission-directory.ts';
import { createTenantDirectory } from '../../src/services/tenant-directory.ts';
import { createAccounts } from '../../src/store/accounts.ts';
import type { Database } from '../../src/store/database.ts';
import { median } from './statistics.ts';

const calls = 2000;
void silentLogger;

/** Milliseconds that finding out who calls, and whether that is permitted, takes for a credential that is repeated. */
export async function measureAuthentication(
  database: Database,
  client: GantryClient,
  password: string,
): Promise<{ basic: number; token: number }> {
  const { value } = await client.transport.json<{ value: string }>('POST', '/tokens', { body: {} });
  const clock = { now: () => Date.now() };
  const permissions = await openPermissionDirectory(database, silentLogger);
  const maintenance = createMaintenanceService(database);
  const authorization = createAuthorization({
    authentication: createAuthentication({ accounts: createAccounts(database), now: clock.now, verifyPassword }),
    tenants: createTenantDirectory(database, clock),
    permissions,
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
  try {
    return { basic: await measure({ basic: { username: 'admin', password } }), token: await measure({ token: value }) };
  } finally {
    await permissions.stop();
  }
}
