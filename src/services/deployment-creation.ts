import { workflowMessage } from '../amqp/workflow-message.ts';
import type { MessageSubject } from '../amqp/workflow-message.ts';
import type { Blueprint, Deployment, Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject, Plan } from '../domain/plan.ts';
import { failedBlueprintStates } from '../domain/states.ts';
import type { Visibility } from '../domain/states.ts';
import { getBlueprint } from '../store/blueprints.ts';
import { createDeployments, removeFailedCreations, setCreateExecutions } from '../store/deployment-batch.ts';
import { getDeployment } from '../store/deployments.ts';
import { isSystemWorkflowUnfinished } from '../store/execution-queue.ts';
import { createExecutions } from '../store/executions.ts';
import { addLabels } from '../store/labels.ts';
import type { Session, Transaction } from '../store/session.ts';
import { onlyRow } from '../store/values.ts';
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
  lookups: CreationLookups,
  caller: TenantCaller,
  blueprintId: string,
  mayWait: boolean,
  signal: AbortSignal,
): Promise<{ blueprint: Blueprint; plan: Plan }> {
  const { database, waiter } = dependencies;
  const read = (): Promise<Blueprint> => getBlueprint(database, scopeOf(caller), blueprintId, { fields: [] });
  let blueprint = await read();
  const isUnderWay = blueprint.state !== 'uploaded' && !failedBlueprintStates.includes(blueprint.state);
  if (isUnderWay && mayWait && blueprint.uploadExecutionId !== undefined) {
    await waiter.waitUntilEnded(blueprint.uploadExecutionId, creationTimeout, signal);
    blueprint = await read();
  }
  const plan = blueprint.state === 'uploaded' ? await lookups.planOf(database, blueprint.storageId) : undefined;
  if (!plan) {
    throw new GantryError(
      'deployment_creation_error',
      `Unable to create a deployment based on a blueprint which is not \`uploaded\` but: \`${blueprint.state}\``,
    );
  }
  return { blueprint, plan };
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

/** What a deployment is made of besides what is asked for. */
interface Origins {
  readonly blueprint: Blueprint;
  readonly siteStorageId: number | undefined;
}

async function store(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  request: DeploymentRequest,
  { blueprint, siteStorageId }: Origins,
  transaction: Transaction,
): Promise<Deployment> {
  const { id, visibility, displayName = id, runtimeOnlyEvaluation = false } = request;
  const { tenant } = caller;
  const [isQueued] = await Promise.all([
    isSystemWorkflowUnfinished(transaction),
    // an earlier attempt to create the same deployment
    removeFailedCreations(transaction, tenant.id, [id]),
    requireQuota(transaction, tenant, 'deployments'),
  ]);
  const creatorId = await ownerId(transaction, caller, request.origin.creator);
  const createdAt = creationTime(caller, request.origin.createdAt);
  const deploymentStorageId = onlyRow(
    await createDeployments(
      transaction,
      { tenantId: tenant.id, creatorId, visibility, blueprintStorageId: blueprint.storageId },
      [{ id, displayName, siteStorageId, runtimeOnlyEvaluation, createdAt }],
    ),
  );
  // what the creation adds later leaves these as they are
  const told = request.labels.filter(({ origin }) => origin !== undefined);
  const toldLabels = await labelsToStore(transaction, caller, told);
  await addLabels(transaction, 'deployments', [deploymentStorageId], toldLabels);
  const { token, tokenHash } = createExecutionToken();
  const creation = creationOf(dependencies, caller, request, blueprint);
  const message = workflowMessage(creation, { executionToken: token });
  const status = isQueued ? 'queued' : 'pending';
  const [, , , deployment] = await Promise.all([
    createExecutions(transaction, [
      { ...creation, tenantId: tenant.id, visibility, status, deploymentStorageId, tokenHash },
    ]),
    setCreateExecutions(transaction, [creation.id]),
    sendAfterCommit(transaction, dependencies.outbox, isQueued ? [] : [message]),
    getDeployment(transaction, { tenantId: tenant.id }, id),
  ]);
  return deployment;
}

/** The execution that fills a new deployment. */
function creationOf(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  { id, inputs, labels, displayName = id }: DeploymentRequest,
  blueprint: Blueprint,
): MessageSubject {
  const now = new Date(dependencies.clock.now()).toISOString();
  const labelled = labels.map(({ key, value, origin }) => ({
    key,
    value,
    created_at: origin?.createdAt?.toISOString() ?? now,
    created_by: origin?.creator ?? caller.user.username,
  }));
  return {
    id: dependencies.newId(),
    creatorId: caller.user.id,
    createdBy: caller.user.username,
    tenantName: caller.tenant.name,
    workflowId: 'create_deployment_environment',
    parameters: { inputs, display_name: displayName, ...(labelled.length > 0 ? { labels: labelled } : {}) },
    isSystemWorkflow: false,
    isDryRun: false,
    resume: false,
    waitAfterFail: 600,
    deploymentId: id,
    deploymentDisplayName: displayName,
    blueprintId: blueprint.id,
  };
}

/** What the store needs to find things that a deployment may name. */
export interface CreationLookups {
  /** The plan of a blueprint, which nobody may change; undefined when there is none. */
  planOf(session: Session, blueprintStorageId: number): Promise<Plan | undefined>;
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
  const { blueprint, plan } = await readyBlueprint(
    dependencies,
    lookups,
    caller,
    request.blueprintId,
    mayWaitForBlueprint,
    signal,
  );
  const siteStorageId = await lookups.findSite(database, caller, request);
  if (!request.isSkippingPluginsValidation) {
    await lookups.requirePlugins(database, caller, plan);
  }
  requireVisibility(request, blueprint);
  if (request.restored) {
    const references = { blueprint, siteStorageId };
    return restoreDeployment(dependencies, caller, request, request.restored, references, (transaction) =>
      removeFailedCreations(transaction, caller.tenant.id, [request.id]),
    );
  }
  checkInputNames(plan, request.inputs);
  return database.transactionAs(actorOf(caller), (transaction) =>
    store(dependencies, caller, request, { blueprint, siteStorageId }, transaction),
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
