import { systemWorkflowIds, workflowMessage } from '../amqp/workflow-message.ts';
import type { Breakpoint } from '../domain/control.ts';
import { requireCreatedDeployment } from '../domain/created.ts';
import type { Deployment, Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject, PlanWorkflow } from '../domain/plan.ts';
import { findUnavailable } from '../scheduler/availability.ts';
import { findComponentDeployments } from '../store/component-executions.ts';
import { disruptiveWorkflows, findDependents } from '../store/dependents.ts';
import { getDeployment } from '../store/deployments.ts';
import { findBlockingExecutions, lockQueue } from '../store/execution-queue.ts';
import { createExecutions, findExecution } from '../store/executions.ts';
import { requireQuota } from '../store/tenant-quotas.ts';
import type { Session, Transaction } from '../store/session.ts';
import { requirePermission, scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { refuseNeeded } from '../domain/dependents.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { createExecutionToken } from '../security/tokens.ts';
import { sendAfterCommit } from './outbox.ts';
import { mergeWorkflowParameters } from '../workflows/declared-parameters.ts';

export interface StartRequest {
  /** Of the new execution; made up when not given. */
  readonly id?: string;
  readonly deploymentId: string;
  readonly workflowId: string;
  readonly parameters: JsonObject;
  readonly allowCustomParameters: boolean;
  /** Runs beside other executions and without regard to availability and dependents. */
  readonly force: boolean;
  readonly isDryRun: boolean;
  /** Waits instead of being refused when another execution runs. */
  readonly queue: boolean;
  /** Seconds to go on with independent work after the first error. */
  readonly waitAfterFail: number;
  /** Where it stops before an operation. */
  readonly breakpoints?: readonly Breakpoint[] | undefined;
}

function requireWorkflow(deployment: Deployment, workflowId: string): PlanWorkflow | undefined {
  const workflow = deployment.workflows?.[workflowId];
  if (!workflow && !systemWorkflowIds.has(workflowId)) {
    throw new GantryError(
      'nonexistent_workflow_error',
      `Workflow ${workflowId} does not exist in the deployment ${deployment.id}`,
    );
  }
  return workflow;
}

async function refuseDependents(session: Session, deployment: Deployment, request: StartRequest): Promise<void> {
  if (request.force || !disruptiveWorkflows.has(request.workflowId)) {
    return;
  }
  const isRecursive = request.parameters['recursive'] === true;
  const dependents = await findDependents(session, deployment.storageId);
  refuseNeeded(deployment.id, request.workflowId, isRecursive, dependents);
}

async function refuseUnavailable(
  session: Session,
  deployment: Deployment,
  workflow: PlanWorkflow | undefined,
  request: StartRequest,
): Promise<void> {
  if (request.force) {
    return;
  }
  const wanted = [{ deploymentStorageId: deployment.storageId, workflow }];
  if ((await findUnavailable(session, wanted)).length > 0) {
    throw new GantryError('unavailable_workflow_error', `Workflow not available: ${request.workflowId}`);
  }
}

/** Whether a system-wide workflow runs or waits anywhere: then everything else waits. */
export async function isSystemWorkflowUnfinished(session: Session): Promise<boolean> {
  return (await findBlockingExecutions(session, { isSystemWorkflow: true, withQueued: true })).length > 0;
}

/**
 * Whether the new execution must wait.
 * @throws GantryError existing_running_execution_error when it would have to and may not
 */
async function mustWait(
  session: Session,
  deployment: Deployment,
  request: Pick<StartRequest, 'force' | 'queue'>,
): Promise<boolean> {
  if (await isSystemWorkflowUnfinished(session)) {
    return true;
  }
  if (request.force) {
    return false;
  }
  const others = await findBlockingExecutions(session, {
    deploymentStorageIds: [deployment.storageId],
    withQueued: true,
  });
  if (others.length === 0) {
    return false;
  }
  if (request.queue) {
    return true;
  }
  const shown = others.map(({ id, workflowId, status }) => `${id} (${workflowId}, ${status})`).join(', ');
  throw new GantryError(
    'existing_running_execution_error',
    `The following executions are currently running for this deployment: [${shown}]. To execute this workflow anyway, ` +
      'pass "force=true" as a query parameter to this request',
  );
}

async function startInTransaction(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  request: StartRequest,
  transaction: Transaction,
): Promise<Execution> {
  const fields = ['id', 'workflows', 'visibility', 'createExecutionId'];
  const deployment = await getDeployment(transaction, scopeOf(caller), request.deploymentId, { fields, lock: true });
  const creation =
    deployment.createExecutionId === undefined
      ? undefined
      : await findExecution(transaction, deployment.createExecutionId);
  requireCreatedDeployment(deployment, creation);
  const workflow = requireWorkflow(deployment, request.workflowId);
  const parameters = workflow
    ? mergeWorkflowParameters(request.workflowId, workflow, request.parameters, {
        allowCustom: request.allowCustomParameters,
      })
    : request.parameters;
  if (deployment.tenantId !== caller.tenant.id) {
    requirePermission(caller, 'execute_global_workflow');
  }
  await refuseDependents(transaction, deployment, request);
  const isQueued = await mustWait(transaction, deployment, request);
  await refuseUnavailable(transaction, deployment, workflow, request);
  const { token, tokenHash } = createExecutionToken();
  if (!isQueued && !request.isDryRun) {
    await requireQuota(transaction, { id: deployment.tenantId, name: deployment.tenantName }, 'executions');
  }
  const [execution] = await createExecutions(transaction, [
    {
      id: request.id ?? dependencies.newId(),
      tenantId: deployment.tenantId,
      creatorId: caller.user.id,
      visibility: deployment.visibility,
      workflowId: request.workflowId,
      status: isQueued ? 'queued' : 'pending',
      parameters,
      deploymentStorageId: deployment.storageId,
      blueprintId: deployment.blueprintId,
      isDryRun: request.isDryRun,
      allowCustomParameters: request.allowCustomParameters,
      waitAfterFail: request.waitAfterFail,
      breakpoints: request.breakpoints,
      isForced: request.force,
      requestedParameters: isQueued && workflow ? request.parameters : undefined,
      tokenHash,
    },
  ]);
  if (!execution) {
    throw new Error('The new execution was not stored');
  }
  if (!isQueued) {
    const operation = workflow?.operation;
    await sendAfterCommit(transaction, dependencies.outbox, [
      workflowMessage(execution, { executionToken: token, ...(operation === undefined ? {} : { operation }) }),
    ]);
  }
  if (workflow?.is_cascading) {
    await startOnComponents(dependencies, caller, deployment, request, transaction);
  }
  return execution;
}

/** A cascading workflow runs on the components of its deployment, too, and on those of theirs. */
async function startOnComponents(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  deployment: Deployment,
  request: StartRequest,
  transaction: Transaction,
): Promise<void> {
  const { id: _id, ...rest } = request;
  for (const deploymentId of await findComponentDeployments(transaction, deployment.storageId)) {
    await startInTransaction(dependencies, caller, { ...rest, deploymentId }, transaction);
  }
}

/**
 * Starts a workflow on a deployment, or queues it behind others; a cascading one on its components as well.
 * @throws GantryError with the code of the first condition that does not hold
 */
export async function startExecution(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  request: StartRequest,
): Promise<Execution> {
  return dependencies.database.transactionAs(actorOf(caller), async (transaction) => {
    await lockQueue(transaction);
    return startInTransaction(dependencies, caller, request, transaction);
  });
}
