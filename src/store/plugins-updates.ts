import type { Json } from '../domain/plan.ts';
import type { PluginsUpdate } from '../domain/resources.ts';
import { listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { boolean, heavy, json, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import type { NewResource } from './resource-writes.ts';
import { createResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { jsonChange } from './values.ts';

/** undefined = leave, null = clear. */
export interface PluginsUpdateChange {
  state?: string | undefined;
  temporaryBlueprintStorageId?: number | null | undefined;
  executionStorageId?: number | null | undefined;
  deploymentsToUpdate?: Json | undefined;
  deploymentsPerTenant?: Json | undefined;
}

export const pluginsUpdateResource: Resource<PluginsUpdate> = {
  kind: 'PluginsUpdate',
  table: 'plugins_updates',
  alias: 'change',
  from: `plugins_updates change ${resourceJoins('change')}
    left join blueprints blueprint on blueprint.storage_id = change.original_blueprint_id
    left join blueprints temporary on temporary.storage_id = change.temp_blueprint_id
    left join executions execution on execution.storage_id = change.execution_id`,
  scope: scopeOf('change'),
  fields: {
    ...resourceFields('change'),
    createdAt: timestamp('change.created_at'),
    state: text('change.state'),
    isForced: boolean('change.forced'),
    isAllTenants: boolean('change.all_tenants'),
    blueprintId: text('blueprint.id'),
    temporaryBlueprintId: text('temporary.id'),
    executionId: text('execution.id'),
    deploymentsToUpdate: heavy(json('change.deployments_to_update')),
    deploymentsPerTenant: heavy(json('change.deployments_per_tenant')),
  },
  defaultOrder: 'change.created_at, change.storage_id',
};

function columnsOf(change: PluginsUpdateChange): Record<string, unknown> {
  return {
    state: change.state,
    temp_blueprint_id: change.temporaryBlueprintStorageId,
    execution_id: change.executionStorageId,
    deployments_to_update: jsonChange(change.deploymentsToUpdate),
    deployments_per_tenant: jsonChange(change.deploymentsPerTenant),
  };
}

/** @throws GantryError conflict_error for a known id */
export async function createPluginsUpdate(
  session: Session,
  update: NewResource &
    PluginsUpdateChange & {
      state: string;
      blueprintStorageId: number;
      isForced: boolean;
      isAllTenants: boolean;
    },
): Promise<PluginsUpdate> {
  return createResource(session, pluginsUpdateResource, update, {
    ...columnsOf(update),
    original_blueprint_id: update.blueprintStorageId,
    forced: update.isForced,
    all_tenants: update.isAllTenants,
  });
}

/** @throws GantryError not_found_error */
export async function getPluginsUpdate(session: Session, scope: Scope, id: string): Promise<PluginsUpdate> {
  return getResource(session, pluginsUpdateResource, scope, { id });
}

export async function listPluginsUpdates(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<PluginsUpdate>> {
  return listResources(session, pluginsUpdateResource, scope, query);
}

/** @throws GantryError not_found_error */
export async function changePluginsUpdate(
  session: Session,
  storageId: number,
  change: PluginsUpdateChange,
): Promise<PluginsUpdate> {
  return updateResource(session, pluginsUpdateResource, storageId, columnsOf(change));
}
