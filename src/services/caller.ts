import type { Execution, Tenant, User } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { isPermitted } from '../domain/permissions.ts';
import type { Permission, PermissionMatrix } from '../domain/permissions.ts';
import { cancellingExecutionStatuses } from '../domain/states.ts';
import type { Scope } from '../store/scope.ts';
import type { Once } from '../store/session.ts';

export type LoginMethod = 'http_basic' | 'token' | 'execution_token' | 'saml' | 'openid_connect';

/** Who calls, and where: what every use case decides permissions by. */
export interface Caller {
  readonly user: User;
  readonly method: LoginMethod;
  /** Which role may do what at the moment. */
  readonly permissions: PermissionMatrix;
  /** Network address the call comes from. */
  readonly address: string;
  /** The request of the call, when it must not be carried out twice. */
  readonly once?: Once;
  /** The execution whose token was used. */
  readonly execution: Execution | undefined;
  /** The tenant of the call. */
  readonly tenant: Tenant | undefined;
  /** Every tenant by name, as far as the user has roles in it (all for system administrators). */
  readonly tenantIds: ReadonlyMap<string, number>;
}

/** A caller whose call is within a tenant. */
export interface TenantCaller extends Caller {
  readonly tenant: Tenant;
}

/** The bootstrap administrator may do everything. */
export const bootstrapUserId = 0;

/** Names of the roles the caller has in `tenantName`, with its system role; only the latter without a tenant. */
function rolesIn(user: User, tenantName: string | undefined): string[] {
  const systemRoles = [user.role, ...user.groupSystemRoles.values()];
  return tenantName === undefined ? systemRoles : [...systemRoles, ...(user.tenantRoles.get(tenantName) ?? [])];
}

/** Whether the caller holds a permission in a tenant, or by its system role; only by that without a tenant. */
export function holdsIn(caller: Caller, permission: Permission, tenantName: string | undefined): boolean {
  const { user, permissions } = caller;
  return user.id === bootstrapUserId || isPermitted(permission, rolesIn(user, tenantName), permissions);
}

/** Whether the caller holds a permission in the tenant of the call, or by its system role. */
export function holds(caller: Caller, permission: Permission): boolean {
  return holdsIn(caller, permission, caller.tenant?.name);
}

/** Whether the caller holds a permission in any tenant. */
export function holdsAnywhere(caller: Caller, permission: Permission): boolean {
  const roles = [...rolesIn(caller.user, undefined), ...[...caller.user.tenantRoles.values()].flat()];
  return caller.user.id === bootstrapUserId || isPermitted(permission, roles, caller.permissions);
}

/** The refusal of a caller without a permission. */
export function notPermitted(caller: Caller, permission: Permission): GantryError {
  const place = caller.tenant ? ` in the tenant \`${caller.tenant.name}\`` : '';
  return new GantryError(
    'forbidden_error',
    `User \`${caller.user.username}\` is not permitted to perform the action ${permission}${place}`,
  );
}

/** @throws GantryError forbidden_error */
export function requirePermission(caller: Caller, permission: Permission): void {
  if (!holds(caller, permission)) {
    throw notPermitted(caller, permission);
  }
}

/** Whether the caller sees and edits what is private to others in the tenant of the call. */
export function isAdministrator(caller: Caller): boolean {
  return holds(caller, 'administrators');
}

/** The rows of single resources the caller works on. */
export function scopeOf(caller: TenantCaller): Scope {
  return { tenantId: caller.tenant.id, viewer: viewerOf(caller) };
}

function viewerOf(caller: Caller): NonNullable<Scope['viewer']> {
  if (holdsIn(caller, 'administrators', undefined)) {
    return { userId: caller.user.id, administers: 'all' };
  }
  const administers = [...caller.tenantIds]
    .filter(([name]) => holdsIn(caller, 'administrators', name))
    .map(([, id]) => id);
  return { userId: caller.user.id, administers };
}

/**
 * The rows a list is drawn from.
 * @param listPermission permission that counts per tenant when the caller asks for all its tenants
 */
export function listScopeOf(caller: Caller, isAllTenants: boolean, listPermission: Permission): Scope {
  const tenantId = caller.tenant?.id ?? -1;
  const viewer = viewerOf(caller);
  if (!isAllTenants) {
    return { tenantId, viewer };
  }
  if (holdsIn(caller, 'all_tenants', undefined)) {
    return { tenantId, tenants: 'all', viewer };
  }
  const tenants = [...caller.tenantIds].filter(([name]) => holdsIn(caller, listPermission, name)).map(([, id]) => id);
  return { tenantId, tenants, viewer };
}

/** Workflows that may change what a deployment is made of. */
const updateWorkflows = new Set(['update', 'csys_new_deployment_update']);

/** Whether the call comes from a deployment update. */
export function isDeploymentUpdate(caller: Caller): boolean {
  return caller.execution !== undefined && updateWorkflows.has(caller.execution.workflowId);
}

/** @throws GantryError only_deployment_update */
export function requireDeploymentUpdate(caller: Caller): void {
  if (!isDeploymentUpdate(caller)) {
    throw new GantryError('only_deployment_update', 'Only a deployment update may do this');
  }
}

/** @throws GantryError forbidden_while_cancelling when a workflow that is being cancelled calls */
export function refuseWhileCancelling(caller: Caller): void {
  if (caller.execution && cancellingExecutionStatuses.includes(caller.execution.status)) {
    throw new GantryError('forbidden_while_cancelling', 'The execution that asks for this is being cancelled');
  }
}
