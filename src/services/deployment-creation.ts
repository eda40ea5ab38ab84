import { workflowMessage } from '../amqp/workflow-message.ts';
import type { Blueprint, Deployment, Execution } from '../domain/entities.ts';
import { GantryError, ifFound } from '../domain/errors.ts';
import type { JsonObject, Plan } from '../domain/plan.ts';
import { failedBlueprintStates } from '../domain/states.ts';
import type { Visibility } from '../domain/states.ts';
import { getBlueprint } from '../store/blueprints.ts';
import { createDeployment, deleteDeployment, getDeployment, updateDeployment } from '../store/deployments.ts';
import { createExecutions, listExecutions } from '../store/executions.ts';
import { addLabels } from '../store/labels.ts';
import type { Session, Transaction } from '../store/session.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { requireQuota } from '../store/tenant-quotas.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { createExecutionToken } from '../security/tokens.ts';
import { restoreDeployment } from './deployment-restoring.ts';
import type { RestoredParts } from './deployment-restoring.ts';
import { labelsToStore } from './labels.ts';
import type { NewLabel } from './labels.ts';
import { sendAfterCommit } from './outbox.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';
import { isSystemWorkflowUnfinished } from './start-execution.ts';

export interface DeploymentRequest {
  readonly id: string;
  readonly blueprintId: string;
  readonly inputs: JsonObject;
  readonly visibility: Visibility;
  readonly displayName: string | undefined;
  readonly siteName: string | undefined;
  readonly labels: readonly NewLabel[];
  readonly runtimeOnlyEvaluation: boolean | undefined;
  readonly isSkippingPluginsValidation: boolean;
  readonly origin: Origin;
  /** Undefined = it is to be created. */
  readonly restored: RestoredParts | undefined;
}

/** Milliseconds a synchronous creation may take, and the wait for a blueprint that is still being uploaded. */
export const creationTimeout = 120_000;

/** @throws GantryError missing_required_deployment_input_error, unknown_deployment_input_error */
export function checkInputNames(plan: Pick<Plan, 'inputs'>, inputs: JsonObject): void {
  const missing = Object.entries(plan.inputs)
    .filter(
      ([name, schema]) => !Object.hasOwn(inputs, name) && schema.default === undefined && schema.required !== false,
    )
    .map(([name]) => name);
  if (missing.length > 0) {
    throw new GantryError('missing_required_deployment_input_error', `missing inputs: ${missing.join(', ')}`);
  }
  const unknown = Object.keys(inputs).filter((name) => !Object.hasOwn(plan.inputs, name));
  if (unknown.length > 0) {
    throw new GantryError(
      'unknown_deployment_input_error',
      `Cannot create deployment - unknown inputs: ${unknown.join(', ')}`,
    );
  }
}

/** The blueprint, once its upload is over when the caller may wait. @throws GantryError deployment_creation_error */
async function readyBlueprint(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  blueprintId: string,
  mayWait: boolean,
  signal: AbortSignal,
): Promise<Blueprint> {
  const read = (): Promise<Blueprint> => getBlueprint(dependencies.database, scopeOf(caller), blueprintId);
  let blueprint = await read();
  const isUnderWay = blueprint.state !== 'uploaded' && !failedBlueprintStates.includes(blueprint.state);
  if (isUnderWay && mayWait && blueprint.uploadExecutionId !== undefined) {
    await dependencies.waiter.waitUntilEnded(blueprint.uploadExecutionId, creationTimeout, signal);
    blueprint = await read();
  }
  if (blueprint.state !== 'uploaded' || !blueprint.plan) {
    throw new GantryError(
      'deployment_creation_error',
      `Unable to create a deployment based on a blueprint which is not \`uploaded\` but: \`${blueprint.state}\``,
    );
  }
  return blueprint;
}

function findDeployment(session: Session, caller: TenantCaller, id: string): Promise<Deployment | undefined> {
  return ifFound(getDeployment(session, { tenantId: caller.tenant.id }, id, { fields: ['id', 'createExecutionId'] }));
}

/** Removes what an earlier, failed attempt to create the same deployment left. */
async function removeFailedAttempt(transaction: Transaction, caller: TenantCaller, id: string): Promise<void> {
  const previous = await findDeployment(transaction, caller, id);
  if (!previous || previous.tenantId !== caller.tenant.id) {
    return;
  }
  const { items } = await listExecutions(
    transaction,
    { tenantId: caller.tenant.id },
    { size: 2, filters: { deploymentId: [id] } },
  );
  const [only, another] = items.filter(({ deploymentStorageId }) => deploymentStorageId === previous.storageId);
  if (only?.workflowId === 'create_deployment_environment' && only.status === 'failed' && !another) {
    await deleteDeployment(transaction, previous.storageId);
  }
}

/** @throws GantryError forbidden_error when a global deployment is made of a blueprint that is not */
export function requireVisibility(
  request: Pick<DeploymentRequest, 'id' | 'visibility'>,
  blueprint: Pick<Blueprint, 'id' | 'visibility'>,
): void {
  if (request.visibility === 'global' && blueprint.visibility !== 'global') {
    throw new GantryError(
      'forbidden_error',
      `Can't create global deployment ${request.id} because blueprint ${blueprint.id} is not global`,
    );
  }
}

