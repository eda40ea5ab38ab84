import { LRUCache } from 'lru-cache';
import type { Deployment } from '../domain/entities.ts';
import { JsonText } from '../domain/json-text.ts';
import type { JsonObject } from '../domain/plan.ts';
import { evaluateCapabilities, evaluateFunctions, evaluateOutputs } from '../dsl/functions/index.ts';
import type { Declared, PayloadContext } from '../dsl/functions/index.ts';
import { newDeletions, requireRemovable } from '../executor/system/deletion.ts';
import type { DeletionRequest } from '../executor/system/deletion.ts';
import { packWorkingDirectory } from '../files/working-directory.ts';
import type { DeploymentActivityRow } from '../store/deployment-activity.ts';
import { readDeploymentActivity } from '../store/deployment-activity.ts';
import { readDirectChildren } from '../store/deployment-status.ts';
import { getDeployment, listDeployments, updateDeployment } from '../store/deployments.ts';
import { createEvaluationStorage } from '../store/evaluation-storage.ts';
import { isSystemWorkflowUnfinished, lockQueue } from '../store/execution-queue.ts';
import { createExecutions } from '../store/executions.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Session, Transaction } from '../store/session.ts';
import { onlyRow } from '../store/values.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { createDeploymentFrom, waitForCreation } from './deployment-creation.ts';
import type { CreationLookups, DeploymentRequest } from './deployment-creation.ts';
import { changeDeployment } from './deployment-update.ts';
import type { DeploymentChange } from './deployment-update.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { sendExecutions } from './execution-batches.ts';
import { everywhere, requireFreeGlobally, requireOwnTenant, widerVisibility } from './identifiers.ts';
import type { SecretReader } from './secret-reader.ts';
import { isWorkflowAvailable } from '../workflows/availability.ts';

export interface DeploymentService {
  list(
    caller: Caller,
    query: ListQuery,
    isAllTenants: boolean,
    options?: { groupId?: string | undefined; dependenciesOf?: string | undefined; environmentsOnly?: boolean },
  ): Promise<Page<Deployment>>;
  /**
   * @param fields costly ones to read; all by default
   */
  get(caller: TenantCaller, id: string, fields?: readonly string[]): Promise<Deployment>;
  /** The same with its documents, workflows apart, as `JsonText`: for an answer that only hands them on. */
  show(caller: TenantCaller, id: string, fields: readonly string[]): Promise<Deployment>;
  /** The working directory of a deployment as a zip archive in base64. @throws GantryError illegal_action_error when it is too large */
  workdir(deployment: Pick<Deployment, 'id' | 'tenantName'>): Promise<string>;
  /** The deployment, with numbers and statuses of its direct children only. */
  withDirectChildren(deployment: Deployment): Promise<Deployment>;
  /** Which workflows of the deployments can be started now: storage id -> names. */
  availableWorkflows(deployments: readonly Deployment[]): Promise<ReadonlyMap<number, ReadonlySet<string>>>;
  /** @throws GantryError, see `createDeploymentFrom` and `waitForCreation` */
  create(caller: TenantCaller, request: DeploymentRequest, isAsync: boolean, signal: AbortSignal): Promise<Deployment>;
  /** What `create` gives, of a deployment that another attempt of the request created. @throws see `create` */
  whenCreated(caller: TenantCaller, id: string, isAsync: boolean, signal: AbortSignal): Promise<Deployment>;
  /**
   * Starts the deletion; the deployment goes when its execution has ended.
   * @returns id of the execution
   * @throws GantryError dependent_exists_error
   */
  remove(caller: TenantCaller, id: string, request: DeletionRequest): Promise<string>;
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

async function startDeletion(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  id: string,
  request: DeletionRequest,
  transaction: Transaction,
): Promise<string> {
  await lockQueue(transaction);
  const deployment = await getDeployment(transaction, scopeOf(caller), id, { fields: ['id'], lock: true });
  requireOwnTenant(caller, deployment);
  await requireRemovable(transaction, [deployment], request);
  const { newId } = dependencies;
  const deletions = await newDeletions(transaction, [deployment], request, { newId, creatorId: caller.user.id });
  const status = (await isSystemWorkflowUnfinished(transaction)) ? 'queued' : 'pending';
  const executions = await createExecutions(
    transaction,
    deletions.map((deletion) => ({ ...deletion, status })),
  );
  const { id: executionId, storageId: latestExecutionStorageId } = onlyRow(executions);
  await updateDeployment(transaction, deployment.storageId, { latestExecutionStorageId });
  if (status === 'pending') {
    await sendExecutions(dependencies, transaction, executions);
  }
  return executionId;
}

/** Workflows by their text: deployments of one blueprint have the same ones. */
const knownWorkflows = new LRUCache<string, NonNullable<Deployment['workflows']>>({ max: 200 });

function readWorkflows({ text }: JsonText): NonNullable<Deployment['workflows']> {
  const known = knownWorkflows.get(text);
  const workflows = known ?? (JSON.parse(text) as NonNullable<Deployment['workflows']>);
  if (!known) {
    knownWorkflows.set(text, workflows);
  }
  return workflows;
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

    async show(caller, id, fields) {
      const options = { fields, areDocumentsText: true };
      const deployment = await getDeployment(database, scopeOf(caller), id, options);
      const { workflows } = deployment as { workflows: unknown };
      return workflows instanceof JsonText ? { ...deployment, workflows: readWorkflows(workflows) } : deployment;
    },

    workdir: async ({ tenantName, id }) =>
      (await packWorkingDirectory(dependencies.files, tenantName, id)).toString('base64'),

    withDirectChildren: async (deployment) => ({
      ...deployment,
      ...(await readDirectChildren(database, deployment.storageId)),
    }),

    async availableWorkflows(deployments) {
      const unknown = deployments.filter(
        ({ activity, workflows }) => activity === undefined && workflows !== undefined,
      );
      const activities =
        unknown.length > 0
          ? await readDeploymentActivity(
              database,
              unknown.map(({ storageId }) => storageId),
            )
          : new Map<number, DeploymentActivityRow>();
      return new Map(
        deployments.map(({ storageId, workflows, activity: known }) => {
          const activity = known ?? activities.get(storageId);
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
        return deployment;
      }
      await waitForCreation(dependencies, deployment, signal);
      return read(database, caller, deployment.id);
    },

    async whenCreated(caller, id, isAsync, signal) {
      const deployment = await read(database, caller, id);
      if (isAsync) {
        return deployment;
      }
      await waitForCreation(dependencies, deployment, signal);
      return read(database, caller, id);
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
