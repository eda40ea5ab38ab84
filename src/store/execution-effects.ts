import type { Execution } from '../domain/entities.ts';
import { setLatestExecutions } from './deployment-status.ts';
import { failUpdatesOfExecutions } from './deployment-updates.ts';
import { insertEvents } from './events.ts';
import { failPluginsUpdates } from './plugins-updates.ts';
import type { Session } from './session.ts';

/** What its deployment is told about an execution besides its status. */
export interface ExecutionEffectsOptions {
  /** The deployment is about to go: its status is of no interest any more. */
  isDeploymentLeaving?: boolean;
  /** It never began, so it is not the latest execution of its deployment. */
  hasNotBegun?: boolean;
}

/**
 * What a status change of an execution means for others, in the transaction of the change: its deployment takes it as
 * the latest execution and has its status recomputed (ancestors included), its groups get an event, and an ended
 * member moves its deployment into the group for successes or failures.
 */
export async function applyExecutionStatus(
  session: Session,
  execution: Execution,
  options: ExecutionEffectsOptions = {},
): Promise<void> {
  await applyExecutionStatuses(session, [execution], options);
}

/** Like `applyExecutionStatus` for many executions of which no two are of one deployment. */
export async function applyExecutionStatuses(
  session: Session,
  executions: readonly Execution[],
  options: ExecutionEffectsOptions = {},
): Promise<void> {
  const latest = executions.flatMap(({ deploymentStorageId, storageId: executionStorageId }) =>
    deploymentStorageId === undefined ? [] : [{ deploymentStorageId, executionStorageId }],
  );
  // asked for with the statement before it, where that tells of all of them
  let isGrouped = executions.length > 0;
  if (latest.length > 0 && !options.isDeploymentLeaving && !options.hasNotBegun) {
    isGrouped = (await setLatestExecutions(session, latest)) || latest.length < executions.length;
  }
  const broken = executions.filter(({ status }) => status === 'failed' || status === 'cancelled');
  if (broken.length > 0) {
    await failUpdatesOfExecutions(
      session,
      broken.map(({ storageId }) => storageId),
    );
    const ofPlugins = broken.filter(({ workflowId }) => workflowId === 'update_plugin');
    if (ofPlugins.length > 0) {
      await failPluginsUpdates(
        session,
        ofPlugins.map(({ storageId }) => storageId),
      );
    }
  }
  if (isGrouped) {
    await tellGroups(session, executions);
  }
}

/** Their success means no more than that another member of the group does the work. */
export const orderingWorkflows: readonly string[] = ['csys_update_deployment'];

interface MemberRow {
  execution_id: number;
  id: string;
  success_group_id: number | null;
  failed_group_id: number | null;
}

async function tellGroups(session: Session, executions: readonly Execution[]): Promise<void> {
  const members = await session.prepared<MemberRow>(
    `select execution_id, id, success_group_id, failed_group_id from execution_groups
      join execution_groups_executions on execution_group_id = execution_groups.storage_id
      where execution_id = any($1)`,
    [executions.map(({ storageId }) => storageId)],
  );
  if (members.length === 0) {
    return;
  }
  const byId = new Map(executions.map((execution) => [execution.storageId, execution]));
  const told = members.flatMap((member) => {
    const execution = byId.get(member.execution_id);
    return execution ? [{ execution, ...member }] : [];
  });
  await insertEvents(
    session,
    told.map(({ id, execution }) => ({
      kind: 'event',
      timestamp: new Date(),
      executionGroupId: id,
      tenantId: execution.tenantId,
      creatorId: execution.creatorId,
      visibility: execution.visibility,
      eventType: 'execution_state_change',
      message: stateChange(execution),
    })),
  );
  const joining = told.flatMap(({ execution, success_group_id: success, failed_group_id: failed }) => {
    const hasSucceeded = execution.status === 'terminated' && !orderingWorkflows.includes(execution.workflowId);
    const group = hasSucceeded ? success : execution.status === 'failed' ? failed : null;
    return group === null || execution.deploymentStorageId === undefined
      ? []
      : [{ group, deployment: execution.deploymentStorageId }];
  });
  if (joining.length > 0) {
    await session.prepared(
      `insert into deployment_groups_deployments (deployment_group_id, deployment_id)
        select * from unnest($1::bigint[], $2::bigint[]) on conflict do nothing`,
      [joining.map(({ group }) => group), joining.map(({ deployment }) => deployment)],
    );
  }
}

/** What a group is told of a member. */
export function stateChange({ id, status, error }: Pick<Execution, 'id' | 'status' | 'error'>): string {
  const suffix = error ? ` with error '${error}'` : '';
  return `execution '${id}' changed state to '${status}'${suffix}`;
}
