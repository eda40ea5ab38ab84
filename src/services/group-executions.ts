/** Starting a workflow on every deployment of a group. */
import { systemWorkflowIds } from '../amqp/workflow-message.ts';
import { requireCreatedDeployment } from '../domain/created.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { DeploymentGroup, ExecutionGroup } from '../domain/resources.ts';
import { findUnavailable } from '../scheduler/availability.ts';
import { disruptiveWorkflows, findDependentsOf } from '../store/dependents.ts';
import { insertEvents } from '../store/events.ts';
import { lockQueue } from '../store/execution-queue.ts';
import { changeExecutionStatuses } from '../store/executions.ts';
import type { NewExecution } from '../store/executions.ts';
import { findStartCandidates } from '../store/start-candidates.ts';
import type { StartCandidate } from '../store/start-candidates.ts';
import type { Session, Transaction } from '../store/session.ts';
import { requireQuota } from '../store/tenant-quotas.ts';
import { requirePermission } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { refuseNeeded } from '../domain/dependents.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { sendExecutions, startReady, storeExecutionGroup } from './execution-batches.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';
import { mergeWorkflowParameters } from '../workflows/declared-parameters.ts';

export interface GroupStartRequest {
  readonly deploymentGroupId: string;
  readonly workflowId: string;
  readonly defaultParameters: JsonObject;
  /** Deployment id -> parameters that win over the defaults. */
  readonly parameters: { readonly [deploymentId: string]: JsonObject };
  /** Starts the first ones beside other executions, and without regard to availability and dependents. */
  readonly force: boolean;
  /** Executions that may run at once; 0 = paused. */
  readonly concurrency: number;
  /** Id, owner and time of the group, where they are told; those of its executions are the caller and now. */
  readonly id: string | undefined;
  readonly origin: Origin;
}

function hasWorkflow({ workflow }: StartCandidate, workflowId: string): boolean {
  return workflow !== undefined || systemWorkflowIds.has(workflowId);
}

function givenTo(candidate: StartCandidate, request: GroupStartRequest): JsonObject {
  return { ...request.defaultParameters, ...request.parameters[candidate.id] };
}

function parametersFor(candidate: StartCandidate, request: GroupStartRequest): JsonObject {
  const given = givenTo(candidate, request);
  return candidate.workflow
    ? mergeWorkflowParameters(request.workflowId, candidate.workflow, given, { allowCustom: false })
    : given;
}

function requireStartable(caller: TenantCaller, candidate: StartCandidate): void {
  const { creationStatus: status, creationError: error } = candidate;
  requireCreatedDeployment(candidate, status === undefined ? undefined : { status, error });
  if (candidate.tenantId !== caller.tenant.id) {
    requirePermission(caller, 'execute_global_workflow');
  }
}

async function refuseUnavailable(
  session: Session,
  candidates: readonly StartCandidate[],
  workflowId: string,
): Promise<void> {
  const wanted = candidates.map(({ storageId, id, workflow }) => ({ deploymentStorageId: storageId, id, workflow }));
  const [unavailable] = await findUnavailable(session, wanted);
  if (unavailable) {
    const message = `Workflow not available: ${workflowId} (deployment ${unavailable.id})`;
    throw new GantryError('unavailable_workflow_error', message);
  }
}

async function refuseDependents(
  session: Session,
  candidates: readonly StartCandidate[],
  executions: readonly NewExecution[],
  workflowId: string,
): Promise<void> {
  if (!disruptiveWorkflows.has(workflowId)) {
    return;
  }
  const dependents = await findDependentsOf(
    session,
    candidates.map(({ storageId }) => storageId),
  );
  candidates.forEach(({ id, storageId }, index) => {
    const isRecursive = executions[index]?.parameters['recursive'] === true;
    refuseNeeded(id, workflowId, isRecursive, dependents.get(storageId) ?? []);
  });
}

/** Makes sure that so many more may run at once in their tenants; those that wait begin when there is room. */
async function requireRoom(transaction: Transaction, candidates: readonly StartCandidate[]): Promise<void> {
  const tenants = new Map(candidates.map(({ tenantId, tenantName }) => [tenantId, tenantName]));
  for (const [id, name] of tenants) {
    const count = candidates.filter(({ tenantId }) => tenantId === id).length;
    await requireQuota(transaction, { id, name }, 'executions', count);
  }
}

/** Tells in the log of the group which deployments do not have the workflow. */
async function logSkipped(
  transaction: Transaction,
  group: ExecutionGroup,
  skipped: readonly StartCandidate[],
  now: Date,
): Promise<void> {
  await insertEvents(
    transaction,
    skipped.map(({ id }) => ({
      kind: 'log',
      timestamp: now,
      executionGroupId: group.id,
      tenantId: group.tenantId,
      creatorId: group.creatorId,
      visibility: group.visibility,
      level: 'info',
      logger: 'executions',
      message: `Workflow \`${group.workflowId}\` does not exist in the deployment ${id}, no execution was started there`,
    })),
  );
}

/**
 * Starts a workflow on every deployment of a group that has it: the first ones at once, the others when one before
 * them has ended.
 *
 * Compatibility: Cloudify 7 keeps those executions it could prepare before one was refused; here all start or none.
 *
 * @throws GantryError with the code of the first condition that does not hold for one of the deployments
 */
export async function startOnGroup(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  deploymentGroup: DeploymentGroup,
  request: GroupStartRequest,
  transaction: Transaction,
): Promise<ExecutionGroup> {
  const { workflowId, concurrency } = request;
  await lockQueue(transaction);
  const members = await findStartCandidates(transaction, deploymentGroup.storageId, workflowId);
  members.forEach((member) => requireStartable(caller, member));
  const candidates = members.filter((member) => hasWorkflow(member, workflowId));
  const wanted = candidates.map((candidate): NewExecution => ({
    id: dependencies.newId(),
    tenantId: candidate.tenantId,
    creatorId: caller.user.id,
    visibility: candidate.visibility,
    workflowId,
    status: 'queued',
    parameters: parametersFor(candidate, request),
    requestedParameters: candidate.workflow && givenTo(candidate, request),
    isForced: request.force,
    deploymentStorageId: candidate.storageId,
    blueprintId: candidate.blueprintId,
  }));
  const { group } = await storeExecutionGroup(
    transaction,
    caller,
    {
      id: request.id ?? dependencies.newId(),
      workflowId,
      concurrency,
      visibility: deploymentGroup.visibility,
      deploymentGroupStorageId: deploymentGroup.storageId,
      creatorId: await ownerId(transaction, caller, request.origin.creator),
      createdAt: creationTime(caller, request.origin.createdAt),
    },
    wanted,
  );
  if (request.force) {
    const first = wanted.slice(0, concurrency).map(({ id }) => id);
    await requireRoom(transaction, candidates.slice(0, concurrency));
    const forced = await changeExecutionStatuses(transaction, first, { event: 'dispatch' });
    await sendExecutions(dependencies, transaction, forced);
  } else {
    // those of this group count as leaving already, so that they do not block each other
    await refuseDependents(transaction, candidates, wanted, workflowId);
    await refuseUnavailable(transaction, candidates, workflowId);
  }
  const skipped = members.filter((member) => !hasWorkflow(member, workflowId));
  await logSkipped(transaction, group, skipped, new Date(dependencies.clock.now()));
  await startReady(dependencies, transaction);
  return group;
}