async function store(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  request: DeploymentRequest,
  blueprint: Blueprint,
  siteStorageId: number | undefined,
  transaction: Transaction,
): Promise<Deployment> {
  await removeFailedAttempt(transaction, caller, request.id);
  await requireQuota(transaction, caller.tenant, 'deployments');
  const displayName = request.displayName ?? request.id;
  const deployment = await createDeployment(transaction, {
    id: request.id,
    tenantId: caller.tenant.id,
    creatorId: await ownerId(transaction, caller, request.origin.creator),
    createdAt: creationTime(caller, request.origin.createdAt),
    visibility: request.visibility,
    blueprintStorageId: blueprint.storageId,
    displayName,
    siteStorageId,
    runtimeOnlyEvaluation: request.runtimeOnlyEvaluation ?? false,
    deploymentStatus: 'requires_attention',
  });
  const isQueued = await isSystemWorkflowUnfinished(transaction);
  const createdAt = new Date(dependencies.clock.now()).toISOString();
  const labels = request.labels.map(({ key, value, origin }) => ({
    key,
    value,
    created_at: origin?.createdAt?.toISOString() ?? createdAt,
    created_by: origin?.creator ?? caller.user.username,
  }));
  // what the creation adds later leaves these as they are
  const told = request.labels.filter(({ origin }) => origin !== undefined);
  const toldLabels = await labelsToStore(transaction, caller, told);
  await addLabels(transaction, 'deployments', [deployment.storageId], toldLabels);
  const { token, tokenHash } = createExecutionToken();
  const [execution] = await createExecutions(transaction, [
    {
      id: dependencies.newId(),
      tenantId: caller.tenant.id,
      creatorId: caller.user.id,
      visibility: request.visibility,
      workflowId: 'create_deployment_environment',
      status: isQueued ? 'queued' : 'pending',
      parameters: {
        inputs: request.inputs,
        display_name: displayName,
        ...(labels.length > 0 ? { labels } : {}),
      },
      deploymentStorageId: deployment.storageId,
      blueprintId: blueprint.id,
      tokenHash,
    },
  ]);
  if (!execution) {
    throw new Error('The new execution was not stored');
  }
  if (!isQueued) {
    await sendAfterCommit(transaction, dependencies.outbox, [workflowMessage(execution, { executionToken: token })]);
  }
  return updateDeployment(transaction, deployment.storageId, {
    createExecutionStorageId: execution.storageId,
    latestExecutionStorageId: execution.storageId,
  });
}

/** What the store needs to find things that a deployment may name. */
export interface CreationLookups {
  /** @throws GantryError not_found_error, illegal_action_error when the site is less visible than the deployment */
  findSite(
    session: Session,
    caller: TenantCaller,
    request: Pick<DeploymentRequest, 'id' | 'siteName' | 'visibility'>,
  ): Promise<number | undefined>;
  /** @throws GantryError deployment_plugin_not_found */
  requirePlugins(session: Session, caller: TenantCaller, plan: Plan): Promise<void>;
}

/**
 * Stores a deployment and starts the execution that fills it.
 * @param mayWaitForBlueprint whether a blueprint that is still being uploaded is waited for
 * @throws GantryError with the code of the first condition that does not hold
 */
export async function createDeploymentFrom(
  dependencies: ServiceDependencies,
  lookups: CreationLookups,
  caller: TenantCaller,
  request: DeploymentRequest,
  mayWaitForBlueprint: boolean,
  signal: AbortSignal,
): Promise<Deployment> {
  const { database } = dependencies;
  const blueprint = await readyBlueprint(dependencies, caller, request.blueprintId, mayWaitForBlueprint, signal);
  const siteStorageId = await lookups.findSite(database, caller, request);
  if (blueprint.plan && !request.isSkippingPluginsValidation) {
    await lookups.requirePlugins(database, caller, blueprint.plan);
  }
  requireVisibility(request, blueprint);
  if (request.restored) {
    const references = { blueprint, siteStorageId };
    return restoreDeployment(dependencies, caller, request, request.restored, references, (transaction) =>
      removeFailedAttempt(transaction, caller, request.id),
    );
  }
  if (blueprint.plan) {
    checkInputNames(blueprint.plan, request.inputs);
  }
  return database.transactionAs(actorOf(caller), (transaction) =>
    store(dependencies, caller, request, blueprint, siteStorageId, transaction),
  );
}

/**
 * Waits until the deployment is filled.
 * @throws GantryError deployment_creation_error when that failed; deployment_environment_creation_in_progress_error
 *   when it takes too long
 */
export async function waitForCreation(
  dependencies: ServiceDependencies,
  deployment: Deployment,
  signal: AbortSignal,
): Promise<void> {
  const executionId = deployment.createExecutionId;
  if (executionId === undefined) {
    return;
  }
  const execution: Execution | undefined = await dependencies.waiter.waitUntilEnded(
    executionId,
    creationTimeout,
    signal,
  );
  if (!execution || execution.status === 'terminated') {
    return;
  }
  if (execution.status === 'failed' && execution.error) {
    throw new GantryError('deployment_creation_error', execution.error.trim().split('\n').at(-1) ?? execution.error);
  }
  throw new GantryError(
    'deployment_environment_creation_in_progress_error',
    `Deployment environment creation of ${deployment.id} has not ended: its execution ${execution.id} is ${execution.status}`,
  );
}
