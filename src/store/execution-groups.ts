import { orderingWorkflows } from './execution-effects.ts';
import type { ExecutionGroup } from '../domain/resources.ts';
import type { ExecutionStatus } from '../domain/states.ts';
import type { ReadOptions } from './entity-rows.ts';
import { listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { integer, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import type { NewResource } from './resource-writes.ts';
import { createResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { groupRows } from './values.ts';

export interface ExecutionGroupUpdate {
  /** 0 = paused. */
  concurrency?: number | undefined;
  successGroupStorageId?: number | null | undefined;
  failedGroupStorageId?: number | null | undefined;
}

interface MemberRow {
  groupId: number;
  id: string;
  status: ExecutionStatus;
}

async function attachExecutions(session: Session, items: ExecutionGroup[]): Promise<void> {
  const rows = await session.prepared<MemberRow>(
    `select member.execution_group_id as "groupId", execution.id, execution.status
     from execution_groups_executions member join executions execution on execution.storage_id = member.execution_id
     where member.execution_group_id = any($1) order by execution.created_at, execution.storage_id`,
    [items.map(({ storageId }) => storageId)],
  );
  const members = groupRows(rows, ({ groupId }) => groupId);
  for (const item of items) {
    const own = members.get(item.storageId) ?? [];
    item.executionIds = own.map(({ id }) => id);
    item.executionStatuses = own.map(({ status }) => status);
  }
}

const executionGroupResource: Resource<ExecutionGroup> = {
  kind: 'ExecutionGroup',
  table: 'execution_groups',
  alias: 'execution_group',
  from: `execution_groups execution_group ${resourceJoins('execution_group')}
    left join deployment_groups deployment_group on deployment_group.storage_id = execution_group.deployment_group_id
    left join deployment_groups success_group on success_group.storage_id = execution_group.success_group_id
    left join deployment_groups failed_group on failed_group.storage_id = execution_group.failed_group_id`,
  scope: scopeOf('execution_group'),
  fields: {
    ...resourceFields('execution_group'),
    createdAt: timestamp('execution_group.created_at'),
    workflowId: text('execution_group.workflow_id'),
    concurrency: integer('execution_group.concurrency'),
    deploymentGroupId: text('deployment_group.id'),
    successGroupId: text('success_group.id'),
    failedGroupId: text('failed_group.id'),
  },
  defaultOrder: 'execution_group.created_at, execution_group.storage_id',
  defaults: { executionIds: [], executionStatuses: [] },
  attach: async (session, items, wants) => {
    if (wants('executionIds') || wants('executionStatuses')) {
      await attachExecutions(session, items);
    }
  },
};

/** @throws GantryError conflict_error for a known id */
export async function createExecutionGroup(
  session: Session,
  group: NewResource & {
    workflowId: string;
    concurrency: number;
    deploymentGroupStorageId?: number | undefined;
  },
): Promise<ExecutionGroup> {
  return createResource(session, executionGroupResource, group, {
    workflow_id: group.workflowId,
    concurrency: group.concurrency,
    deployment_group_id: group.deploymentGroupStorageId,
  });
}

/** @throws GantryError not_found_error */
export async function getExecutionGroup(
  session: Session,
  scope: Scope,
  id: string,
  options?: ReadOptions,
): Promise<ExecutionGroup> {
  return getResource(session, executionGroupResource, scope, { id }, options);
}

export async function listExecutionGroups(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<ExecutionGroup>> {
  return listResources(session, executionGroupResource, scope, query);
}

/** @throws GantryError not_found_error */
export async function updateExecutionGroup(
  session: Session,
  storageId: number,
  update: ExecutionGroupUpdate,
): Promise<ExecutionGroup> {
  return updateResource(session, executionGroupResource, storageId, {
    concurrency: update.concurrency,
    success_group_id: update.successGroupStorageId,
    failed_group_id: update.failedGroupStorageId,
  });
}

/** Ids of the members, oldest first. */
export async function findGroupExecutions(session: Session, groupStorageId: number): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    `select execution.id from execution_groups_executions member
     join executions execution on execution.storage_id = member.execution_id
     where member.execution_group_id = $1 order by execution.created_at, execution.storage_id`,
    [groupStorageId],
  );
  return rows.map(({ id }) => id);
}

/** Adds executions by storage id. */
export async function addGroupExecutions(
  session: Session,
  groupStorageId: number,
  executionStorageIds: readonly number[],
): Promise<void> {
  await session.prepared(
    `insert into execution_groups_executions (execution_group_id, execution_id)
     select $1, unnest($2::bigint[]) on conflict do nothing`,
    [groupStorageId, [...executionStorageIds]],
  );
}

/** Makes an execution a member of the groups another one is in. */
export async function joinGroupsOf(session: Session, memberStorageId: number, storageId: number): Promise<void> {
  await session.prepared(
    `insert into execution_groups_executions (execution_group_id, execution_id)
     select execution_group_id, $2 from execution_groups_executions where execution_id = $1 on conflict do nothing`,
    [memberStorageId, storageId],
  );
}

/** Puts the deployments of members that already ended so into the group for successes and that for failures. */
export async function collectEndedDeployments(session: Session, groupStorageId: number): Promise<void> {
  await session.prepared(
    `insert into deployment_groups_deployments (deployment_group_id, deployment_id)
     select distinct target.id, execution.deployment_id
     from execution_groups execution_group
     join execution_groups_executions member on member.execution_group_id = execution_group.storage_id
     join executions execution on execution.storage_id = member.execution_id
     cross join lateral (select case execution.status when 'terminated' then execution_group.success_group_id
       when 'failed' then execution_group.failed_group_id end as id) target
     where execution_group.storage_id = $1 and execution.deployment_id is not null and target.id is not null
       and not (execution.status = 'terminated' and execution.workflow_id = any($2))
     on conflict do nothing`,
    [groupStorageId, [...orderingWorkflows]],
  );
}
