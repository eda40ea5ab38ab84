/** What operations of the built-in types ask of the manager, done by its use cases. */
import type { Config } from '../../config/config.ts';
import type { Deployment, Execution } from '../../domain/entities.ts';
import { GantryError, ifFound } from '../../domain/errors.ts';
import type { Permission } from '../../domain/permissions.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { cancellingExecutionStatuses } from '../../domain/states.ts';
import type { BlueprintState } from '../../domain/states.ts';
import { updateSwitches } from '../../executor/system/update/order.ts';
import type { UpdateOrder } from '../../executor/system/update/order.ts';
import type {
  ExtensionsHost,
  ExtensionsManager,
  ManagedDeployment,
  ManagedExecution,
  ManagedLine,
  NewManagedBlueprint,
  NewManagedDeployment,
  Waiting,
  WorkflowRequest,
} from '../../runtime/extensions/manager.ts';
import { derivedId } from '../../security/derived-id.ts';
import type { Database } from '../../store/database.ts';
import { findDependents } from '../../store/dependents.ts';
import { Waits } from '../../runtime/waits.ts';
import { findBlockingExecutions } from '../../store/execution-queue.ts';
import { findExecution } from '../../store/executions.ts';
import { requirePermission } from '../caller.ts';
import type { TenantCaller } from '../caller.ts';
import { parseLabels } from '../labels.ts';
import type { PermissionDirectory } from '../permission-directory.ts';
import type { Services } from '../services.ts';
import { findArchive } from './blueprint-source.ts';
import { callerOf } from './caller.ts';
import { followLines } from './execution-lines.ts';

export interface ExtensionsHostDependencies {
  readonly config: Config;
  readonly database: Database;
  readonly services: Pick<
    Services,
    | 'blueprints'
    | 'deployments'
    | 'deploymentUpdates'
    | 'executions'
    | 'files'
    | 'interDeploymentDependencies'
    | 'secrets'
    | 'waiter'
  >;
  readonly permissions: PermissionDirectory;
}

interface ManagerDependencies extends ExtensionsHostDependencies {
  readonly waits: Waits;
}

/** Milliseconds of a wait without limit: a timer takes no more. */
const endless = 2 ** 31 - 1;

/** Makes the host of the built-in types over the use cases of this process. */
export function createExtensionsHost(dependencies: ExtensionsHostDependencies): ExtensionsHost {
  const waits = new Waits();
  return {
    waits,
    async managerFor(executionId) {
      const { database, permissions } = dependencies;
      const caller = await callerOf(database, permissions.matrix, executionId);
      return new CallersManager({ ...dependencies, waits }, caller, caller.execution);
    },
  };
}

function managed({ id, workflowId, status, error }: Execution): ManagedExecution {
  return { id, workflowId, status, error: error === '' ? undefined : error };
}

/** Counts down what is left of a limit. */
function stopwatch({ timeoutSeconds, signal }: Waiting): () => number {
  const end = timeoutSeconds === undefined ? Infinity : performance.now() + timeoutSeconds * 1000;
  return () => {
    signal.throwIfAborted();
    return Math.min(endless, Math.max(0, end - performance.now()));
  };
}

class CallersManager implements ExtensionsManager {
  readonly #dependencies: ManagerDependencies;
  readonly #caller: TenantCaller;
  readonly #execution: Execution;

  constructor(dependencies: ManagerDependencies, caller: TenantCaller, execution: Execution | undefined) {
    if (!execution) {
      throw new Error('Operations of built-in types belong to an execution');
    }
    this.#dependencies = dependencies;
    this.#caller = caller;
    this.#execution = execution;
  }

  get ownParameters(): JsonObject {
    return this.#execution.parameters;
  }

