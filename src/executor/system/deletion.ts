import type { IdGenerator } from '../../domain/clock.ts';
import { describeDependents } from '../../domain/dependents.ts';
import type { Dependent } from '../../domain/dependents.ts';
import type { Deployment } from '../../domain/entities.ts';
import { GantryError } from '../../domain/errors.ts';
import { findDependentsOf } from '../../store/dependents.ts';
import { findLiveInstancesOf } from '../../store/deployment-activity.ts';
import { markDeploymentsLeaving } from '../../store/deployment-status.ts';
import { findBlockingExecutions } from '../../store/execution-queue.ts';
import type { NewExecution } from '../../store/executions.ts';
import type { Transaction } from '../../store/session.ts';
import { groupRows } from '../../store/values.ts';

export const deletionWorkflow = 'delete_deployment_environment';

export interface DeletionRequest {
  /** Whatever needs it, and whatever of it is up. */
  readonly isForced: boolean;
  /** With the deployments that are its services or environments, and theirs. */
  readonly isRecursive: boolean;
  /**
   * Compatibility: Cloudify 7 keeps a log file per deployment and worker. There is none here: events and log lines go
   * with their deployment in any case.
   */
  readonly isDeletingLogs: boolean;
}

/** How many live nodes a refusal names. */
const namedInstances = 100;

function refuse(deployment: Pick<Deployment, 'id'>, reason: string): never {
  throw new GantryError('dependent_exists_error', `Can't delete deployment ${deployment.id} - ${reason}`);
}

/** Dependents that forbid the deletion; who is leaving itself forbids nothing. */
function blocking(dependents: readonly Dependent[] | undefined, request: DeletionRequest): readonly Dependent[] {
  return (dependents ?? []).filter(({ kind, isLeaving }) => (kind === 'parent' ? !request.isRecursive : !isLeaving));
}

/**
 * Refuses unless all of the deployments may be deleted.
 * @throws GantryError dependent_exists_error naming the first reason
 */
export async function requireRemovable(
  transaction: Transaction,
  deployments: readonly Pick<Deployment, 'id' | 'storageId'>[],
  request: DeletionRequest,
): Promise<void> {
  const storageIds = deployments.map(({ storageId }) => storageId);
  const running = await findBlockingExecutions(transaction, { deploymentStorageIds: storageIds, withQueued: true });
  const byDeployment = groupRows(running, ({ deploymentStorageId }) => deploymentStorageId);
  for (const deployment of deployments) {
    const own = byDeployment.get(deployment.storageId) ?? [];
    if (own.length > 0) {
      const ids = own.map(({ id }) => id).join(', ');
      refuse(deployment, `There are running or queued executions for this deployment. Running executions ids: ${ids}`);
    }
  }
  if (request.isForced) {
    return;
  }
  const dependents = await findDependentsOf(transaction, storageIds);
  const live = await findLiveInstancesOf(transaction, storageIds);
  for (const deployment of deployments) {
    const users = blocking(dependents.get(deployment.storageId), request);
    if (users.length > 0) {
      const shown = describeDependents(deployment.id, users);
      refuse(deployment, `the following existing installations depend on it:\n${shown}`);
    }
    const instances = live.get(deployment.storageId) ?? [];
    if (instances.length > 0) {
      const ids = instances.slice(0, namedInstances).join(', ');
      refuse(deployment, `There are live nodes for this deployment. Live nodes ids: ${ids}`);
    }
  }
}

/** Executions that delete deployments, to be stored as queued; the deployments are marked as on their way out. */
export async function newDeletions(
  transaction: Transaction,
  deployments: readonly Deployment[],
  request: DeletionRequest,
  { newId, creatorId }: { readonly newId: IdGenerator; readonly creatorId: number },
): Promise<NewExecution[]> {
  await markDeploymentsLeaving(
    transaction,
    deployments.map(({ storageId }) => storageId),
  );
  return deployments.map((deployment) => ({
    id: newId(),
    tenantId: deployment.tenantId,
    creatorId,
    visibility: deployment.visibility,
    workflowId: deletionWorkflow,
    status: 'queued',
    parameters: {
      delete_logs: request.isDeletingLogs,
      force: request.isForced,
      recursive: request.isRecursive,
    },
    deploymentStorageId: deployment.storageId,
    blueprintId: deployment.blueprintId,
  }));
}
