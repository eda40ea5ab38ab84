import { notFound } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { DeploymentUpdate, DeploymentUpdateStep, UpdateOutlook, UpdatePhase } from '../domain/resources.ts';
import { deploymentUpdateTransitions, endedUpdateStates, sourcesOf } from '../domain/states.ts';
import type { DeploymentUpdateState, Visibility } from '../domain/states.ts';
import { findResources, listResources, returnResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { boolean, heavy, integer, json, resourceJoins, scopeFields, scopeOf, text, timestamp } from './resource.ts';
import { updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters, assignments, jsonChange, onlyRow, toJson, groupRows } from './values.ts';

/** undefined = leave as it is. */
export interface DeploymentUpdateChange {
  state?: DeploymentUpdateState | undefined;
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
  isPreview?: boolean | undefined;
  keepsBlueprint?: boolean | undefined;
  phase?: UpdatePhase | undefined;
  outlook?: UpdateOutlook | undefined;
}

export interface NewDeploymentUpdate extends DeploymentUpdateChange {
  id: string;
  deploymentStorageId: number;
  creatorId: number;
  visibility: Visibility;
  state: DeploymentUpdateState;
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

const deploymentUpdateResource: Resource<DeploymentUpdate> = {
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
    isPreview: boolean('change.is_preview'),
    keepsBlueprint: boolean('change.keeps_blueprint'),
    phase: text('change.phase'),
    decisions: heavy(json('change.decisions')),
    outlook: heavy(json('change.outlook')),
  },
  defaultOrder: 'change.created_at, change.storage_id',
  defaults: { steps: [], decisions: {} },
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
    is_preview: change.isPreview,
    keeps_blueprint: change.keepsBlueprint,
    phase: change.phase,
    outlook: jsonChange(change.outlook),
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

/** The update of that id, whatever its tenant: ids are unique everywhere. */
export async function findDeploymentUpdate(session: Session, id: string): Promise<DeploymentUpdate | undefined> {
  const [update] = await findResources(
    session,
    deploymentUpdateResource,
    (parameters) => `change.id = ${parameters.add(id)}`,
    { fields: [] },
  );
  return update;
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

/**
 * Moves an update along one arrow of its state diagram, with other changes, in one statement.
 * @returns the update, or undefined when its state is not one the arrow leaves from
 */
export async function moveDeploymentUpdate(
  session: Session,
  storageId: number,
  event: string,
  change: Omit<DeploymentUpdateChange, 'state'> = {},
): Promise<DeploymentUpdate | undefined> {
  const { from, to } = sourcesOf(deploymentUpdateTransitions, event);
  const parameters = new Parameters();
  const set = assignments(columnsOf({ ...change, state: to }), parameters) ?? '';
  const [moved] = await returnResources(
    session,
    deploymentUpdateResource,
    `update deployment_updates change set ${set}
     where change.storage_id = ${parameters.add(storageId)} and change.state = any(${parameters.add([...from])})`,
    parameters,
    'change.*',
  );
  return moved;
}

/** The update with its documents, locked until the transaction ends. @throws GantryError not_found_error */
export async function lockDeploymentUpdate(session: Session, storageId: number): Promise<DeploymentUpdate> {
  const [update] = await findResources(
    session,
    deploymentUpdateResource,
    (parameters) => `change.storage_id = ${parameters.add(storageId)}`,
    { lock: true },
  );
  if (!update) {
    throw notFound('DeploymentUpdate', String(storageId));
  }
  return update;
}

/** The update an execution carries out. */
export async function findUpdateOfExecution(
  session: Session,
  executionStorageId: number,
): Promise<DeploymentUpdate | undefined> {
  const [update] = await findResources(
    session,
    deploymentUpdateResource,
    (parameters) => `change.execution_id = ${parameters.add(executionStorageId)}`,
    { limit: 1 },
  );
  return update;
}

/** Whether a later update has changed the deployment since. */
export async function isUpdateOutdated(session: Session, update: DeploymentUpdate): Promise<boolean> {
  const rows = await session.prepared(
    `select from deployment_updates where deployment_id = $1 and storage_id > $2 and phase <> 'new' limit 1`,
    [update.deploymentStorageId, update.storageId],
  );
  return rows.length > 0;
}

/**
 * Records a choice unless it has been made before.
 * @returns what is recorded now
 */
export async function recordDecision(
  session: Session,
  storageId: number,
  name: string,
  choice: readonly string[],
): Promise<readonly string[]> {
  const [row] = await session.prepared<{ choice: string[] }>(
    `update deployment_updates set decisions = jsonb_build_object($2::text, $3::jsonb) || decisions where storage_id = $1
     returning decisions -> $2 as choice`,
    [storageId, name, toJson(choice)],
  );
  return row?.choice ?? choice;
}

/** Replaces the steps of an update, in one statement. */
export async function replaceDeploymentUpdateSteps(
  session: Session,
  storageId: number,
  steps: readonly DeploymentUpdateStep[],
): Promise<void> {
  await session.prepared('delete from deployment_update_steps where deployment_update_id = $1', [storageId]);
  await addDeploymentUpdateSteps(session, storageId, steps);
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

/** Updates that ended executions did not finish become failed. */
export async function failUpdatesOfExecutions(session: Session, executionStorageIds: readonly number[]): Promise<void> {
  if (executionStorageIds.length > 0) {
    await session.prepared(
      `update deployment_updates set state = 'failed' where execution_id = any($1) and state <> all($2)`,
      [[...executionStorageIds], [...endedUpdateStates]],
    );
  }
}
