import type { WorkflowContextMessage } from '../amqp/envelopes.ts';
import { writeServiceTask } from '../amqp/envelopes.ts';
import { routingKeys, tenantVhost } from '../amqp/names.ts';
import type { Deployment, Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Plan } from '../domain/plan.ts';
import type { Topology } from '../domain/topology.ts';
import type { Logger } from '../log/logger.ts';
import { getBlueprint } from '../store/blueprints.ts';
import { getDeployment } from '../store/deployments.ts';
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
    const deployment = await readDeployment(input);
    const operation = deployment.workflows?.[execution.workflowId]?.operation ?? '';
    const workflow = findWorkflow(operation);
    if (!workflow) {
      throw new WorkflowRefused(`Workflow ${execution.workflowId} is not one this manager can run (${operation})`);
    }
    if (execution.resume && !workflow.isResumable) {
      throw new WorkflowRefused(`Cannot resume - workflow not resumable: ${execution.workflowId}`);
    }
    const readTopology = (): Promise<Topology> => loadTopology(input, deployment.storageId);
    const blueprint = await getBlueprint(database, { tenantId: deployment.tenantId }, deployment.blueprintId, {
      fields: ['id', 'plan'],
    });
    const environments = executionEnvironments({
      config: dependencies.config,
      execution,
      deployment,
      plan: blueprint.plan,
      plugins: await findManagedPlugins(input, blueprint.plan),
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
      config: await loadWorkflowConfig(database),
      topology: await readTopology(),
      readTopology,
      signal: input.signal,
      session: database,
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

/** The stored plugins behind those a plan names, for what operations are told about them. */
async function findManagedPlugins(
  { dependencies, execution }: WorkflowRunInput,
  plan: Plan | undefined,
): Promise<ManagedPlugin[]> {
  const packages = new Set(
    [
      ...(plan?.deployment_plugins_to_install ?? []),
      ...(plan?.workflow_plugins_to_install ?? []),
      ...(plan?.host_agent_plugins_to_install ?? []),
    ].flatMap((plugin) => plugin.package_name ?? []),
  );
  const found: ManagedPlugin[] = [];
  for (const name of packages) {
    found.push(...(await findPluginVersions(dependencies.database, execution.tenantId, name)));
  }
  return found;
}

async function readDeployment({ dependencies, execution }: WorkflowRunInput): Promise<Deployment> {
  if (execution.deploymentId === undefined) {
    throw new GantryError('nonexistent_workflow_error', `Builtin workflow ${execution.workflowId} does not exist`);
  }
  return getDeployment(dependencies.database, { tenantId: execution.tenantId }, execution.deploymentId);
}

async function loadTopology({ dependencies, execution }: WorkflowRunInput, storageId: number): Promise<Topology> {
  const { database } = dependencies;
  const [nodes, instances, deployment] = await Promise.all([
    loadNodes(database, storageId),
    loadNodeInstances(database, storageId),
    getDeployment(database, { tenantId: execution.tenantId }, execution.deploymentId ?? '', {
      fields: ['id', 'scalingGroups'],
    }),
  ]);
  return {
    nodes: new Map(nodes.map((node) => [node.id, node])),
    instances: new Map(instances.map((instance) => [instance.id, instance])),
    scalingGroups: new Map(Object.entries(deployment.scalingGroups ?? {})),
  };
}