  async isCancelled(): Promise<boolean> {
    const now = await findExecution(this.#dependencies.database, this.#execution.id, { fields: [] });
    return now?.status === 'cancelled' || cancellingExecutionStatuses.some((status) => status === now?.status);
  }

  async findBlueprintState(id: string): Promise<BlueprintState | undefined> {
    this.#require('blueprint_get');
    const { blueprints } = this.#dependencies.services;
    return (await ifFound(blueprints.get(this.#caller, id, ['state'])))?.state;
  }

  async uploadBlueprint(blueprint: NewManagedBlueprint, { signal }: Waiting): Promise<void> {
    this.#require('blueprint_upload');
    const { services, waits } = this.#dependencies;
    const { blueprints, files } = services;
    const started = await ifFound(blueprints.get(this.#caller, blueprint.id, ['state']));
    const upload =
      started && started.uploadExecution && !started.uploadExecution.endedAt
        ? started
        : await blueprints.upload(this.#caller, {
            id: blueprint.id,
            mainFileName: blueprint.mainFileName,
            visibility: 'tenant',
            labels: blueprint.labels.length > 0 ? parseLabels([...blueprint.labels]) : undefined,
            archive: await findArchive(files, this.#execution, blueprint.archive, await blueprints.room(this.#caller)),
            isValidation: false,
            isKeptOnly: false,
            state: undefined,
            origin: {},
          });
    await waits.during(() => blueprints.waitForUpload(this.#caller, upload, signal));
  }

  async deleteBlueprint(id: string): Promise<void> {
    this.#require('blueprint_delete');
    await this.#dependencies.services.blueprints.remove(this.#caller, id, false);
  }

  async findDeployment(id: string): Promise<ManagedDeployment | undefined> {
    this.#require('deployment_get');
    const deployment = await this.#deployment(id);
    return deployment && this.#managedDeployment(deployment);
  }

  async createDeployment(deployment: NewManagedDeployment, signal: AbortSignal): Promise<ManagedDeployment> {
    this.#require('deployment_create');
    const request = {
      id: deployment.id,
      blueprintId: deployment.blueprintId,
      inputs: deployment.inputs,
      visibility: 'tenant' as const,
      displayName: undefined,
      siteName: undefined,
      labels: parseLabels([...deployment.labels]),
      restored: undefined,
      runtimeOnlyEvaluation: undefined,
      isSkippingPluginsValidation: false,
      origin: {},
    };
    const { deployments } = this.#dependencies.services;
    return this.#managedDeployment(await deployments.create(this.#caller, request, true, signal));
  }

  async updateDeployment(
    id: string,
    { blueprintId, inputs }: { blueprintId: string; inputs: JsonObject },
    signal: AbortSignal,
  ): Promise<string> {
    this.#require('deployment_update_create');
    const order: UpdateOrder = {
      blueprintId,
      inputs,
      reinstallIds: [],
      workflowId: undefined,
      runtimeOnlyEvaluation: undefined,
      isPreview: false,
      isForced: false,
      switches: updateSwitches,
    };
    const { deploymentUpdates } = this.#dependencies.services;
    const { executionId } = await deploymentUpdates.initiate(this.#caller, id, order, signal);
    if (executionId === undefined) {
      throw new GantryError('conflict_error', `The update of deployment ${id} was not started`);
    }
    return executionId;
  }

  async deleteDeployment(id: string, waiting: Waiting): Promise<void> {
    this.#require('deployment_delete');
    const { deployments } = this.#dependencies.services;
    const executionId = await deployments.remove(this.#caller, id, {
      isForced: false,
      isRecursive: false,
      isDeletingLogs: false,
    });
    const left = await this.waitUntilEnded(executionId, waiting);
    if (left && left.status !== 'terminated') {
      throw new GantryError('conflict_error', `Deployment ${id} was not deleted: ${left.error ?? left.status}`);
    }
  }

  async capabilities(deploymentId: string): Promise<JsonObject> {
    this.#require('deployment_capabilities');
    return this.#dependencies.services.deployments.capabilities(this.#caller, deploymentId);
  }

  async addDependency(creator: string, target: string): Promise<void> {
    this.#require('inter_deployment_dependency_create');
    const { interDeploymentDependencies: dependencies } = this.#dependencies.services;
    const source = this.#execution.deploymentId ?? '';
    const key = { creator, source, target, externalSource: undefined, externalTarget: undefined };
    if (!(await dependencies.isKnown(this.#caller, key))) {
      const rest = { targetFunction: undefined, id: undefined, origin: {}, visibility: undefined };
      await dependencies.create(this.#caller, { ...key, ...rest });
    }
  }

  async removeDependency(creator: string, target: string): Promise<void> {
    this.#require('inter_deployment_dependency_delete');
    const { interDeploymentDependencies: dependencies } = this.#dependencies.services;
    const source = this.#execution.deploymentId ?? '';
    const key = { creator, source, target, externalSource: undefined, externalTarget: undefined };
    await ifFound(dependencies.remove(this.#caller, key));
  }

  async countOtherConsumers(deploymentId: string): Promise<number> {
    const { database } = this.#dependencies;
    const deployment = await this.#deployment(deploymentId);
    const dependents = deployment ? await findDependents(database, deployment.storageId) : [];
    const users = dependents.filter(({ kind }) => kind !== 'parent').map(({ deploymentId: id }) => id);
    return new Set(users.filter((id) => id !== this.#execution.deploymentId)).size;
  }

  executionIdOf(taskId: string, workflowId: string): string {
    return derivedId(`${this.#execution.id}\n${taskId}\n${workflowId}`);
  }

  async findExecution(id: string): Promise<ManagedExecution | undefined> {
    const execution = await findExecution(this.#dependencies.database, id, { fields: [] });
    return execution && managed(execution);
  }

  async startExecution(id: string, request: WorkflowRequest): Promise<void> {
    this.#require('execution_start');
    await this.#dependencies.services.executions.start(this.#caller, {
      ...request,
      id,
      isDryRun: false,
      waitAfterFail: this.#execution.waitAfterFail,
    });
  }

  async resumeExecution(id: string): Promise<void> {
    this.#require('execution_cancel');
    await this.#dependencies.services.executions.act(this.#caller, id, 'resume');
  }

  async waitUntilEnded(
    id: string,
    waiting: Waiting,
    onLine?: (line: ManagedLine) => void,
  ): Promise<ManagedExecution | undefined> {
    const { database, services, waits } = this.#dependencies;
    const follower = onLine && (await followLines(database, id, onLine));
    try {
      const patience = stopwatch(waiting)();
      const execution = await waits.during(() => services.waiter.waitUntilEnded(id, patience, waiting.signal));
      waiting.signal.throwIfAborted();
      return execution && managed(execution);
    } finally {
      await follower?.finish();
    }
  }

  async waitUntilIdle(deploymentId: string, waiting: Waiting): Promise<boolean> {
    const { database, services, waits } = this.#dependencies;
    const left = stopwatch(waiting);
    const deployment = await this.#deployment(deploymentId);
    for (;;) {
      const [first] = deployment
        ? await findBlockingExecutions(database, { deploymentStorageIds: [deployment.storageId], withQueued: true })
        : [];
      if (!first) {
        return true;
      }
      const patience = left();
      if (patience === 0) {
        return false;
      }
      await waits.during(() => services.waiter.waitUntilEnded(first.id, patience, waiting.signal));
    }
  }

  async hasSecret(key: string): Promise<boolean> {
    const { secrets } = this.#dependencies.services;
    return (await ifFound(secrets.get(this.#caller, key, true))) !== undefined;
  }

  async createSecret(key: string, value: Json): Promise<void> {
    this.#require('secret_create');
    await this.#dependencies.services.secrets.put(this.#caller, {
      key,
      value,
      schema: undefined,
      isHiddenValue: false,
      visibility: 'tenant',
      isUpdateAllowed: false,
      provider: { name: undefined, options: undefined },
      origin: {},
    });
  }

  async deleteSecret(key: string): Promise<void> {
    this.#require('secret_delete');
    await ifFound(this.#dependencies.services.secrets.remove(this.#caller, key));
  }

  #require(permission: Permission): void {
    requirePermission(this.#caller, permission);
  }

  #deployment(id: string): Promise<Deployment | undefined> {
    const fields = ['id', 'inputs', 'labels', 'createExecutionId', 'latestExecutionId'];
    return ifFound(this.#dependencies.services.deployments.get(this.#caller, id, fields));
  }

  async #managedDeployment(deployment: Deployment): Promise<ManagedDeployment> {
    const { latestExecutionId } = deployment;
    return {
      id: deployment.id,
      blueprintId: deployment.blueprintId,
      inputs: deployment.inputs ?? {},
      labels: deployment.labels,
      installationStatus: deployment.installationStatus,
      deploymentStatus: deployment.deploymentStatus,
      unavailableInstances: deployment.unavailableInstances,
      driftedInstances: deployment.driftedInstances,
      createExecutionId: deployment.createExecutionId,
      latestExecution: latestExecutionId === undefined ? undefined : await this.findExecution(latestExecutionId),
    };
  }
}
