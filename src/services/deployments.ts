import { workflowMessage } from '../amqp/workflow-message.ts';
import type { Deployment } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { evaluateCapabilities, evaluateFunctions, evaluateOutputs } from '../dsl/functions/index.ts';
import type { Declared, PayloadContext } from '../dsl/functions/index.ts';
import { findDependents } from '../store/dependents.ts';
import { findLiveInstances, readDeploymentActivity } from '../store/deployment-activity.ts';
import { getDeployment, listDeployments, updateDeployment } from '../store/deployments.ts';
import { createEvaluationStorage } from '../store/evaluation-storage.ts';
import { createExecutions } from '../store/executions.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Session, Transaction } from '../store/session.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { createDeploymentFrom, waitForCreation } from './deployment-creation.ts';
import type { CreationLookups, DeploymentRequest } from './deployment-creation.ts';
import { changeDeployment } from './deployment-update.ts';
import type { DeploymentChange } from './deployment-update.ts';
import { describeDependents } from './dependents.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { createExecutionToken } from '../security/tokens.ts';
import { everywhere, requireFreeGlobally, requireOwnTenant, widerVisibility } from './identifiers.ts';
import { sendAfterCommit } from './outbox.ts';
import type { SecretReader } from './secret-reader.ts';
import { unfinishedExecutions } from './start-execution.ts';
import { isWorkflowAvailable } from './workflow-availability.ts';

/** A workflow with its name and whether it can be started now. */
export interface DeploymentWorkflow {
  readonly name: string;
  readonly isAvailable: boolean;
}

export interface DeletionRequest {
  readonly isForced: boolean;
  readonly isRecursive: boolean;
  readonly isDeletingLogs: boolean;
}

export interface DeploymentService {
  list(
    caller: Caller,
    query: ListQuery,
    isAllTenants: boolean,
    options?: { groupId?: string | undefined; dependenciesOf?: string | undefined; environmentsOnly?: boolean },
  ): Promise<Page<Deployment>>;
  get(caller: TenantCaller, id: string, fields?: readonly string[]): Promise<Deployment>;
  /** Which workflows of the deployments can be started now: storage id -> names. */
  availableWorkflows(deployments: readonly Deployment[]): Promise<ReadonlyMap<number, ReadonlySet<string>>>;
  /** @throws GantryError, see `createDeploymentFrom` and `waitForCreation` */
  create(caller: TenantCaller, request: DeploymentRequest, isAsync: boolean, signal: AbortSignal): Promise<Deployment>;
  /** Starts the deletion; the deployment goes when its execution has ended. @throws GantryError dependent_exists_error */
  remove(caller: TenantCaller, id: string, request: DeletionRequest): Promise<void>;
  /** @throws GantryError conflict_error, deployment_parent_not_found_error */
  change(caller: TenantCaller, id: string, change: DeploymentChange): Promise<Deployment>;
  /** Puts it at a site, or at none. @throws GantryError not_found_error, illegal_action_error */
  setSite(caller: TenantCaller, id: string, siteName: string | undefined): Promise<Deployment>;
  setVisibility(caller: TenantCaller, id: string, visibility: unknown): Promise<Deployment>;
  outputs(caller: TenantCaller, id: string): Promise<JsonObject>;
  capabilities(caller: TenantCaller, id: string): Promise<JsonObject>;
  /** @throws DslError when a function fails */
  evaluate(caller: TenantCaller, id: string, payload: JsonObject, context: PayloadContext): Promise<JsonObject>;
}

async function requireRemovable(
  transaction: Transaction,
  deployment: Deployment,
  request: DeletionRequest,
): Promise<void> {
  const refuse = (reason: string): never => {
    throw new GantryError('dependent_exists_error', `Can't delete deployment ${deployment.id} - ${reason}`);
  };
  const running = await unfinishedExecutions(transaction, deployment);
  if (running.length > 0) {
    const ids = running.map(({ id }) => id).join(', ');
    refuse(`There are running or queued executions for this deployment. Running executions ids: ${ids}`);
  }
  if (request.isForced) {
    return;
  }
  const dependents = (await findDependents(transaction, deployment.storageId)).filter(
    ({ kind }) => !(request.isRecursive && kind === 'parent'),
  );
  if (dependents.length > 0) {
    const shown = describeDependents(deployment.id, dependents.slice(0, 6));
    refuse(`the following existing installations depend on it:\n${shown}`);
  }
  const live = await findLiveInstances(transaction, deployment.storageId);
  if (live.length > 0) {
    refuse(`There are live nodes for this deployment. Live nodes ids: ${live.slice(0, 100).join(', ')}`);
  }
}

