import { requireCreatedDeployment } from '../domain/created.ts';
import { GantryError } from '../domain/errors.ts';
import type { DeploymentUpdate, DeploymentUpdateStep } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import type { UpdateOrder } from '../executor/system/update/order.ts';
import { findTargetBlueprint, startUpdate, updateMessages } from '../executor/system/update/start.ts';
import { createExecutionToken } from '../security/tokens.ts';
import { getBlueprint } from '../store/blueprints.ts';
import { getDeployment, updateDeployment } from '../store/deployments.ts';
import {
  addDeploymentUpdateSteps,
  changeDeploymentUpdate,
  findDeploymentUpdate,
  getDeploymentUpdate,
  putDeploymentUpdate,
} from '../store/deployment-updates.ts';
import type { DeploymentUpdateChange } from '../store/deployment-updates.ts';
import { lockQueue } from '../store/execution-queue.ts';
import { findExecution, getExecution } from '../store/executions.ts';
import type { Session, Transaction } from '../store/session.ts';
import { getAccount } from '../store/users.ts';
import { requirePermission, scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { creationTimeout } from './deployment-creation.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant } from './identifiers.ts';
import { sendAfterCommit } from './outbox.ts';

type UpdateDocuments = Pick<
  DeploymentUpdateChange,
  | 'state'
  | 'deploymentPlan'
  | 'nodeInstances'
  | 'nodes'
  | 'modifiedEntityIds'
  | 'centralPluginsToInstall'
  | 'centralPluginsToUninstall'
  | 'oldInputs'
  | 'newInputs'
  | 'runtimeOnlyEvaluation'
>;

/** What a workflow outside of the engine, or a restore, writes. */
export interface UpdateReport {
  readonly documents: UpdateDocuments;
  /** Added to those that are there. */
  readonly steps: readonly Omit<DeploymentUpdateStep, 'id'>[];
}

/** An update that is stored as it is; nothing is run. */
export interface UpdateRecord extends UpdateReport {
  readonly id: string;
  readonly deploymentId: string;
  /** Undefined = the execution that asks. */
  readonly executionId: string | undefined;
  readonly oldBlueprintId: string | undefined;
  readonly newBlueprintId: string | undefined;
  readonly createdAt: Date | undefined;
  /** User name. */
  readonly createdBy: string | undefined;
  /** Undefined = tenant. */
  readonly visibility: Visibility | undefined;
}

export interface DeploymentUpdateService {
  /**
   * Starts an update; a preview is waited for.
   * @throws GantryError not_found_error, dependent_exists_error, deployment_environment_creation_... , illegal_action_error
   */
  initiate(
    caller: TenantCaller,
    deploymentId: string,
    order: UpdateOrder,
    signal: AbortSignal,
  ): Promise<DeploymentUpdate>;
  get(caller: TenantCaller, id: string): Promise<DeploymentUpdate>;
  /** Stores updates, or replaces what is stored under their ids. @throws GantryError forbidden_error, not_found_error */
  put(caller: TenantCaller, records: readonly UpdateRecord[]): Promise<DeploymentUpdate[]>;
  /** @throws GantryError not_found_error */
  change(caller: TenantCaller, id: string, report: UpdateReport): Promise<DeploymentUpdate>;
}

async function start(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  deploymentId: string,
  order: UpdateOrder,
  transaction: Transaction,
): Promise<Awaited<ReturnType<typeof startUpdate>>> {
  const scope = scopeOf(caller);
  await lockQueue(transaction);
  const deployment = await getDeployment(transaction, scope, deploymentId, { lock: true });
  requireOwnTenant(caller, deployment);
  const { createExecutionId } = deployment;
  requireCreatedDeployment(
    deployment,
    createExecutionId === undefined ? undefined : await findExecution(transaction, createExecutionId),
  );
  const blueprint = await findTargetBlueprint(transaction, scope, order.blueprintId ?? deployment.blueprintId);
  const { token, tokenHash } = createExecutionToken();
  const started = await startUpdate(transaction, {
    deployment,
    blueprint,
    order,
    creatorId: caller.user.id,
    onBehalfOf: caller.execution?.workflowId === 'csys_update_deployment' ? caller.execution : undefined,
    newId: () => dependencies.newId(),
    tokenHash,
  });
  if (started.execution) {
    await sendAfterCommit(transaction, dependencies.outbox, updateMessages(started.execution, token));
  }
  return started;
}

function requireRestorer(caller: TenantCaller, record: UpdateRecord): void {
  if (record.executionId === undefined && !caller.execution) {
    throw new GantryError('forbidden_error', 'Deployment update objects can only be created by executions');
  }
  if (record.createdAt !== undefined) {
    requirePermission(caller, 'set_timestamp');
  }
  if (record.createdBy !== undefined) {
    requirePermission(caller, 'set_owner');
  }
}

async function blueprintOf(
  session: Session,
  caller: TenantCaller,
  id: string | undefined,
): Promise<number | undefined> {
  return id === undefined
    ? undefined
    : (await getBlueprint(session, scopeOf(caller), id, { fields: ['id'] })).storageId;
}

async function store(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  record: UpdateRecord,
  transaction: Transaction,
): Promise<DeploymentUpdate> {
  requireRestorer(caller, record);
  const { id, executionId, createdBy, documents } = record;
  const scope = scopeOf(caller);
  const deployment = await getDeployment(transaction, scope, record.deploymentId, { fields: ['id'] });
  requireOwnTenant(caller, deployment);
  const known = await findDeploymentUpdate(transaction, id);
  if (known && known.deploymentStorageId !== deployment.storageId) {
    throw new GantryError('conflict_error', `Deployment update ${id} exists already, of another deployment`);
  }
  const execution = executionId === undefined ? caller.execution : await getExecution(transaction, scope, executionId);
  const creator = createdBy === undefined ? undefined : await getAccount(transaction, createdBy);
  const stored = await putDeploymentUpdate(transaction, {
    ...documents,
    id,
    state: documents.state ?? 'updating',
    visibility: record.visibility ?? 'tenant',
    deploymentStorageId: deployment.storageId,
    creatorId: creator?.user.id ?? known?.creatorId ?? caller.user.id,
    createdAt: record.createdAt,
    executionStorageId: execution?.storageId,
    oldBlueprintStorageId: await blueprintOf(transaction, caller, record.oldBlueprintId),
    newBlueprintStorageId: await blueprintOf(transaction, caller, record.newBlueprintId),
  });
  await addSteps(dependencies, transaction, stored.storageId, record.steps);
  return getDeploymentUpdate(transaction, scope, id);
}

async function addSteps(
  dependencies: ServiceDependencies,
  session: Session,
  storageId: number,
  steps: UpdateReport['steps'],
): Promise<void> {
  if (steps.length > 0) {
    const withIds = steps.map((step) => ({ ...step, id: dependencies.newId() }));
    await addDeploymentUpdateSteps(session, storageId, withIds);
  }
}

/** Makes the use cases of deployment updates. */
export function createDeploymentUpdateService(dependencies: ServiceDependencies): DeploymentUpdateService {
  const { database, waiter, clock } = dependencies;
  const get = (session: Session, caller: TenantCaller, id: string): Promise<DeploymentUpdate> =>
    getDeploymentUpdate(session, scopeOf(caller), id);
  return {
    async initiate(caller, deploymentId, order, signal) {
      const { update, execution, refusal } = await database.transactionAs(actorOf(caller), (transaction) =>
        start(dependencies, caller, deploymentId, order, transaction),
      );
      if (refusal) {
        throw refusal;
      }
      if (order.isPreview && execution) {
        await waiter.waitUntilEnded(execution.id, creationTimeout, signal);
      }
      return get(database, caller, update.id);
    },

    get: (caller, id) => get(database, caller, id),

    put: (caller, records) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const stored: DeploymentUpdate[] = [];
        for (const record of records) {
          stored.push(await store(dependencies, caller, record, transaction));
        }
        return stored;
      }),

    change: (caller, id, { documents, steps }) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const update = await get(transaction, caller, id);
        requireOwnTenant(caller, update);
        await changeDeploymentUpdate(transaction, update.storageId, documents);
        await addSteps(dependencies, transaction, update.storageId, steps);
        if (documents.state === 'successful' && !update.isPreview) {
          await updateDeployment(transaction, update.deploymentStorageId, { updatedAt: new Date(clock.now()) });
        }
        return get(transaction, caller, id);
      }),
  };
}
