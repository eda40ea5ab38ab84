import type { Execution, Tenant, User } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Permission, PermissionMatrix } from '../domain/permissions.ts';
import type { AuthenticationService, Credentials, Identity } from './authentication.ts';
import type { AccessMemory, Remembered } from './access-memory.ts';
import type { TenantDirectory } from './tenant-directory.ts';
import { holds, holdsAnywhere, notPermitted } from './caller.ts';
import type { Caller } from './caller.ts';

export interface AdmissionRequest {
  readonly credentials: Credentials;
  /** Of the header. */
  readonly tenantName: string | undefined;
  readonly access: {
    /** Undefined = every user who is logged in. */
    readonly permission?: Permission;
    /** With `ignored` only the system role counts, whatever tenant is named. */
    readonly tenant?: 'required' | 'optional' | 'ignored';
    readonly isOpenToExecutions?: boolean;
    /** Whether no execution may call it, whoever started it. */
    readonly isClosedToExecutions?: boolean;
    /** Whether the caller asks for all its tenants, on a route that has that. */
    readonly isAllTenants: boolean;
  };
  readonly maintenance: {
    /** Whether the route is answered in maintenance mode. */
    readonly isAllowed: boolean;
    /** Whether the route begins something that maintenance mode would have to wait for. */
    readonly isBeginning?: boolean;
    /** Whether the caller asks to be let through. */
    readonly isBypassed: boolean;
    /** Whether the call may change anything; refused while a snapshot is being restored. */
    readonly isChange: boolean;
  };
}

export interface AuthorizationService {
  /**
   * Finds out who calls and whether that is permitted.
   * @param identified told who calls, also when the call is refused then
   * @throws GantryError unauthorized_error, forbidden_error
   */
  admit(request: AdmissionRequest, identified?: (identity: Identity) => void): Promise<Caller>;
}

export interface AuthorizationDependencies {
  readonly authentication: AuthenticationService;
  readonly tenants: TenantDirectory;
  readonly memory: AccessMemory;
  readonly loadPermissions: () => Promise<PermissionMatrix>;
  readonly maintenanceStatus: () => Promise<MaintenanceStatus>;
  readonly isRestoring: () => boolean;
}

type MaintenanceStatus = 'deactivated' | 'activating' | 'activated';

function tenantOf(tenants: ReadonlyMap<string, Tenant>, name: string | undefined): Tenant | undefined {
  if (name === undefined || name === '') {
    return undefined;
  }
  const tenant = tenants.get(name);
  if (!tenant) {
    throw new GantryError(
      'forbidden_error',
      `Authorization failed: Tried to authenticate with invalid tenant name: ${name}`,
    );
  }
  return tenant;
}

function ownTenants(tenants: ReadonlyMap<string, Tenant>, user: User): Map<string, number> {
  const own = new Map<string, number>();
  for (const { name, id } of tenants.values()) {
    if (user.tenantRoles.has(name)) {
      own.set(name, id);
    }
  }
  return own;
}

/** @throws GantryError maintenance_mode_active, entering_maintenance_mode */
function refuseInMaintenance(caller: Caller, { maintenance }: AdmissionRequest, status: MaintenanceStatus): void {
  const isPassed = maintenance.isBypassed && holds(caller, 'maintenance_mode_set');
  if (isPassed || status === 'deactivated') {
    return;
  }
  if (status === 'activated' && !maintenance.isAllowed) {
    throw new GantryError(
      'maintenance_mode_active',
      'Your request was rejected since Cloudify manager is currently in maintenance mode',
    );
  }
  // what runs must be able to end, so executions go on telling how far they are
  if (status === 'activating' && maintenance.isBeginning === true && !caller.execution) {
    throw new GantryError(
      'entering_maintenance_mode',
      'Your request was rejected since Cloudify manager is currently entering maintenance mode',
    );
  }
}

/**
 * The token of an execution is in the hands of plugins and scripts: with it they do what workflows do, in the tenant of
 * the execution, whatever else the person may do who started it.
 */
function refuseBeyondExecution(execution: Execution, tenant: Tenant | undefined, { access }: AdmissionRequest): void {
  if (access.isClosedToExecutions) {
    throw new GantryError('forbidden_error', 'Executions may not administer the manager');
  }
  if (access.isAllTenants || (tenant && tenant.id !== execution.tenantId)) {
    throw new GantryError(
      'forbidden_error',
      `Authorization failed: execution ${execution.id} may work in its tenant \`${execution.tenantName}\` only`,
    );
  }
}

function refuseWhileRestoring(caller: Caller, { maintenance }: AdmissionRequest): void {
  if (maintenance.isChange && !(maintenance.isBypassed && holds(caller, 'snapshot_restore'))) {
    throw new GantryError(
      'in_snapshot_restore_error',
      'A snapshot is being restored; nothing can be changed until that is done (GET /snapshot-status tells)',
    );
  }
}

/** Makes the service that decides who may do what. */
export function createAuthorization(dependencies: AuthorizationDependencies): AuthorizationService {
  const { authentication, tenants, memory, loadPermissions, maintenanceStatus, isRestoring } = dependencies;

  const maintenanceOf = async (request: AdmissionRequest, known: Remembered): Promise<MaintenanceStatus> => {
    if (request.maintenance.isAllowed && !request.maintenance.isBeginning) {
      return 'deactivated';
    }
    const status = (await known.remember('maintenance', maintenanceStatus)) ?? 'deactivated';
    // it ends by itself, with the last execution that it waits for
    return status === 'activating' ? maintenanceStatus() : status;
  };

  return {
    async admit(request, identified) {
      const { access, credentials, tenantName } = request;
      const remembered = await memory.current();
      // independent of each other, so asked at once
      const [identity, known, matrix, maintenance] = await Promise.all([
        authentication.authenticate(credentials, remembered).then((found) => {
          identified?.(found);
          return found;
        }),
        tenants.all(remembered),
        remembered.remember('permissions', loadPermissions),
        maintenanceOf(request, remembered),
      ]);
      const named = tenantOf(known, tenantName);
      const { execution } = identity;
      const isOpen =
        access.isOpenToExecutions === true &&
        execution !== undefined &&
        (named === undefined || named.id === execution.tenantId);
      if (execution) {
        refuseBeyondExecution(execution, named, request);
      }
      const ownTenant = isOpen ? known.get(execution.tenantName) : undefined;
      const tenant = access.tenant === 'ignored' ? undefined : (named ?? ownTenant);
      const caller: Caller = {
        ...identity,
        address: credentials.address,
        permissions: matrix ?? {},
        tenant,
        tenantIds: ownTenants(known, identity.user),
      };
      if (isRestoring()) {
        refuseWhileRestoring(caller, request);
      }
      refuseInMaintenance(caller, request, maintenance);
      if (!tenant && (access.tenant ?? 'required') === 'required' && !access.isAllTenants) {
        throw new GantryError('forbidden_error', 'Authorization failed: tenant not provided');
      }
      const { permission } = access;
      if (permission === undefined || isOpen) {
        return caller;
      }
      const isPermitted = access.isAllTenants ? holdsAnywhere(caller, permission) : holds(caller, permission);
      if (!isPermitted) {
        throw notPermitted(caller, permission);
      }
      return caller;
    },
  };
}
