import type { Json } from '../domain/plan.ts';
import type { PluginsUpdate } from '../domain/resources.ts';
import { activePluginsUpdateStates, endedExecutionStatuses } from '../domain/states.ts';
import type { PluginsUpdateState } from '../domain/states.ts';
import { findBlueprint, updateBlueprint } from './blueprints.ts';
import { findResources, listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { boolean, heavy, json, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import type { NewResource } from './resource-writes.ts';
import { createResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { jsonChange } from './values.ts';

/** undefined = leave, null = clear. */
export interface PluginsUpdateChange {
  state?: PluginsUpdateState | undefined;
  temporaryBlueprintStorageId?: number | null | undefined;
  executionStorageId?: number | null | undefined;
  deploymentsToUpdate?: Json | undefined;
  deploymentsPerTenant?: Json | undefined;
}

const pluginsUpdateResource: Resource<PluginsUpdate> = {
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
      state: PluginsUpdateState;
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

/** The update an execution of `update_plugin` carries out. */
export async function findPluginsUpdateOf(
  session: Session,
  executionStorageId: number,
): Promise<PluginsUpdate | undefined> {
  const [update] = await findResources(
    session,
    pluginsUpdateResource,
    (parameters) => `change.execution_id = ${parameters.add(executionStorageId)}`,
  );
  return update;
}

/** Updates of the plugins of a blueprint that are under way, oldest first. */
export async function findActivePluginsUpdates(session: Session, blueprintStorageId: number): Promise<PluginsUpdate[]> {
  return findResources(
    session,
    pluginsUpdateResource,
    (parameters) =>
      `change.original_blueprint_id = ${parameters.add(blueprintStorageId)} ` +
      `and change.state = any(${parameters.add([...activePluginsUpdateStates])})`,
  );
}

/**
 * Gives updates of plugins that nobody carries out any more the state their executions ended in.
 * @param blueprintStorageId whose updates
 */
export async function settleAbandonedUpdates(session: Session, blueprintStorageId: number): Promise<void> {
  await session.prepared(
    `update plugins_updates change
     set state = case when ended.status = 'terminated' then 'successful' else 'failed' end
     from plugins_updates given
     left join executions ended on ended.storage_id = given.execution_id
     where change.storage_id = given.storage_id and given.original_blueprint_id = $1
       and given.state = any($2) and (ended.status is null or ended.status = any($3))`,
    [blueprintStorageId, [...activePluginsUpdateStates], [...endedExecutionStatuses]],
  );
}

/** A deployment of a blueprint. */
export interface BlueprintDeployment {
  readonly storageId: number;
  readonly id: string;
  readonly tenantName: string;
}

/**
 * Deployments of a blueprint by tenant and id.
 * @param tenantIds only of these tenants
 */
export async function findDeploymentsUsing(
  session: Session,
  blueprintStorageId: number,
  tenantIds: readonly number[] | 'all',
): Promise<BlueprintDeployment[]> {
  return session.prepared<BlueprintDeployment>(
    `select deployment.storage_id as "storageId", deployment.id, tenant.name as "tenantName"
     from deployments deployment join tenants tenant on tenant.id = deployment.tenant_id
     where deployment.blueprint_id = $1 and ($2::integer[] is null or deployment.tenant_id = any($2))
     order by tenant.name, deployment.id`,
    [blueprintStorageId, tenantIds === 'all' ? null : [...tenantIds]],
  );
}

interface Pair {
  readonly original: number;
  readonly temporary: number | null;
}

/** Hands everything of the temporary blueprint of an update back to the one it was copied from, and removes it. */
async function dissolveTemporary(session: Session, { original, temporary }: Pair): Promise<void> {
  if (temporary === null) {
    return;
  }
  await session.prepared('update deployments set blueprint_id = $1 where blueprint_id = $2', [original, temporary]);
  await session.prepared(
    `update deployment_updates set
       old_blueprint_id = case when old_blueprint_id = $2 then $1 else old_blueprint_id end,
       new_blueprint_id = case when new_blueprint_id = $2 then $1 else new_blueprint_id end
     where old_blueprint_id = $2 or new_blueprint_id = $2`,
    [original, temporary],
  );
  // while a snapshot is put together there are no foreign keys that would take these along
  await session.prepared('update plugins_updates set temp_blueprint_id = null where temp_blueprint_id = $1', [
    temporary,
  ]);
  await session.prepared('delete from blueprints_plugins where blueprint_id = $1', [temporary]);
  await session.prepared('delete from blueprints_imports where blueprint_id = $1', [temporary]);
  await session.prepared('delete from blueprints_labels where resource_id = $1', [temporary]);
  await session.prepared('delete from blueprints where storage_id = $1', [temporary]);
}

/**
 * Ends an update of plugins well: its blueprint takes the plan with the new versions, its deployments belong to it again.
 * @returns false when it was ended from outside
 */
export async function completePluginsUpdate(session: Session, storageId: number): Promise<boolean> {
  const [pair] = await session.prepared<Pair>(
    `update plugins_updates set state = 'successful' where storage_id = $1 and state = any($2)
     returning original_blueprint_id as original, temp_blueprint_id as temporary`,
    [storageId, [...activePluginsUpdateStates]],
  );
  if (!pair) {
    return false;
  }
  const planned = pair.temporary === null ? undefined : await findBlueprint(session, pair.temporary);
  if (planned?.plan) {
    const { plan, requirements } = planned;
    await updateBlueprint(session, pair.original, { plan, requirements, updatedAt: new Date() });
  }
  await dissolveTemporary(session, pair);
  return true;
}

/**
 * Ends updates of plugins that failed. Their blueprints stay as they were, and get back the deployments that were
 * updated already.
 *
 * Compatibility: Cloudify 7.
 */
export async function failPluginsUpdates(session: Session, executionStorageIds: readonly number[]): Promise<void> {
  const pairs = await session.prepared<Pair>(
    `update plugins_updates set state = 'failed' where execution_id = any($1) and state = any($2)
     returning original_blueprint_id as original, temp_blueprint_id as temporary`,
    [[...executionStorageIds], [...activePluginsUpdateStates]],
  );
  for (const pair of pairs) {
    await dissolveTemporary(session, pair);
  }
}
