import type { JsonObject } from '../domain/plan.ts';
import type { DeploymentGroup } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { attachLabels } from './labels.ts';
import type { ReadOptions } from './entity-rows.ts';
import { listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { integer, json, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import type { NewResource } from './resource-writes.ts';
import { createResource, deleteResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { jsonChange, onlyRow, groupRows } from './values.ts';

export interface DeploymentGroupUpdate {
  description?: string | undefined;
  visibility?: Visibility | undefined;
  defaultBlueprintStorageId?: number | undefined;
  defaultInputs?: JsonObject | undefined;
  creationCounter?: number | undefined;
  creatorId?: number | undefined;
  createdAt?: Date | undefined;
}

async function attachMembers(session: Session, items: DeploymentGroup[]): Promise<void> {
  const rows = await session.prepared<{ groupId: number; id: string }>(
    `select member.deployment_group_id as "groupId", deployment.id
     from deployment_groups_deployments member join deployments deployment on deployment.storage_id = member.deployment_id
     where member.deployment_group_id = any($1) order by deployment.created_at, deployment.storage_id`,
    [items.map(({ storageId }) => storageId)],
  );
  const members = groupRows(rows, ({ groupId }) => groupId);
  for (const item of items) {
    item.deploymentIds = (members.get(item.storageId) ?? []).map(({ id }) => id);
  }
}

const deploymentGroupResource: Resource<DeploymentGroup> = {
  kind: 'DeploymentGroup',
  table: 'deployment_groups',
  alias: 'deployment_group',
  from: `deployment_groups deployment_group ${resourceJoins('deployment_group')}
    left join blueprints blueprint on blueprint.storage_id = deployment_group.default_blueprint_id`,
  scope: scopeOf('deployment_group'),
  fields: {
    ...resourceFields('deployment_group'),
    createdAt: timestamp('deployment_group.created_at'),
    description: text('deployment_group.description'),
    defaultBlueprintId: text('blueprint.id'),
    defaultBlueprintStorageId: integer('deployment_group.default_blueprint_id'),
    defaultInputs: json('deployment_group.default_inputs'),
    creationCounter: integer('deployment_group.creation_counter'),
  },
  defaultOrder: 'deployment_group.created_at, deployment_group.storage_id',
  labels: 'deployment_groups_labels',
  defaults: { deploymentIds: [], labels: [] },
  attach: async (session, items, wants) => {
    if (wants('labels')) {
      await attachLabels(session, 'deploymentGroups', items);
    }
    if (wants('deploymentIds')) {
      await attachMembers(session, items);
    }
  },
};

function columnsOf(update: DeploymentGroupUpdate): Record<string, unknown> {
  return {
    description: update.description,
    visibility: update.visibility,
    default_blueprint_id: update.defaultBlueprintStorageId,
    default_inputs: jsonChange(update.defaultInputs),
    creation_counter: update.creationCounter,
    creator_id: update.creatorId,
    created_at: update.createdAt,
  };
}

/** @throws GantryError conflict_error when the id is taken in the tenant or by a global group */
export async function createDeploymentGroup(
  session: Session,
  group: NewResource & DeploymentGroupUpdate & { visibility: Visibility },
): Promise<DeploymentGroup> {
  return createResource(session, deploymentGroupResource, group, columnsOf(group));
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getDeploymentGroup(
  session: Session,
  scope: Scope,
  id: string,
  options?: ReadOptions,
): Promise<DeploymentGroup> {
  return getResource(session, deploymentGroupResource, scope, { id }, options);
}

export async function listDeploymentGroups(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<DeploymentGroup>> {
  return listResources(session, deploymentGroupResource, scope, query);
}

/** @throws GantryError not_found_error */
export async function updateDeploymentGroup(
  session: Session,
  storageId: number,
  update: DeploymentGroupUpdate,
): Promise<DeploymentGroup> {
  return updateResource(session, deploymentGroupResource, storageId, columnsOf(update));
}

/** Its deployments stay. @returns whether it was there */
export async function deleteDeploymentGroup(session: Session, storageId: number): Promise<boolean> {
  return deleteResource(session, deploymentGroupResource, storageId);
}

/** Adds deployments by storage id. @returns those that were not members */
export async function addGroupMembers(
  session: Session,
  groupStorageId: number,
  deploymentStorageIds: readonly number[],
): Promise<number[]> {
  const rows = await session.prepared<{ id: number }>(
    `insert into deployment_groups_deployments (deployment_group_id, deployment_id)
     select $1, unnest($2::bigint[]) on conflict do nothing returning deployment_id as id`,
    [groupStorageId, [...deploymentStorageIds]],
  );
  return rows.map(({ id }) => id);
}

/** Removes deployments by storage id; those that are no members are ignored. @returns those that were */
export async function removeGroupMembers(
  session: Session,
  groupStorageId: number,
  deploymentStorageIds: readonly number[],
): Promise<number[]> {
  const rows = await session.prepared<{ id: number }>(
    `delete from deployment_groups_deployments where deployment_group_id = $1 and deployment_id = any($2)
     returning deployment_id as id`,
    [groupStorageId, [...deploymentStorageIds]],
  );
  return rows.map(({ id }) => id);
}

/** Makes the given deployments the only members. @returns who joined and who left */
export async function replaceGroupMembers(
  session: Session,
  groupStorageId: number,
  deploymentStorageIds: readonly number[],
): Promise<{ added: number[]; removed: number[] }> {
  const rows = await session.prepared<{ id: number }>(
    `delete from deployment_groups_deployments where deployment_group_id = $1 and deployment_id <> all($2)
     returning deployment_id as id`,
    [groupStorageId, [...deploymentStorageIds]],
  );
  const added = await addGroupMembers(session, groupStorageId, deploymentStorageIds);
  return { added, removed: rows.map(({ id }) => id) };
}

/** Storage ids of the members, in the order the deployments were created. */
export async function loadGroupMembers(session: Session, groupStorageId: number): Promise<number[]> {
  const rows = await session.prepared<{ id: number }>(
    `select deployment.storage_id as id from deployment_groups_deployments member
     join deployments deployment on deployment.storage_id = member.deployment_id
     where member.deployment_group_id = $1 order by deployment.created_at, deployment.storage_id`,
    [groupStorageId],
  );
  return rows.map(({ id }) => id);
}

/** Counts `count` new deployments. @returns the number of the first one, counting from 1 */
export async function advanceCreationCounter(session: Session, groupStorageId: number, count: number): Promise<number> {
  const rows = await session.prepared<{ last: number }>(
    `update deployment_groups set creation_counter = creation_counter + $2 where storage_id = $1
     returning creation_counter as last`,
    [groupStorageId, count],
  );
  return onlyRow(rows).last - count + 1;
}
