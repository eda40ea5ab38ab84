import type { Execution } from '../domain/entities.ts';
import { isExecutionEnded } from '../domain/states.ts';
import { refreshDeploymentStatuses } from './deployment-status.ts';
import { insertEvents } from './events.ts';
import type { Session } from './session.ts';

/** What its deployment is told about an execution besides its status. */
export interface ExecutionEffectsOptions {
  /** The deployment is about to go: its status is of no interest any more. */
  isDeploymentLeaving?: boolean;
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
  const { deploymentStorageId } = execution;
  if (deploymentStorageId !== undefined && !options.isDeploymentLeaving) {
    await session.prepared('update deployments set latest_execution_id = $2 where storage_id = $1', [
      deploymentStorageId,
      execution.storageId,
    ]);
    await refreshDeploymentStatuses(session, [deploymentStorageId]);
  }
  await tellGroups(session, execution);
}

interface GroupRow {
  id: string;
  success_group_id: number | null;
  failed_group_id: number | null;
}

async function tellGroups(session: Session, execution: Execution): Promise<void> {
  const groups = await session.prepared<GroupRow>(
    `select id, success_group_id, failed_group_id from execution_groups
      join execution_groups_executions on execution_group_id = execution_groups.storage_id
      where execution_id = $1`,
    [execution.storageId],
  );
  if (groups.length === 0) {
    return;
  }
  const suffix = execution.error ? ` with error '${execution.error}'` : '';
  const { tenantId, creatorId, visibility } = execution;
  await insertEvents(
    session,
    groups.map((group) => ({
      kind: 'event',
      timestamp: new Date(),
      executionGroupId: group.id,
      tenantId,
      creatorId,
      visibility,
      eventType: 'execution_state_change',
      message: `execution '${execution.id}' changed state to '${execution.status}'${suffix}`,
    })),
  );
  if (!isExecutionEnded(execution.status) || execution.deploymentStorageId === undefined) {
    return;
  }
  const column = { terminated: 'success_group_id', failed: 'failed_group_id' } as const;
  const key = execution.status === 'cancelled' ? undefined : column[execution.status as keyof typeof column];
  const targets = key ? groups.flatMap((group) => group[key] ?? []) : [];
  if (targets.length > 0) {
    await session.prepared(
      `insert into deployment_groups_deployments (deployment_group_id, deployment_id)
        select unnest($1::bigint[]), $2 on conflict do nothing`,
      [targets, execution.deploymentStorageId],
    );
  }
}