async function startDeletion(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  id: string,
  request: DeletionRequest,
  transaction: Transaction,
): Promise<void> {
  const deployment = await getDeployment(transaction, scopeOf(caller), id, { fields: ['id'], lock: true });
  requireOwnTenant(caller, deployment);
  await requireRemovable(transaction, deployment, request);
  const { token, tokenHash } = createExecutionToken();
  const [execution] = await createExecutions(transaction, [
    {
      id: dependencies.newId(),
      tenantId: deployment.tenantId,
      creatorId: caller.user.id,
      visibility: deployment.visibility,
      workflowId: 'delete_deployment_environment',
      status: 'pending',
      parameters: {
        delete_logs: request.isDeletingLogs,
        force: request.isForced,
        recursive: request.isRecursive,
      },
      deploymentStorageId: deployment.storageId,
      blueprintId: deployment.blueprintId,
      tokenHash,
    },
  ]);
  if (!execution) {
    throw new Error('The new execution was not stored');
  }
  await updateDeployment(transaction, deployment.storageId, {
    deploymentStatus: 'in_progress',
    latestExecutionStorageId: execution.storageId,
  });
  await sendAfterCommit(transaction, dependencies.outbox, [workflowMessage(execution, { executionToken: token })]);
}

function declared(values: JsonObject | undefined): { [name: string]: Declared } {
  return (values ?? {}) as unknown as { [name: string]: Declared };
}

/** Makes the use cases of deployments. */
export function createDeploymentService(
  dependencies: ServiceDependencies,
  lookups: CreationLookups,
  secrets: SecretReader,
): DeploymentService {
  const { database } = dependencies;
  const read = (session: Session, caller: TenantCaller, id: string, fields?: readonly string[]): Promise<Deployment> =>
    getDeployment(session, scopeOf(caller), id, fields ? { fields } : {});

  return {
    async list(caller, query, isAllTenants, { groupId, dependenciesOf, environmentsOnly } = {}) {
      const scope = listScopeOf(caller, isAllTenants, 'deployment_list');
      const source =
        dependenciesOf === undefined
          ? undefined
          : await getDeployment(database, scope, dependenciesOf, { fields: ['id'] });
      return listDeployments(database, scope, query, {
        groupId,
        dependenciesOf: source?.storageId,
        environmentsOnly,
      });
    },

    get: (caller, id, fields) => read(database, caller, id, fields),

    async availableWorkflows(deployments) {
      const activities = await readDeploymentActivity(
        database,
        deployments.map(({ storageId }) => storageId),
      );
      return new Map(
        deployments.map(({ storageId, workflows }) => {
          const activity = activities.get(storageId);
          const now = { instanceStates: activity?.instanceStates ?? [], types: new Set(activity?.types ?? []) };
          const names = Object.entries(workflows ?? {})
            .filter(([, workflow]) => isWorkflowAvailable(workflow, now))
            .map(([name]) => name);
          return [storageId, new Set(names)];
        }),
      );
    },

    async create(caller, request, isAsync, signal) {
      const deployment = await createDeploymentFrom(dependencies, lookups, caller, request, isAsync, signal);
      if (isAsync) {
        return read(database, caller, deployment.id);
      }
      await waitForCreation(dependencies, deployment, signal);
      return read(database, caller, deployment.id);
    },

    remove: (caller, id, request) =>
      database.transactionAs(actorOf(caller), (transaction) =>
        startDeletion(dependencies, caller, id, request, transaction),
      ),

    change: (caller, id, change) =>
      database.transactionAs(actorOf(caller), (transaction) => changeDeployment(transaction, caller, id, change)),

    setSite: (caller, id, siteName) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const deployment = await getDeployment(transaction, scopeOf(caller), id, { fields: ['id'], lock: true });
        requireOwnTenant(caller, deployment);
        const siteStorageId = await lookups.findSite(transaction, caller, { ...deployment, siteName });
        return updateDeployment(transaction, deployment.storageId, { siteStorageId: siteStorageId ?? null });
      }),

    setVisibility: (caller, id, wanted) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const deployment = await getDeployment(transaction, scopeOf(caller), id, { fields: ['id'], lock: true });
        requireOwnTenant(caller, deployment);
        const visibility = widerVisibility(caller, deployment, wanted);
        await requireFreeGlobally(visibility, deployment, (query) => listDeployments(transaction, everywhere, query));
        return updateDeployment(transaction, deployment.storageId, { visibility });
      }),

    async outputs(caller, id) {
      const deployment = await read(database, caller, id, ['id', 'outputs']);
      const storage = createEvaluationStorage(database, deployment, secrets.accessOf(caller));
      return evaluateOutputs(declared(deployment.outputs), storage);
    },

    async capabilities(caller, id) {
      const deployment = await read(database, caller, id, ['id', 'capabilities']);
      const storage = createEvaluationStorage(database, deployment, secrets.accessOf(caller));
      return evaluateCapabilities(declared(deployment.capabilities), storage);
    },

    async evaluate(caller, id, payload, context) {
      const deployment = await read(database, caller, id, ['id']);
      const storage = createEvaluationStorage(database, deployment, secrets.accessOf(caller));
      return evaluateFunctions(payload, context, storage);
    },
  };
}
