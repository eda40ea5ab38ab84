import type { Json, JsonObject } from '../domain/plan.ts';
import type { DeploymentUpdate, DeploymentUpdateStep } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { getResource, listResources, returnResources } from './list-query.ts';
import type { Resource } from './resource.ts';
import { boolean, heavy, integer, json, resourceJoins, scopeFields, scopeOf, text, timestamp } from './resource.ts';
import { updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters, jsonChange, onlyRow, toJson, groupRows } from './values.ts';

/** undefined = leave as it is. */
export interface DeploymentUpdateChange {
  state?: string | undefined;
  executionStorageId?: number | undefined;
  oldBlueprintStorageId?: number | undefined;
  newBlueprintStorageId?: number | undefined;
  runtimeOnlyEvaluation?: boolean | undefined;
  deploymentPlan?: Json | undefined;
  nodeInstances?: Json | undefined;
  nodes?: Json | undefined;
  modifiedEntityIds?: Json | undefined;
  centralPluginsToInstall?: Json | undefined;
  centralPluginsToUninstall?: Json | undefined;
  oldInputs?: JsonObject | undefined;
  newInputs?: JsonObject | undefined;
}

export interface NewDeploymentUpdate extends DeploymentUpdateChange {
  id: string;
  deploymentStorageId: number;
  creatorId: number;
  visibility: Visibility;
  state: string;
  createdAt?: Date | undefined;
}

async function attachSteps(session: Session, items: DeploymentUpdate[]): Promise<void> {
  const rows = await session.prepared<DeploymentUpdateStep & { updateId: number }>(
    `select deployment_update_id as "updateId", id, action, entity_type as "entityType", entity_id as "entityId",
       topology_order as "topologyOrder"
     from deployment_update_steps where deployment_update_id = any($1) order by storage_id`,
    [items.map(({ storageId }) => storageId)],
  );
  const steps = groupRows(rows, ({ updateId }) => updateId);
  for (const item of items) {
    item.steps = (steps.get(item.storageId) ?? []).map(({ id, action, entityType, entityId, topologyOrder }) => ({
      id,
      action,
      entityType,
      entityId,
      topologyOrder,
    }));
  }
}

export const deploymentUpdateResource: Resource<DeploymentUpdate> = {
  kind: 'DeploymentUpdate',
  table: 'deployment_updates',
  alias: 'change',
  from: `deployment_updates change join deployments deployment on deployment.storage_id = change.deployment_id
    left join executions execution on execution.storage_id = change.execution_id
    left join blueprints old_blueprint on old_blueprint.storage_id = change.old_blueprint_id
    left join blueprints new_blueprint on new_blueprint.storage_id = change.new_blueprint_id
    ${resourceJoins('deployment', 'change')}`,
  scope: scopeOf('deployment', 'change'),
  fields: {
    storageId: integer('change.storage_id'),
    id: text('change.id'),
    ...scopeFields('deployment', 'change'),
    createdAt: timestamp('change.created_at'),
    state: text('change.state'),
    deploymentId: text('deployment.id'),
    deploymentStorageId: integer('change.deployment_id'),
    executionId: text('execution.id'),
    oldBlueprintId: text('old_blueprint.id'),
    newBlueprintId: text('new_blueprint.id'),
    runtimeOnlyEvaluation: boolean('change.runtime_only_evaluation'),
    keepOldDeploymentDependencies: boolean('change.keep_old_deployment_dependencies'),
    deploymentPlan: heavy(json('change.deployment_plan')),
    nodeInstances: heavy(json('change.deployment_update_node_instances')),
    nodes: heavy(json('change.deployment_update_nodes')),
    modifiedEntityIds: heavy(json('change.modified_entity_ids')),
    centralPluginsToInstall: heavy(json('change.central_plugins_to_install')),
    centralPluginsToUninstall: heavy(json('change.central_plugins_to_uninstall')),
    oldInputs: heavy(json('change.old_inputs')),
    newInputs: heavy(json('change.new_inputs')),
  },
  defaultOrder: 'change.created_at, change.storage_id',
  defaults: { steps: [] },
  attach: async (session, items, wants) => {
    if (wants('steps')) {
      await attachSteps(session, items);
    }
  },
};

function columnsOf(change: DeploymentUpdateChange): Record<string, unknown> {
  return {
    state: change.state,
    execution_id: change.executionStorageId,
    old_blueprint_id: change.oldBlueprintStorageId,
    new_blueprint_id: change.newBlueprintStorageId,
    runtime_only_evaluation: change.runtimeOnlyEvaluation,
    deployment_plan: jsonChange(change.deploymentPlan),
    deployment_update_node_instances: jsonChange(change.nodeInstances),
    deployment_update_nodes: jsonChange(change.nodes),
    modified_entity_ids: jsonChange(change.modifiedEntityIds),
    central_plugins_to_install: jsonChange(change.centralPluginsToInstall),
    central_plugins_to_uninstall: jsonChange(change.centralPluginsToUninstall),
    old_inputs: jsonChange(change.oldInputs),
    new_inputs: jsonChange(change.newInputs),
  };
}

/** Stores an update, or replaces what is stored under its id. */
export async function putDeploymentUpdate(session: Session, update: NewDeploymentUpdate): Promise<DeploymentUpdate> {
  const parameters = new Parameters();
  const columns = Object.entries({
    id: update.id,
    deployment_id: update.deploymentStorageId,
    creator_id: update.creatorId,
    visibility: update.visibility,
    created_at: update.createdAt,
    ...columnsOf(update),
  }).filter(([, value]) => value !== undefined);
  const names = columns.map(([name]) => name);
  const rows = await returnResources(
    session,
    deploymentUpdateResource,
    `insert into deployment_updates (${names.join(', ')}) values (${columns.map(([, value]) => parameters.add(value)).join(', ')})
     on conflict (id) do update set ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`,
    parameters,
  );
  return onlyRow(rows);
}

/** @throws GantryError not_found_error */
export async function getDeploymentUpdate(session: Session, scope: Scope, id: string): Promise<DeploymentUpdate> {
  return getResource(session, deploymentUpdateResource, scope, { id });
}

export async function listDeploymentUpdates(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<DeploymentUpdate>> {
  return listResources(session, deploymentUpdateResource, scope, query);
}

/** @throws GantryError not_found_error */
export async function changeDeploymentUpdate(
  session: Session,
  storageId: number,
  change: DeploymentUpdateChange,
): Promise<DeploymentUpdate> {
  return updateResource(session, deploymentUpdateResource, storageId, columnsOf(change));
}

/** Adds steps to an update, in one statement. */
export async function addDeploymentUpdateSteps(
  session: Session,
  storageId: number,
  steps: readonly DeploymentUpdateStep[],
): Promise<void> {
  await session.prepared(
    `insert into deployment_update_steps (deployment_update_id, id, action, entity_type, entity_id, topology_order)
     select $1, id, action, "entityType", "entityId", "topologyOrder"
     from json_to_recordset($2::json) as step (id text, action text, "entityType" text, "entityId" text[],
       "topologyOrder" integer)`,
    [storageId, toJson(steps)],
  );
}

/** Updates that an ended execution did not finish become failed. */
export async function failUpdatesOfExecution(session: Session, executionStorageId: number): Promise<void> {
  await session.prepared(
    `update deployment_updates set state = 'failed' where execution_id = $1
       and state not in ('successful', 'failed', 'preview')`,
    [executionStorageId],
  );
}
