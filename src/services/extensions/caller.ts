import { GantryError, notFound } from '../../domain/errors.ts';
import type { PermissionMatrix } from '../../domain/permissions.ts';
import type { Database } from '../../store/database.ts';
import { findExecution } from '../../store/executions.ts';
import { loadTenants } from '../../store/tenants.ts';
import { findAccount } from '../../store/users.ts';
import { refuseWhileCancelling } from '../caller.ts';
import type { TenantCaller } from '../caller.ts';

/**
 * The creator of an execution, as if he called with its token.
 * @throws GantryError not_found_error; forbidden_error when he may not log in any more; forbidden_while_cancelling
 */
export async function callerOf(
  database: Database,
  permissions: PermissionMatrix,
  executionId: string | undefined,
): Promise<TenantCaller> {
  const execution = executionId === undefined ? undefined : await findExecution(database, executionId);
  if (!execution) {
    throw notFound('Execution', executionId ?? '');
  }
  const account = await findAccount(database, execution.creatorId);
  const tenants = await loadTenants(database);
  const tenant = tenants.get(execution.tenantName);
  if (!account?.user.isActive || !tenant) {
    throw new GantryError(
      'forbidden_error',
      `User \`${execution.createdBy}\`, who started execution ${execution.id}, is not active any more`,
    );
  }
  const { user } = account;
  const own = [...tenants.values()].filter(({ name }) => user.tenantRoles.has(name));
  const caller: TenantCaller = {
    user,
    permissions,
    method: 'execution_token',
    address: '',
    execution,
    tenant,
    tenantIds: new Map(own.map(({ name, id }) => [name, id])),
  };
  refuseWhileCancelling(caller);
  return caller;
}
