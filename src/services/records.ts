import type { DeploymentModification } from '../domain/entities.ts';
import type { Permission } from '../domain/permissions.ts';
import type {
  DeploymentGroup,
  DeploymentUpdate,
  InterDeploymentDependency,
  PluginsUpdate,
} from '../domain/resources.ts';
import type { Database } from '../store/database.ts';
import { getDeploymentGroup, listDeploymentGroups } from '../store/deployment-groups.ts';
import { getModification, listModifications } from '../store/deployment-modifications.ts';
import { getDeploymentUpdate, listDeploymentUpdates } from '../store/deployment-updates.ts';
import {
  getInterDeploymentDependency,
  listInterDeploymentDependencies,
} from '../store/inter-deployment-dependencies.ts';
import { getPluginsUpdate, listPluginsUpdates } from '../store/plugins-updates.ts';
import type { ListQuery, Page, Scope } from '../store/scope.ts';
import type { Session } from '../store/session.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';

/** Reads one kind of resource. */
export interface RecordService<Entity> {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<Entity>>;
  /** @throws GantryError not_found_error, ambiguous_name */
  get(caller: TenantCaller, id: string): Promise<Entity>;
}

function recordsOf<Entity>(
  database: Database,
  listPermission: Permission,
  list: (session: Session, scope: Scope, query: ListQuery) => Promise<Page<Entity>>,
  get: (session: Session, scope: Scope, id: string) => Promise<Entity>,
): RecordService<Entity> {
  return {
    list: (caller, query, isAllTenants) => list(database, listScopeOf(caller, isAllTenants, listPermission), query),
    get: (caller, id) => get(database, scopeOf(caller), id),
  };
}

/** Resources that are read the same way. */
export interface Records {
  readonly deploymentGroups: RecordService<DeploymentGroup>;
  readonly modifications: RecordService<DeploymentModification>;
  readonly updates: RecordService<DeploymentUpdate>;
  readonly dependencies: RecordService<InterDeploymentDependency>;
  readonly pluginsUpdates: RecordService<PluginsUpdate>;
}

/** Makes the reading of resources that need nothing else for it. */
export function createRecords(database: Database): Records {
  return {
    deploymentGroups: recordsOf(database, 'deployment_group_list', listDeploymentGroups, getDeploymentGroup),
    modifications: recordsOf(database, 'deployment_modification_list', listModifications, getModification),
    updates: recordsOf(database, 'deployment_update_list', listDeploymentUpdates, getDeploymentUpdate),
    dependencies: recordsOf(
      database,
      'inter_deployment_dependency_list',
      listInterDeploymentDependencies,
      getInterDeploymentDependency,
    ),
    pluginsUpdates: recordsOf(database, 'plugins_update_list', listPluginsUpdates, getPluginsUpdate),
  };
}
