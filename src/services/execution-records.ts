import type { Deployment, Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { activeExecutionStatuses } from '../domain/states.ts';
import type { ExecutionStatus } from '../domain/states.ts';
import { getBlueprint, updateBlueprint } from '../store/blueprints.ts';
import { setLatestExecutions } from '../store/deployment-status.ts';
import { getDeployment, updateDeployment } from '../store/deployments.ts';
import { createExecutions, findExecution } from '../store/executions.ts';
import type { Transaction } from '../store/session.ts';
import { requirePermission, scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant } from './identifiers.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';

/** An execution of the past, as somebody who restores it tells. */
export interface ExecutionRecord {
  /** Undefined = a new one. */
  readonly id: string | undefined;
  /** Undefined = it ran on no deployment. */
  readonly deploymentId: string | undefined;
  readonly workflowId: string;
  readonly parameters: JsonObject;
  readonly status: ExecutionStatus;
  readonly error: string | undefined;
  readonly isSystemWorkflow: boolean;
  readonly isDryRun: boolean;
  readonly allowCustomParameters: boolean;
  /** Seconds. */
  readonly waitAfterFail: number;
  readonly origin: Origin;
  readonly startedAt: Date | undefined;
  readonly endedAt: Date | undefined;
}

function requireRestorable({ status }: ExecutionRecord): void {
  if (activeExecutionStatuses.includes(status)) {
    throw new GantryError(
      'bad_parameters_error',
      `An execution cannot be stored as \`${status}\`, since nobody runs it. Store it as cancelled or failed and resume it`,
    );
  }
}

async function isLatest(
  transaction: Transaction,
  deployment: Deployment,
  { startedAt, status }: ExecutionRecord,
): Promise<boolean> {
  if (status === 'queued' || status === 'scheduled') {
    return false;
  }
  const { latestExecutionId } = deployment;
  const latest = latestExecutionId === undefined ? undefined : await findExecution(transaction, latestExecutionId);
  return !latest || (startedAt !== undefined && latest.startedAt !== undefined && latest.startedAt < startedAt);
}

/** Id of the blueprint that an execution uploaded. */
function uploadedBlueprint({ workflowId, parameters }: ExecutionRecord): string | undefined {
  const { blueprint_id: id } = parameters;
  return workflowId === 'upload_blueprint' && typeof id === 'string' ? id : undefined;
}

/** Whatever an execution is shown with: the deployment it ran on or made, the blueprint it uploaded. */
async function link(
  transaction: Transaction,
  caller: TenantCaller,
  execution: Execution,
  deployment: Deployment | undefined,
  record: ExecutionRecord,
): Promise<void> {
  const { storageId } = execution;
  if (deployment) {
    if (await isLatest(transaction, deployment, record)) {
      await setLatestExecutions(transaction, [
        { deploymentStorageId: deployment.storageId, executionStorageId: storageId },
      ]);
    }
    if (record.workflowId === 'create_deployment_environment' && deployment.createExecutionId === undefined) {
      await updateDeployment(transaction, deployment.storageId, { createExecutionStorageId: storageId });
    }
    return;
  }
  const blueprintId = uploadedBlueprint(record);
  if (blueprintId !== undefined) {
    const blueprint = await getBlueprint(transaction, scopeOf(caller), blueprintId, { fields: ['id'] });
    requireOwnTenant(caller, blueprint);
    if (blueprint.uploadExecutionId === undefined) {
      await updateBlueprint(transaction, blueprint.storageId, { uploadExecutionStorageId: storageId });
    }
  }
}

/**
 * Stores an execution as it was; nothing is run, but what is stored as queued runs when its turn comes.
 *
 * Compatibility: Cloudify 7 `force_status`, which also took statuses of executions that run.
 * @throws GantryError forbidden_error without set_execution_details (set_timestamp and set_owner for times and owner),
 *   bad_parameters_error for an execution that runs, not_found_error, conflict_error
 */
export async function recordExecution(
  { database, newId }: ServiceDependencies,
  caller: TenantCaller,
  record: ExecutionRecord,
): Promise<Execution> {
  requirePermission(caller, 'set_execution_details');
  requireRestorable(record);
  if (record.startedAt ?? record.endedAt) {
    requirePermission(caller, 'set_timestamp');
  }
  return database.transactionAs(actorOf(caller), async (transaction) => {
    const deployment =
      record.deploymentId === undefined
        ? undefined
        : await getDeployment(transaction, scopeOf(caller), record.deploymentId, { lock: true });
    if (deployment) {
      requireOwnTenant(caller, deployment);
    }
    const [execution] = await createExecutions(transaction, [
      {
        id: record.id ?? newId(),
        tenantId: caller.tenant.id,
        creatorId: await ownerId(transaction, caller, record.origin.creator),
        createdAt: creationTime(caller, record.origin.createdAt),
        visibility: deployment?.visibility ?? 'tenant',
        workflowId: record.workflowId,
        status: record.status,
        error: record.error,
        parameters: record.parameters,
        deploymentStorageId: deployment?.storageId,
        blueprintId: deployment?.blueprintId ?? uploadedBlueprint(record),
        isSystemWorkflow: record.isSystemWorkflow,
        isDryRun: record.isDryRun,
        allowCustomParameters: record.allowCustomParameters,
        waitAfterFail: record.waitAfterFail,
        startedAt: record.startedAt,
        endedAt: record.endedAt,
      },
    ]);
    if (!execution) {
      throw new Error('The execution was not stored');
    }
    await link(transaction, caller, execution, deployment, record);
    return execution;
  });
}
