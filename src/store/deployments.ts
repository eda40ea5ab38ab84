import type { Deployment } from '../domain/entities.ts';
import { notFound } from '../domain/errors.ts';
import type { JsonObject, PlanScalingGroup, PlanWorkflow } from '../domain/plan.ts';
import type { DeploymentStatus, InstallationStatus, Visibility } from '../domain/states.ts';
import { instanceStatesOf, typesOf } from './deployment-activity.ts';
import { removeLeavingConsumers } from './consumers.ts';
import { attachLabels, embeddedLabels } from './labels.ts';
import type { Condition } from './list-query.ts';
import type { ReadOptions } from './entity-rows.ts';
import { findResources, listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import {
  boolean,
  heavy,
  hidden,
  integer,
  json,
  resourceFields,
  resourceJoins,
  scopeOf,
  text,
  timestamp,
} from './resource.ts';
import { changeResource, createResource, deleteResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session, Transaction } from './session.ts';
import { jsonChange } from './values.ts';

/** What the create workflow and updates write into a deployment; undefined = leave as it is. */
export interface DeploymentUpdate {
  displayName?: string | undefined;
  description?: string | null | undefined;
  visibility?: Visibility | undefined;
  creatorId?: number | undefined;
  createdAt?: Date | undefined;
  updatedAt?: Date | undefined;
  blueprintStorageId?: number | undefined;
  /** null = no site. */
  siteStorageId?: number | null | undefined;
  inputs?: JsonObject | undefined;
  groups?: JsonObject | undefined;
  policyTriggers?: JsonObject | undefined;
  policyTypes?: JsonObject | undefined;
  outputs?: JsonObject | undefined;
  capabilities?: JsonObject | undefined;
  scalingGroups?: { [name: string]: PlanScalingGroup } | undefined;
  workflows?: { [name: string]: PlanWorkflow } | undefined;
  resourceTags?: JsonObject | undefined;
  runtimeOnlyEvaluation?: boolean | undefined;
  installationStatus?: InstallationStatus | undefined;
  deploymentStatus?: DeploymentStatus | null | undefined;
  subServicesStatus?: DeploymentStatus | null | undefined;
  subEnvironmentsStatus?: DeploymentStatus | null | undefined;
  subServicesCount?: number | undefined;
  subEnvironmentsCount?: number | undefined;
  /** Storage id of an execution. */
  createExecutionStorageId?: number | undefined;
  latestExecutionStorageId?: number | undefined;
}

export interface NewDeployment extends DeploymentUpdate {
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  blueprintStorageId: number;
  displayName: string;
}

interface Membership {
  deploymentId: number;
  groupId: string;
}

async function attachGroups(session: Session, items: Deployment[]): Promise<void> {
  const rows = await session.prepared<Membership>(
    `select member.deployment_id as "deploymentId", deployment_group.id as "groupId"
     from deployment_groups_deployments member
     join deployment_groups deployment_group on deployment_group.storage_id = member.deployment_group_id
     where member.deployment_id = any($1) order by deployment_group.id`,
    [items.map(({ storageId }) => storageId)],
  );
  const groups = new Map<number, string[]>();
  for (const { deploymentId, groupId } of rows) {
    groups.set(deploymentId, [...(groups.get(deploymentId) ?? []), groupId]);
  }
  for (const item of items) {
    item.deploymentGroups = groups.get(item.storageId) ?? [];
  }
}

const environmentType = `coalesce((select label.value from deployments_labels label where label.resource_id = deployment.storage_id and label.key = 'csys-env-type' order by label.value limit 1), '')`;

export const deploymentResource: Resource<Deployment> = {
  kind: 'Deployment',
  table: 'deployments',
  alias: 'deployment',
  from: `deployments deployment ${resourceJoins('deployment')}
    left join blueprints blueprint on blueprint.storage_id = deployment.blueprint_id
    left join sites site on site.storage_id = deployment.site_id
    left join executions latest on latest.storage_id = deployment.latest_execution_id
    left join executions creation on creation.storage_id = deployment.create_execution_id`,
  scope: scopeOf('deployment'),
  fields: {
    ...resourceFields('deployment'),
    createdAt: timestamp('deployment.created_at'),
    updatedAt: timestamp('deployment.updated_at'),
    displayName: text('deployment.display_name'),
    description: text('deployment.description'),
    blueprintId: text('blueprint.id'),
    blueprintStorageId: integer('deployment.blueprint_id'),
    siteName: text('site.id'),
    inputs: heavy(json('deployment.inputs')),
    groups: heavy(json('deployment.groups')),
    policyTriggers: heavy(json('deployment.policy_triggers')),
    policyTypes: heavy(json('deployment.policy_types')),
    outputs: heavy(json('deployment.outputs')),
    capabilities: heavy(json('deployment.capabilities')),
    scalingGroups: heavy(json('deployment.scaling_groups')),
    workflows: heavy(json('deployment.workflows')),
    resourceTags: heavy(json('deployment.resource_tags')),
    runtimeOnlyEvaluation: boolean('deployment.runtime_only_evaluation'),
    installationStatus: text('deployment.installation_status'),
    deploymentStatus: text('deployment.deployment_status'),
    subServicesStatus: text('deployment.sub_services_status'),
    subEnvironmentsStatus: text('deployment.sub_environments_status'),
    subServicesCount: integer('deployment.sub_services_count'),
    subEnvironmentsCount: integer('deployment.sub_environments_count'),
    driftedInstances: integer('deployment.drifted_instances'),
    unavailableInstances: integer('deployment.unavailable_instances'),
    createExecutionId: text('creation.id'),
    latestExecutionId: text('latest.id'),
    latestExecutionStatus: text('latest.status'),
    latestExecutionWorkflowId: text('latest.workflow_id'),
    latestExecutionTotalOperations: integer('coalesce(latest.total_operations, 0)'),
    latestExecutionFinishedOperations: integer('coalesce(latest.finished_operations, 0)'),
    environmentType: hidden(text(environmentType)),
    hasSubDeployments: boolean('(deployment.sub_services_count + deployment.sub_environments_count > 0)'),
    deploymentGroupId: hidden(
      text(
        `(select deployment_group.id from deployment_groups_deployments member join deployment_groups deployment_group on deployment_group.storage_id = member.deployment_group_id where member.deployment_id = deployment.storage_id order by deployment_group.id limit 1)`,
      ),
    ),
  },
  defaultOrder: 'deployment.created_at, deployment.storage_id',
  labels: 'deployments_labels',
  attributes: {
    id: 'deployment.id',
    blueprint_id: 'blueprint.id',
    created_by: 'creators.username',
    site_name: 'site.id',
    schedules: `(select schedule.id from execution_schedules schedule where schedule.deployment_id = deployment.storage_id limit 1)`,
    tenant_name: 'tenants.name',
    display_name: 'deployment.display_name',
    installation_status: 'deployment.installation_status',
  },
  defaults: { labels: [], deploymentGroups: [] },
  embedded: {
    labels: embeddedLabels('deployments', 'deployment'),
    deploymentGroups: {
      sql: `(select json_agg(deployment_group.id order by deployment_group.id) from deployment_groups_deployments member
        join deployment_groups deployment_group on deployment_group.storage_id = member.deployment_group_id
        where member.deployment_id = deployment.storage_id)`,
      read: (value) => value ?? [],
    },
    activity: {
      sql: `json_build_object('instanceStates', ${instanceStatesOf('deployment.storage_id')}, 'types', ${typesOf('deployment.storage_id')})`,
      read: (value) => value,
      isOnRequest: true,
    },
  },
  attach: async (session, items, wants) => {
    if (wants('labels')) {
      await attachLabels(session, 'deployments', items);
    }
    if (wants('deploymentGroups')) {
      await attachGroups(session, items);
    }
  },
};

function columnsOf(update: DeploymentUpdate): Record<string, unknown> {
  return {
    display_name: update.displayName,
    description: update.description,
    visibility: update.visibility,
    creator_id: update.creatorId,
    created_at: update.createdAt,
    updated_at: update.updatedAt,
    blueprint_id: update.blueprintStorageId,
    site_id: update.siteStorageId,
    inputs: jsonChange(update.inputs),
    groups: jsonChange(update.groups),
    policy_triggers: jsonChange(update.policyTriggers),
    policy_types: jsonChange(update.policyTypes),
    outputs: jsonChange(update.outputs),
    capabilities: jsonChange(update.capabilities),
    scaling_groups: jsonChange(update.scalingGroups),
    workflows: jsonChange(update.workflows),
    resource_tags: jsonChange(update.resourceTags),
    runtime_only_evaluation: update.runtimeOnlyEvaluation,
    installation_status: update.installationStatus,
    deployment_status: update.deploymentStatus,
    sub_services_status: update.subServicesStatus,
    sub_environments_status: update.subEnvironmentsStatus,
    sub_services_count: update.subServicesCount,
    sub_environments_count: update.subEnvironmentsCount,
    create_execution_id: update.createExecutionStorageId,
    latest_execution_id: update.latestExecutionStorageId,
  };
}

/** The deployment whatever its tenant; undefined when it is gone. */
export async function findDeployment(
  session: Session,
  storageId: number,
  options?: ReadOptions,
): Promise<Deployment | undefined> {
  const [deployment] = await findResources(
    session,
    deploymentResource,
    (parameters) => `deployment.storage_id = ${parameters.add(storageId)}`,
    options,
  );
  return deployment;
}

/** Deployments by storage id, whatever their tenant; those that are gone are left out. */
export async function findDeployments(
  session: Session,
  storageIds: readonly number[],
  options?: ReadOptions,
): Promise<Deployment[]> {
  return findResources(
    session,
    deploymentResource,
    (parameters) => `deployment.storage_id = any(${parameters.add([...storageIds])})`,
    options,
  );
}

/** @throws GantryError conflict_error when the id is taken in the tenant or by a global deployment */
export async function createDeployment(session: Session, deployment: NewDeployment): Promise<Deployment> {
  return createResource(session, deploymentResource, deployment, columnsOf(deployment));
}

/** Names the advisory lock on working directories; the tenant and deployment are the second half of its key. */
const filesLock = 0x67_64_66_73;

/**
 * Keeps the working directory of an id from being made and removed at the same time, until the transaction ends.
 * @param id of a deployment that is about to be there, or has just gone
 */
export async function lockDeploymentFiles(transaction: Transaction, tenantId: number, id: string): Promise<void> {
  await transaction.prepared('select pg_advisory_xact_lock($1, hashtext($2))', [filesLock, `${tenantId} ${id}`]);
}

/** Whether the tenant has a deployment of that id. */
export async function hasDeployment(session: Session, tenantId: number, id: string): Promise<boolean> {
  const rows = await session.prepared('select from deployments where tenant_id = $1 and id = $2', [tenantId, id]);
  return rows.length > 0;
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getDeployment(
  session: Session,
  scope: Scope,
  id: string,
  options?: ReadOptions,
): Promise<Deployment> {
  return getResource(session, deploymentResource, scope, { id }, options);
}

/** What a list of deployments can be narrowed by besides the common query. */
export interface DeploymentListOptions {
  /** Id of a deployment group they are members of. */
  groupId?: string | undefined;
  /** Storage id of a deployment they are needed by, directly or not. */
  dependenciesOf?: number | undefined;
  /** Leave out those that a component created. */
  environmentsOnly?: boolean | undefined;
}

/** Chooses the members of a deployment group that is visible in the tenant. */
export function inDeploymentGroup(scope: Pick<Scope, 'tenantId'>, groupId: string): Condition {
  return (parameters) => `exists (select from deployment_groups_deployments member
    join deployment_groups deployment_group on deployment_group.storage_id = member.deployment_group_id
    where member.deployment_id = deployment.storage_id and deployment_group.id = ${parameters.add(groupId)}
      and (deployment_group.tenant_id = ${parameters.add(scope.tenantId)} or deployment_group.visibility = 'global'))`;
}

function conditionsOf(scope: Scope, options: DeploymentListOptions): Condition[] {
  const conditions: Condition[] = [];
  const { groupId, dependenciesOf } = options;
  if (groupId !== undefined) {
    conditions.push(inDeploymentGroup(scope, groupId));
  }
  if (dependenciesOf !== undefined) {
    conditions.push(
      (parameters) => `deployment.storage_id in (
        with recursive needed (storage_id) as (
          select target_deployment_id from inter_deployment_dependencies
          where source_deployment_id = ${parameters.add(dependenciesOf)} and target_deployment_id is not null
          union
          select dependency.target_deployment_id from inter_deployment_dependencies dependency
          join needed on needed.storage_id = dependency.source_deployment_id
          where dependency.target_deployment_id is not null
        ) select storage_id from needed)`,
    );
  }
  if (options.environmentsOnly) {
    conditions.push(
      () => `not exists (select from inter_deployment_dependencies dependency
        where dependency.target_deployment_id = deployment.storage_id and dependency.dependency_creator like 'component.%')`,
    );
  }
  return conditions;
}

export async function listDeployments(
  session: Session,
  scope: Scope,
  query: ListQuery,
  options: DeploymentListOptions = {},
): Promise<Page<Deployment>> {
  return listResources(session, deploymentResource, scope, query, conditionsOf(scope, options));
}

/** Like `updateDeployment` for those who do not look at the result. @throws GantryError not_found_error */
export async function changeDeployment(session: Session, storageId: number, update: DeploymentUpdate): Promise<void> {
  if (!(await changeResource(session, deploymentResource, storageId, columnsOf(update)))) {
    throw notFound('Deployment', String(storageId));
  }
}

/** @returns the deployment after the change. @throws GantryError not_found_error */
export async function updateDeployment(
  session: Session,
  storageId: number,
  update: DeploymentUpdate,
): Promise<Deployment> {
  return updateResource(session, deploymentResource, storageId, columnsOf(update));
}

/** Removes the deployment and everything under it. @returns whether it was there */
export async function deleteDeployment(session: Session, storageId: number): Promise<boolean> {
  await removeLeavingConsumers(session, [storageId]);
  return deleteResource(session, deploymentResource, storageId);
}

/** Ids of deployments made from a blueprint. */
export async function findDeploymentsOfBlueprint(session: Session, blueprintStorageId: number): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    'select id from deployments where blueprint_id = $1 order by created_at, storage_id',
    [blueprintStorageId],
  );
  return rows.map(({ id }) => id);
}
