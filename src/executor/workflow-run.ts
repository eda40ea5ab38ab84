import type { WorkflowContextMessage } from '../amqp/envelopes.ts';
import { writeServiceTask } from '../amqp/envelopes.ts';
import { routingKeys, tenantVhost } from '../amqp/names.ts';
import type { Execution } from '../domain/entities.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Topology } from '../domain/topology.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { findDrivenDeployment, loadScalingGroups } from '../store/driven-deployment.ts';
import type { DrivenDeployment } from '../store/driven-deployment.ts';
import { findAgents } from '../store/driving.ts';
import { loadNodeInstances } from '../store/node-instances.ts';
import { loadNodes } from '../store/nodes.ts';
import { findPluginVersions } from '../store/plugins.ts';
import { WorkflowRefused } from '../workflows/errors.ts';
import { findWorkflow } from '../workflows/registry.ts';
import type { WorkflowFunction } from '../workflows/context.ts';
import { beginParameters } from './begin-parameters.ts';
import { MessageDispatcher } from './dispatcher.ts';
import { EngineContext } from './engine-context.ts';
import type { ControlChange, ExecutionGate } from './execution-gate.ts';
import type { RunDependencies } from './executor.ts';
import { executionEnvironments } from './message-environment.ts';
import type { ManagedPlugin } from './message-environment.ts';
import { makeModifications } from './modifications.ts';
import { whileDatabaseAway } from './patience.ts';
import { findPluginWorkflow } from './plugin-workflow.ts';
import type { ReplyInbox } from './reply-inbox.ts';
import type { RunWrites } from './run-writes.ts';
import { runOnServices } from './services-run.ts';
import { storeBegunGraph } from './begun-graph.ts';
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
  writes: RunWrites;
  gate: ExecutionGate;
  log: Logger;
  /** Default: the function of the workflow the execution names. */
  run?: WorkflowFunction;
  /** Where operations get their scripts from. Default: the blueprint of the deployment. */
  blueprintStorageId?: number | undefined;
}

/** A workflow of a deployment with all it needs, ready to run. */
export class WorkflowRun {
  readonly #input: WorkflowRunInput;
  readonly #run: WorkflowFunction;
  readonly #context: EngineContext;
  readonly #stopping: AbortController;

  private constructor(
    input: WorkflowRunInput,
    run: WorkflowFunction,
    context: EngineContext,
    stopping: AbortController,
  ) {
    this.#input = input;
    this.#run = run;
    this.#context = context;
    this.#stopping = stopping;
  }

