import { isPermitted } from '../domain/permissions.ts';
import { loadPermissions } from './permissions.ts';
import type { Viewer } from './scope.ts';
import type { Session } from './session.ts';
import { loadTenants } from './tenants.ts';
import { findAccount } from './users.ts';

/** The bootstrap administrator may do everything. */
const bootstrapUserId = 0;

/** What a user may see, for work that is done in his name: executions and their operations. */
export async function loadViewer(session: Session, userId: number): Promise<Viewer> {
  const account = await findAccount(session, userId);
  const matrix = userId === bootstrapUserId ? {} : Object.fromEntries(await loadPermissions(session, 'administrators'));
  const administrates = (roles: readonly string[]): boolean => isPermitted('administrators', roles, matrix);
  if (userId === bootstrapUserId || (account && administrates([account.user.role]))) {
    return { userId, administers: 'all' };
  }
  const tenants = account ? await loadTenants(session) : new Map<string, { id: number }>();
  const administers = [...(account?.user.tenantRoles ?? [])].flatMap(([name, roles]) => {
    const tenant = administrates(roles) ? tenants.get(name) : undefined;
    return tenant ? [tenant.id] : [];
  });
  return { userId, administers };
}
