import type { IdGenerator } from '../../domain/clock.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { NodeInstance, Topology } from '../../domain/topology.ts';
import { buildGraph } from '../../graph/build.ts';
import type { TasksGraph } from '../../graph/tasks-graph.ts';
import { runnableOrder } from '../../graph/traversal.ts';
import type {
  ExecutionInfo,
  GraphOptions,
  LogLevel,
  Modification,
  Modifications,
  WorkflowConfig,
  WorkflowContext,
} from '../context.ts';
import { WorkflowRefused } from '../errors.ts';
import { planGraph } from './planned-graph.ts';
import type { DurationEstimate, PlannedGraph } from './planned-graph.ts';

export interface PlanningOptions {
  readonly deploymentId: string;
  readonly workflowId: string;
  readonly parameters: JsonObject;
  readonly config: WorkflowConfig;
  readonly topology: Topology;
  readonly newId: IdGenerator;
  readonly estimate: DurationEstimate;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Gives up planning. */
  readonly signal: AbortSignal;
}

/**
 * Lets a workflow function build its graphs without running them: every operation counts as succeeded, and later graphs
 * see the states that earlier ones would have set.
 */
export class PlanningContext implements WorkflowContext {
  readonly execution: ExecutionInfo;
  readonly parameters: JsonObject;
  readonly config: WorkflowConfig;
  readonly signal: AbortSignal;
  readonly graphs: PlannedGraph[] = [];
  /** What the workflow would write to its log. */
  readonly messages: { readonly level: LogLevel; readonly message: string }[] = [];
  readonly #options: PlanningOptions;
  readonly #states = new Map<string, string>();
  #topology: Topology;

  constructor(options: PlanningOptions) {
    const { workflowId, deploymentId } = options;
    this.#options = options;
    this.#topology = options.topology;
    this.execution = { id: 'plan', workflowId, deploymentId, isDryRun: true, isResume: false };
    this.parameters = options.parameters;
    this.config = options.config;
    this.signal = options.signal;
  }

  get topology(): Topology {
    return this.#topology;
  }

  get modifications(): Modifications {
    const refuse = (): never => {
      throw new WorkflowRefused('A plan changes nothing');
    };
    return {
      listStarted: async (): Promise<readonly Modification[]> => [],
      start: async () => refuse(),
      finish: async () => refuse(),
      rollback: async () => refuse(),
    };
  }

  now(): number {
    return this.#options.now;
  }

  async refresh(): Promise<void> {
    const instances = new Map<string, NodeInstance>();
    for (const [id, instance] of this.#topology.instances) {
      instances.set(id, { ...instance, state: this.#states.get(id) ?? instance.state });
    }
    this.#topology = { ...this.#topology, instances };
  }

  async runGraph(name: string, build: (graph: TasksGraph) => void, options: GraphOptions = {}): Promise<void> {
    const { newId, estimate } = this.#options;
    const graph = buildGraph(
      {
        newId,
        taskRetries: options.taskRetries ?? this.config.taskRetries,
        taskRetryInterval: this.config.taskRetryInterval,
        subgraphRetries: 0,
        isDryRun: true,
      },
      build,
    );
    this.graphs.push(planGraph(name, graph, estimate));
    for (const { action } of runnableOrder(graph)) {
      if (action.kind === 'set-state') {
        this.#states.set(action.instanceId, action.state);
      }
    }
  }

  async hasStoredGraph(): Promise<boolean> {
    return false;
  }

  log(level: LogLevel, message: string): void {
    this.messages.push({ level, message });
  }

  sendEvent(_eventType: string, message: string): void {
    this.messages.push({ level: 'info', message });
  }

  async updateSystemProperties(): Promise<void> {
    // a plan changes nothing
  }

  async runOnServices(workflowId: string): Promise<void> {
    this.log('info', `Runs ${workflowId} on every deployment that is a service of this one`);
  }
}
