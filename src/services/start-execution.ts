import { systemWorkflowIds, workflowMessage } from '../amqp/workflow-message.ts';
import type { MessageSubject } from '../amqp/workflow-message.ts';
import type { Breakpoint } from '../domain/control.ts';
import { requireCreatedDeployment } from '../domain/created.ts';
import { refuseNeeded } from '../domain/dependents.ts';
import type { Dependent } from '../domain/dependents.ts';
import type { Deployment, Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject, PlanWorkflow } from '../domain/plan.ts';
import { findUnavailable } from '../scheduler/availability.ts';
import { findComponentDeployments } from '../store/component-executions.ts';
import { disruptiveWorkflows, findDependents } from '../store/dependents.ts';
import { getDeployment } from '../store/deployments.ts';
import { findBlockingExecutions, isSystemWorkflowUnfinished, lockQueue } from '../store/execution-queue.ts';
import { createExecutions, findExecution } from '../store/executions.ts';
import { readQuota, requireRoom } from '../store/tenant-quotas.ts';
import type { TenantQuota } from '../store/tenant-quotas.ts';
import type { Transaction } from '../store/session.ts';
import { requirePermission, scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
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

/** What else decides whether a deployment may run a workflow now, and what it may use. */
interface Surroundings {
  readonly creation: Execution | undefined;
  readonly dependents: readonly Dependent[];
  /** A system-wide workflow runs or waits. */
  readonly isSystemBusy: boolean;
  /** Executions of the deployment that run or wait. */
  readonly others: readonly Execution[];
  readonly isUnavailable: boolean;
  readonly quota: TenantQuota;
}

/** Reads all at once. */
async function readSurroundings(
  transaction: Transaction,
  { storageId, createExecutionId, tenantId, workflows }: Deployment,
  { force, workflowId }: StartRequest,
): Promise<Surroundings> {
  const isNeededElsewhere = !force && disruptiveWorkflows.has(workflowId);
  const ofDeployment = { deploymentStorageIds: [storageId], withQueued: true };
  const wanted = force ? [] : [{ deploymentStorageId: storageId, workflow: workflows?.[workflowId] }];
  const [creation, dependents, isSystemBusy, others, unavailable, quota] = await Promise.all([
    createExecutionId === undefined ? undefined : findExecution(transaction, createExecutionId, { fields: [] }),
    isNeededElsewhere ? findDependents(transaction, storageId) : [],
    isSystemWorkflowUnfinished(transaction),
    force ? [] : findBlockingExecutions(transaction, ofDeployment),
    findUnavailable(transaction, wanted),
    readQuota(transaction, tenantId, true),
  ]);
  return { creation, dependents, isSystemBusy, others, isUnavailable: unavailable.length > 0, quota };
}

/**
 * Whether the new execution must wait.
 * @throws GantryError existing_running_execution_error when it would have to and may not
 */
function mustWait({ isSystemBusy, others }: Surroundings, { queue }: StartRequest): boolean {
  if (isSystemBusy) {
    return true;
  }
  if (others.length === 0) {
    return false;
  }
  if (queue) {
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
  const { workflowId } = request;
  const fields = ['id', 'workflows', 'visibility', 'createExecutionId'];
  const deployment = await getDeployment(transaction, scopeOf(caller), request.deploymentId, { fields, lock: true });
  const surroundings = await readSurroundings(transaction, deployment, request);
  requireCreatedDeployment(deployment, surroundings.creation);
  const workflow = requireWorkflow(deployment, workflowId);
  const parameters = workflow
    ? mergeWorkflowParameters(workflowId, workflow, request.parameters, { allowCustom: request.allowCustomParameters })
    : request.parameters;
  if (deployment.tenantId !== caller.tenant.id) {
    requirePermission(caller, 'execute_global_workflow');
  }
  refuseNeeded(deployment.id, workflowId, request.parameters['recursive'] === true, surroundings.dependents);
  const isQueued = mustWait(surroundings, request);
  if (surroundings.isUnavailable) {
    throw new GantryError('unavailable_workflow_error', `Workflow not available: ${workflowId}`);
  }
  if (!isQueued && !request.isDryRun) {
    const tenant = { id: deployment.tenantId, name: deployment.tenantName };
    await requireRoom(transaction, tenant, 'executions', surroundings.quota);
  }
  const execution = await store(
    dependencies,
    caller,
    { request, deployment, workflow, parameters, isQueued },
    transaction,
  );
  if (workflow?.is_cascading) {
    await startOnComponents(dependencies, caller, deployment, request, transaction);
  }
  return execution;
}

/** An execution that nothing stands against. */
interface Start {
  readonly request: StartRequest;
  readonly deployment: Deployment;
  readonly workflow: PlanWorkflow | undefined;
  readonly parameters: JsonObject;
  readonly isQueued: boolean;
}

/** Stores the execution, and its message when it need not wait. */
async function store(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  { request, deployment, workflow, parameters, isQueued }: Start,
  transaction: Transaction,
): Promise<Execution> {
  const { token, tokenHash } = createExecutionToken();
  const operation = workflow?.operation;
  const subject: MessageSubject = {
    id: request.id ?? dependencies.newId(),
    creatorId: caller.user.id,
    createdBy: caller.user.username,
    tenantName: deployment.tenantName,
    workflowId: request.workflowId,
    parameters,
    isSystemWorkflow: false,
    isDryRun: request.isDryRun,
    resume: false,
    waitAfterFail: request.waitAfterFail,
    deploymentId: deployment.id,
    deploymentDisplayName: deployment.displayName,
    blueprintId: deployment.blueprintId,
  };
  const message = workflowMessage(subject, {
    executionToken: token,
    ...(operation === undefined ? {} : { operation }),
  });
  const [[execution]] = await Promise.all([
    createExecutions(transaction, [
      {
        ...subject,
        tenantId: deployment.tenantId,
        visibility: deployment.visibility,
        status: isQueued ? 'queued' : 'pending',
        deploymentStorageId: deployment.storageId,
        allowCustomParameters: request.allowCustomParameters,
        breakpoints: request.breakpoints,
        isForced: request.force,
        requestedParameters: isQueued && workflow ? request.parameters : undefined,
        tokenHash,
      },
    ]),
    sendAfterCommit(transaction, dependencies.outbox, isQueued ? [] : [message]),
  ]);
  if (!execution) {
    throw new Error('The new execution was not stored');
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
    // asked for first, so it is taken before anything else is locked
    const [, execution] = await Promise.all([
      lockQueue(transaction),
      startInTransaction(dependencies, caller, request, transaction),
    ]);
    return execution;
  });
}
