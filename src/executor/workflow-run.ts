import type { WorkflowContextMessage } from '../amqp/envelopes.ts';
import { writeServiceTask } from '../amqp/envelopes.ts';
import { routingKeys, tenantVhost } from '../amqp/names.ts';
import type { Execution } from '../domain/entities.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import type { Topology } from '../domain/topology.ts';
import type { Logger } from '../log/logger.ts';
import { findDrivenDeployment, loadScalingGroups } from '../store/driven-deployment.ts';
import type { DrivenDeployment } from '../store/driven-deployment.ts';
import { findAgents } from '../store/driving.ts';
import { loadNodeInstances } from '../store/node-instances.ts';
import { loadNodes } from '../store/nodes.ts';
import { findPluginVersions } from '../store/plugins.ts';
import { WorkflowRefused } from '../workflows/errors.ts';
import { findWorkflow } from '../workflows/registry.ts';
import type { Workflow } from '../workflows/registry.ts';
import { MessageDispatcher } from './dispatcher.ts';
import { EngineContext } from './engine-context.ts';
import type { RunDependencies } from './executor.ts';
import { executionEnvironments } from './message-environment.ts';
import type { ManagedPlugin } from './message-environment.ts';
import { makeModifications } from './modifications.ts';
import { whileDatabaseAway } from './patience.ts';
import type { ReplyInbox } from './reply-inbox.ts';
import { runOnServices } from './services-run.ts';
import { loadWorkflowConfig } from './workflow-config.ts';

export interface WorkflowRunInput {
  dependencies: RunDependencies;
  execution: Execution;
  isResume: boolean;
  message: WorkflowContextMessage | undefined;
  /** Clear text. */
  token: string;
  signal: AbortSignal;
  inbox: ReplyInbox;
  log: Logger;
}

/** A workflow of a deployment with all it needs, ready to run. */
export class WorkflowRun {
  readonly #input: WorkflowRunInput;
  readonly #workflow: Workflow;
  readonly #context: EngineContext;

  private constructor(input: WorkflowRunInput, workflow: Workflow, context: EngineContext) {
    this.#input = input;
    this.#workflow = workflow;
    this.#context = context;
  }

  /**
   * Reads what the workflow works on.
   * @throws WorkflowRefused when there is no such workflow, or it cannot be resumed; GantryError when the deployment
   *   is gone
   */
  static async prepare(input: WorkflowRunInput): Promise<WorkflowRun> {
    const { dependencies, execution, isResume } = input;
    const { database } = dependencies;
    const storageId = deploymentOf(execution);
    const readTopology = (): Promise<Topology> => loadTopology(input, storageId);
    // what is read does not depend on each other, and an execution of one operation is short
    const [deployment, topology, config] = await Promise.all([
      findDrivenDeployment(database, storageId),
      readTopology(),
      loadWorkflowConfig(database),
    ]);
    if (!deployment) {
      throw notFound('Deployment', execution.deploymentId ?? '');
    }
    const operation = deployment.workflows?.[execution.workflowId]?.operation ?? '';
    const workflow = findWorkflow(operation);
    if (!workflow) {
      throw new WorkflowRefused(`Workflow ${execution.workflowId} is not one this manager can run (${operation})`);
    }
    if (execution.resume && !workflow.isResumable) {
      throw new WorkflowRefused(`Cannot resume - workflow not resumable: ${execution.workflowId}`);
    }
    const environments = executionEnvironments({
      config: dependencies.config,
      execution,
      deployment,
      plugins: await findManagedPlugins(input, deployment),
      message: input.message,
      token: input.token,
    });
    const dispatcher = new MessageDispatcher({
      executionId: execution.id,
      tenantName: execution.tenantName,
      session: database,
      broker: dependencies.broker,
      inbox: input.inbox,
      environment: environments.message,
      log: input.log,
    });
    const context = new EngineContext({
      execution,
      deployment,
      isResume,
      config,
      topology,
      readTopology,
      signal: input.signal,
      session: database,
      patiently: (work) => whileDatabaseAway(work, input.log, dependencies.stopping),
      clock: dependencies.clock,
      newId: dependencies.newId,
      managerName: dependencies.managerName,
      environments,
      write: (part) => dependencies.writer.write(part),
      inbox: input.inbox,
      dispatcher,
      runLocal: async (task) => {
        throw new WorkflowRefused(`There is no task '${task.name}' in this manager`);
      },
      modifications: makeModifications(dependencies, execution, deployment),
      runOnServices: (workflowId, parameters) =>
        runOnServices(dependencies, execution, deployment, { workflowId, parameters, signal: input.signal }),
    });
    return new WorkflowRun(input, workflow, context);
  }

  /** @throws WorkflowFailed, ExecutionCancelled and whatever the workflow fails with */
  async run(): Promise<void> {
    await this.#workflow.run(this.#context);
  }

  /** Stops working on the execution; `run` rejects with `reason`. */
  abandon(reason: Error): void {
    this.#context.abandon(reason);
  }

  /** Tells the agents of the deployment to end the operations of this execution. */
  killOnAgents(): void {
    this.#tellAgents().catch((error: unknown) => {
      this.#input.log.warn('Agents were not told to end the operations', { error });
    });
  }

  async #tellAgents(): Promise<void> {
    const { dependencies, execution } = this.#input;
    const hosts = [...this.#context.topology.instances.values()].filter((instance) => instance.hostId === instance.id);
    const agents =
      hosts.length === 0
        ? []
        : await findAgents(
            dependencies.database,
            hosts.map((host) => host.id),
          );
    if (agents.length > 0) {
      const connection = dependencies.broker.forVhost(tenantVhost(execution.tenantName));
      const body = writeServiceTask({ name: 'cancel-operation', kwargs: { execution_id: execution.id } });
      await connection.publishAll(
        agents.map(({ queue }) => ({ exchange: queue, routingKey: routingKeys.service, body })),
      );
    }
  }
}

/** The stored plugins behind those the blueprint names, for what operations are told about them. */
async function findManagedPlugins(
  { dependencies, execution }: WorkflowRunInput,
  deployment: DrivenDeployment,
): Promise<ManagedPlugin[]> {
  const packages = new Set(deployment.plugins.flatMap((plugin) => plugin.package_name ?? []));
  const found: ManagedPlugin[] = [];
  for (const name of packages) {
    found.push(...(await findPluginVersions(dependencies.database, execution.tenantId, name)));
  }
  return found;
}

/** @throws GantryError nonexistent_workflow_error for an execution without a deployment */
function deploymentOf(execution: Execution): number {
  if (execution.deploymentStorageId === undefined) {
    throw new GantryError('nonexistent_workflow_error', `Builtin workflow ${execution.workflowId} does not exist`);
  }
  return execution.deploymentStorageId;
}

async function loadTopology({ dependencies }: WorkflowRunInput, storageId: number): Promise<Topology> {
  const { database } = dependencies;
  const [nodes, instances, scalingGroups] = await Promise.all([
    loadNodes(database, storageId),
    loadNodeInstances(database, storageId),
    loadScalingGroups(database, storageId),
  ]);
  return {
    nodes: new Map(nodes.map((node) => [node.id, node])),
    instances: new Map(instances.map((instance) => [instance.id, instance])),
    scalingGroups: new Map(Object.entries(scalingGroups)),
  };
}
