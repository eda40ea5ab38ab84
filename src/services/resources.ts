import type { Tenant } from '../domain/entities.ts';
import { GantryError, ifFound } from '../domain/errors.ts';
import type { Permission } from '../domain/permissions.ts';
import type { ResourcePath } from '../files/resource-path.ts';
import { getBlueprint } from '../store/blueprints.ts';
import type { Database } from '../store/database.ts';
import { holds, holdsIn } from './caller.ts';
import type { Caller } from './caller.ts';
import type { TenantDirectory } from './tenant-directory.ts';

/** Who may read which files of the file server. */
export interface ResourceService {
  /** @throws GantryError forbidden_error, not_found_error for an unknown tenant */
  requireReadable(caller: Caller, path: ResourcePath): Promise<void>;
  /** Whose files a path is among. @throws GantryError forbidden_error: clients write what belongs to a tenant only */
  requireWritable(caller: Caller, path: ResourcePath): Promise<Tenant>;
}

/** Top directories that every user who is logged in may read. */
const sharedDirectories = new Set([
  'plugins',
  'global-resources',
  'packages',
  'cloudify',
  'cloudify_agent',
  'spec',
  'types',
  'schemas',
]);

const blueprintDirectories = new Set(['blueprints', 'uploaded-blueprints']);

/** Who may write below which directory of a tenant. */
const writePermissions: ReadonlyMap<string, Permission> = new Map([
  ['blueprints', 'blueprint_upload'],
  ['uploaded-blueprints', 'blueprint_upload'],
  ['deployments', 'deployment_update'],
  ['tenant-resources', 'deployment_update'],
]);

/** Makes the rules of the file server. */
export function createResourceService(database: Database, tenants: TenantDirectory): ResourceService {
  const isGlobalBlueprint = async (tenantId: number, id: string | undefined): Promise<boolean> => {
    if (id === undefined) {
      return false;
    }
    const found = await ifFound(getBlueprint(database, { tenantId }, id, { fields: [] }));
    return found?.visibility === 'global';
  };
  return {
    async requireReadable(caller, path) {
      const [top = ''] = path.parts;
      const refusal = new GantryError(
        'forbidden_error',
        `User \`${caller.user.username}\` is not permitted to read /${path.parts.slice(0, 2).join('/')}`,
      );
      if (path.tenant === undefined) {
        const permission = { snapshots: 'snapshot_download', log_bundles: 'log_bundle_download' } as const;
        const needed = permission[top as keyof typeof permission];
        const isAllowed = needed ? holds(caller, needed) : sharedDirectories.has(top);
        if (!isAllowed) {
          throw refusal;
        }
        return;
      }
      const tenant = (await tenants.all()).get(path.tenant);
      if (!tenant) {
        throw refusal;
      }
      const isMember = holdsIn(caller, 'file_server_auth', tenant.name);
      const isOwnExecution = caller.execution?.tenantId === tenant.id;
      if (isMember || isOwnExecution) {
        return;
      }
      if (!blueprintDirectories.has(top) || !(await isGlobalBlueprint(tenant.id, path.owner))) {
        throw refusal;
      }
    },

    async requireWritable(caller, path) {
      const permission = writePermissions.get(path.parts[0] ?? '');
      const tenant = path.tenant === undefined ? undefined : (await tenants.all()).get(path.tenant);
      const isOwnExecution = tenant !== undefined && caller.execution?.tenantId === tenant.id;
      if (!permission || !tenant || !(isOwnExecution || holdsIn(caller, permission, tenant.name))) {
        throw new GantryError(
          'forbidden_error',
          `User \`${caller.user.username}\` is not permitted to write /${path.parts.slice(0, 2).join('/')}`,
        );
      }
      return tenant;
    },
  };
}