  /**
   * Reads what the workflow works on.
   * @throws WorkflowRefused when there is no such workflow, or it cannot be resumed; GantryError when the deployment
   *   is gone
   */
  static async prepare(input: WorkflowRunInput): Promise<WorkflowRun> {
    const { dependencies, isResume } = input;
    const { database } = dependencies;
    const storageId = deploymentOf(input.execution);
    // what is read does not depend on each other, and an execution of one operation is short
    const [deployment, parts, config] = await Promise.all([
      findDrivenDeployment(database, storageId, input.blueprintStorageId),
      loadParts(database, storageId),
      loadWorkflowConfig(database),
    ]);
    if (!deployment) {
      throw notFound('Deployment', input.execution.deploymentId ?? '');
    }
    const execution = { ...input.execution, parameters: await parametersOf(input, deployment) };
    const stopping = new AbortController();
    const run = input.run ?? (await findFunction(input, deployment, stopping.signal));
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
      topology: { ...parts, scalingGroups: new Map(Object.entries(deployment.scalingGroups ?? {})) },
      readTopology: () => loadTopology(database, storageId),
      signal: input.signal,
      session: database,
      patiently: (work) => whileDatabaseAway(work, input.log, dependencies.stopping),
      clock: dependencies.clock,
      newId: dependencies.newTaskId,
      managerName: dependencies.managerName,
      environments,
      write: (part) => input.writes.add(() => dependencies.writer.write(part)),
      storeGraph: (graph, first) => input.writes.add(() => storeBegunGraph(dependencies, graph, first)),
      inbox: input.inbox,
      dispatcher,
      runLocal: async (task) => {
        throw new WorkflowRefused(`There is no task '${task.name}' in this manager`);
      },
      gate: input.gate,
      waits: dependencies.waits,
      modifications: makeModifications(dependencies, execution, deployment),
      runOnServices: (workflowId, parameters) =>
        runOnServices(dependencies, execution, deployment, { workflowId, parameters, signal: input.signal }),
    });
    return new WorkflowRun(input, run, context, stopping);
  }

  /** @throws WorkflowFailed, ExecutionCancelled and whatever the workflow fails with */
  async run(): Promise<void> {
    try {
      await this.#run(this.#context);
    } finally {
      await this.#context.written();
    }
  }

  /** Takes in what was decided about the execution or its operations. */
  controlChanged(change: ControlChange): void {
    this.#context.controlChanged(change);
  }

  /** Sends operations again that are under way. */
  messagesLost(): void {
    this.#context.messagesLost();
  }

  /** Stops working on the execution; `run` rejects with `reason`. */
  abandon(reason: Error): void {
    this.#context.abandon(reason);
    this.#stopping.abort(reason);
  }

  /** Tells the agents of the deployment to end the operations of this execution. */
  killOnAgents(): void {
    this.#tellAgents().catch((error: unknown) => {
      this.#input.log.warn('Agents could not be told to cancel the operations', { error });
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

/**
 * The function of the execution's workflow: the product's own, or one of a plugin.
 * @throws WorkflowRefused when there is none, or it cannot be resumed
 */
async function findFunction(
  { dependencies, execution }: WorkflowRunInput,
  deployment: DrivenDeployment,
  stop: AbortSignal,
): Promise<WorkflowFunction> {
  const workflow = deployment.workflows?.[execution.workflowId];
  if (!workflow) {
    throw new WorkflowRefused(`Deployment ${deployment.id} has no workflow ${execution.workflowId}`);
  }
  const own = findWorkflow(workflow.operation);
  if (!own) {
    const { database: session, files, config } = dependencies;
    return findPluginWorkflow({ session, files, dataDir: config.dataDir, execution, deployment, workflow, stop });
  }
  if (execution.resume && !own.isResumable) {
    throw new WorkflowRefused(`Cannot resume - workflow not resumable: ${execution.workflowId}`);
  }
  return own.run;
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

/** What a workflow of the deployment is given; the product's own have read their parameters before. */
async function parametersOf(
  { dependencies, execution, run }: WorkflowRunInput,
  { workflows }: DrivenDeployment,
): Promise<JsonObject> {
  return run ? execution.parameters : beginParameters(dependencies, execution, workflows?.[execution.workflowId]);
}

/** @throws GantryError nonexistent_workflow_error for an execution without a deployment */
function deploymentOf(execution: Execution): number {
  if (execution.deploymentStorageId === undefined) {
    throw new GantryError('nonexistent_workflow_error', `Builtin workflow ${execution.workflowId} does not exist`);
  }
  return execution.deploymentStorageId;
}

/** Nodes and node instances, by id. */
async function loadParts(database: Database, storageId: number): Promise<Pick<Topology, 'nodes' | 'instances'>> {
  const [nodes, instances] = await Promise.all([
    loadNodes(database, storageId),
    loadNodeInstances(database, storageId),
  ]);
  return {
    nodes: new Map(nodes.map((node) => [node.id, node])),
    instances: new Map(instances.map((instance) => [instance.id, instance])),
  };
}

async function loadTopology(database: Database, storageId: number): Promise<Topology> {
  const [parts, scalingGroups] = await Promise.all([
    loadParts(database, storageId),
    loadScalingGroups(database, storageId),
  ]);
  return { ...parts, scalingGroups: new Map(Object.entries(scalingGroups)) };
}
