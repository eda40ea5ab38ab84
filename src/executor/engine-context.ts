import type { Clock, IdGenerator } from '../domain/clock.ts';
import type { Deployment, Execution } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Topology } from '../domain/topology.ts';
import { buildGraph } from '../graph/build.ts';
import { GraphRun } from '../graph/graph-run.ts';
import type { RunSettings } from '../graph/graph-run.ts';
import type { GraphBatch, GraphEnd } from '../graph/batch.ts';
import type { HandlerRegistry } from '../graph/handlers.ts';
import type { Task } from '../graph/task.ts';
import { restoreGraph } from '../graph/restore.ts';
import { begunRows, tasksInGraph } from '../graph/rows.ts';
import type { GraphSettings, TasksGraph } from '../graph/tasks-graph.ts';
import { waitingPlugin } from '../runtime/waits.ts';
import type { Waits } from '../runtime/waits.ts';
import type { Session } from '../store/session.ts';
import { markHeld } from '../store/operation-control.ts';
import { loadOperations } from '../store/operations.ts';
import { findTasksGraphs } from '../store/tasks-graphs.ts';
import type { NewTasksGraph } from '../store/tasks-graphs.ts';
import type {
  ExecutionInfo,
  GraphOptions,
  LogLevel,
  Modifications,
  SystemPropertiesUpdate,
  WorkflowConfig,
  WorkflowContext,
} from '../workflows/context.ts';
import { ExecutionCancelled, WorkflowFailed } from '../workflows/errors.ts';
import { createHandlers } from '../workflows/handlers.ts';
import { emptyPart, executionEvent, executionLog, firstPart } from './changes.ts';
import type { ChangeTarget } from './changes.ts';
import { GraphDriver } from './graph-driver.ts';
import type { GraphReload, LocalTaskRunner, OperationDispatcher } from './graph-driver.ts';
import type { ControlChange, ExecutionGate } from './execution-gate.ts';
import type { ExecutionEnvironments } from './message-environment.ts';
import type { ProgressPart } from './progress-writer.ts';
import type { ReplyInbox } from './reply-inbox.ts';

export interface EngineContextOptions {
  readonly execution: Execution;
  readonly deployment: Pick<Deployment, 'id'>;
  readonly isResume: boolean;
  readonly config: WorkflowConfig;
  readonly topology: Topology;
  readonly readTopology: () => Promise<Topology>;
  readonly signal: AbortSignal;
  readonly session: Session;
  /** Repeats work that only needs the database until the database answers. */
  readonly patiently: <Result>(work: () => Promise<Result>) => Promise<Result>;
  readonly clock: Clock;
  readonly newId: IdGenerator;
  readonly managerName: string;
  readonly environments: ExecutionEnvironments;
  readonly write: (part: ProgressPart) => Promise<void>;
  /** Stores a new graph with what the first step of its run changed. */
  readonly storeGraph: (graph: NewTasksGraph, first: ProgressPart) => Promise<void>;
  readonly inbox: ReplyInbox;
  readonly dispatcher: OperationDispatcher;
  readonly runLocal: LocalTaskRunner;
  readonly gate: ExecutionGate;
  readonly modifications: Modifications;
  /** Counts executions that only wait. */
  readonly waits: Waits;
  readonly runOnServices: (workflowId: string, parameters: JsonObject) => Promise<void>;
}

/** What a workflow function works with: implements its context on store and broker. */
export class EngineContext implements WorkflowContext {
  readonly execution: ExecutionInfo;
  readonly parameters: JsonObject;
  readonly config: WorkflowConfig;
  readonly signal: AbortSignal;
  readonly modifications: Modifications;
  readonly #options: EngineContextOptions;
  readonly #handlers: HandlerRegistry;
  /** Names of the graphs that this process has tried to store. */
  readonly #graphNames = new Set<string>();
  #topology: Topology;
  #driver: GraphDriver | undefined;
  /** Set when this process lets go of the execution. */
  #abandoned: Error | undefined;
  #lastAside: Promise<void> = Promise.resolve();

  constructor(options: EngineContextOptions) {
    const { execution, deployment } = options;
    this.#options = options;
    this.#topology = options.topology;
    this.execution = {
      id: execution.id,
      workflowId: execution.workflowId,
      deploymentId: deployment.id,
      isDryRun: execution.isDryRun,
      isResume: options.isResume,
    };
    this.parameters = execution.parameters;
    this.config = options.config;
    this.signal = options.signal;
    this.modifications = options.modifications;
    this.#handlers = createHandlers(this);
    this.signal.addEventListener('abort', () => this.#driver?.cancel());
  }

  get topology(): Topology {
    return this.#topology;
  }

  now(): number {
    return this.#options.clock.now();
  }

  async refresh(): Promise<void> {
    this.#topology = await this.#options.readTopology();
  }

  /** Ends whatever graph runs, and refuses to run more: another process goes on. */
  abandon(reason: Error): void {
    this.#abandoned = reason;
    this.#driver?.abandon(reason);
  }

  /** Takes in what was decided about the execution or its operations. */
  controlChanged(change: ControlChange): void {
    if (change === 'reload') {
      this.#driver?.reload();
    } else if (change === 'reconsider') {
      this.#driver?.reconsider();
    }
  }

  /** Sends operations again that are under way. */
  messagesLost(): void {
    this.#driver?.sendAgain();
  }

  async hasStoredGraph(name: string): Promise<boolean> {
    const graphs = await findTasksGraphs(this.#options.session, this.#options.execution.id, name);
    return graphs.length > 0;
  }

  async runGraph(name: string, build: (graph: TasksGraph) => void, options: GraphOptions = {}): Promise<void> {
    this.#throwIfOver();
    const { gate, patiently } = this.#options;
    let { reloads } = gate;
    let prepared = await patiently(() => this.#prepare(name, build, options));
    for (;;) {
      this.#throwIfOver();
      const end = await this.#drive(prepared, gate.reloads !== reloads);
      switch (end.status) {
        case 'succeeded':
          return;
        case 'failed':
          throw new WorkflowFailed(end.message);
        case 'cancelled':
          throw new ExecutionCancelled();
        case 'changed':
          reloads = gate.reloads;
          prepared = await patiently(() => this.#readAgain(prepared, options, end.delays));
      }
    }
  }

  #target(tasksGraphId: string | undefined): ChangeTarget {
    const { execution, managerName, environments } = this.#options;
    return { execution, managerName, tasksGraphId, storedEnvironment: environments.stored };
  }

  async #drive({ run, tasksGraphId, first }: PreparedGraph, isOutdated: boolean): Promise<GraphEnd | GraphReload> {
    const { clock, write, dispatcher, runLocal, inbox, waits } = this.#options;
    let end: (() => void) | undefined;
    const onWaiting = (isWaiting: boolean): void => {
      end?.();
      end = isWaiting ? waits.begin() : undefined;
    };
    const target = this.#target(tasksGraphId);
    const onHeld = (tasks: readonly Task[]): void => this.#noteHeld(tasks);
    const driver = new GraphDriver({ run, target, clock, write, dispatcher, runLocal, onHeld, onWaiting });
    this.#driver = driver;
    try {
      const ending = driver.drive(first);
      inbox.attach(driver);
      if (isOutdated) {
        driver.reload();
      }
      return await ending;
    } finally {
      this.#driver = undefined;
      inbox.detach();
    }
  }

  /** The graph as it is stored now; nothing of it was lost, so nothing has to be cleaned up before it goes on. */
  async #readAgain(
    { tasksGraphId }: PreparedGraph,
    options: GraphOptions,
    delays: ReadonlyMap<string, number>,
  ): Promise<PreparedGraph> {
    const { session, gate } = this.#options;
    const rows = tasksGraphId === undefined ? [] : await loadOperations(session, tasksGraphId);
    const { graph, outcomes } = restoreGraph(this.#settings(options), rows);
    const waiting = [...delays].filter(([id]) => !gate.isDueNow(id));
    return { run: this.#run(graph, { outcomes, delays: new Map(waiting) }), tasksGraphId };
  }

  /** Stores since when operations are held back, and tells of breakpoints. */
  #noteHeld(tasks: readonly Task[]): void {
    const { session, execution, managerName, gate } = this.#options;
    markHeld(
      session,
      tasks.map(({ id }) => id),
    )
      .then((ids) => {
        const part = emptyPart(execution);
        for (const task of tasks.filter(({ id }) => ids.includes(id))) {
          if (task.action.kind === 'remote' && gate.isAtBreakpoint(task, this.#topology)) {
            const { operation, instanceId: nodeInstanceId } = task.action.call;
            const message = `Breakpoint reached before ${operation} of ${nodeInstanceId}`;
            const event = { eventType: 'execution_state_change', message, operation, nodeInstanceId };
            part.events.push(executionEvent(execution, managerName, this.now(), event));
          }
        }
        if (part.events.length > 0) {
          this.#writeAside(part);
        }
      })
      .catch(() => undefined);
  }

  log(level: LogLevel, message: string): void {
    const { execution, managerName } = this.#options;
    const part = emptyPart(execution);
    part.events.push(executionLog(execution, managerName, this.now(), level, message));
    this.#writeAside(part);
  }

  sendEvent(eventType: string, message: string): void {
    const { execution, managerName } = this.#options;
    const part = emptyPart(execution);
    part.events.push(executionEvent(execution, managerName, this.now(), { eventType, message }));
    this.#writeAside(part);
  }

  /** Resolves when what was logged so far is stored, which must be before the execution ends. */
  async written(): Promise<void> {
    if (!this.#abandoned) {
      await this.#lastAside;
    }
  }

  async updateSystemProperties(updates: readonly SystemPropertiesUpdate[]): Promise<void> {
    if (updates.length > 0 && !this.execution.isDryRun) {
      const part = emptyPart(this.#options.execution);
      part.properties.push(...updates);
      await this.#options.write(part);
    }
  }

  async runOnServices(workflowId: string, parameters: JsonObject): Promise<void> {
    this.#throwIfOver();
    await this.#options.runOnServices(workflowId, parameters);
  }

  #throwIfOver(): void {
    if (this.#abandoned) {
      throw this.#abandoned;
    }
    if (this.signal.aborted) {
      throw new ExecutionCancelled();
    }
  }

  /** What is written aside of a graph must not fail the workflow; losing the execution shows elsewhere too. */
  #writeAside(part: ProgressPart): void {
    this.#lastAside = this.#options.write(part).catch(() => undefined);
  }

  async #prepare(name: string, build: (graph: TasksGraph) => void, options: GraphOptions): Promise<PreparedGraph> {
    const { session, execution } = this.#options;
    const settings = this.#settings(options);
    const isStored = options.isStored !== false && !execution.isDryRun;
    const [known] = isStored && this.#mayBeStored(name) ? await findTasksGraphs(session, execution.id, name) : [];
    if (known) {
      const { graph, outcomes } = restoreGraph(settings, await loadOperations(session, known.id));
      options.onRestored?.(graph);
      return { run: this.#run(graph, { outcomes }), tasksGraphId: known.id };
    }
    const graph = buildGraph(settings, build);
    if (!isStored || graph.tasks.size === 0) {
      return { run: this.#run(graph), tasksGraphId: undefined };
    }
    return this.#storeNew(name, graph);
  }

  /**
   * Stores a new graph when the first step of its run is known, and both together: its rows need not be changed again
   * at once, and nobody waits for the store twice.
   */
  async #storeNew(name: string, graph: TasksGraph): Promise<PreparedGraph> {
    const { newId, environments, clock, storeGraph } = this.#options;
    const tasksGraphId = newId();
    const tasks = tasksInGraph(graph);
    const run = this.#run(graph);
    const now = clock.now();
    const first = run.start(now);
    const part = firstPart(first, this.#target(tasksGraphId), now);
    const told = part.operations.filter(({ result, error }) => (result ?? error ?? undefined) !== undefined);
    const pending = new Set(told.map(({ id }) => id));
    // made while they are stored: all rows of a large graph at once would be most of its memory
    const operations = { [Symbol.iterator]: () => begunRows(tasks, environments.stored, pending) };
    this.#graphNames.add(name);
    await storeGraph({ id: tasksGraphId, name, operations, size: tasks.length }, { ...part, operations: told });
    return { run, tasksGraphId, first };
  }

  /** The graphs of an execution that nobody drove before are those of this run. */
  #mayBeStored(name: string): boolean {
    return this.#options.isResume || this.#graphNames.has(name);
  }

  #settings(options: GraphOptions): GraphSettings {
    return {
      newId: this.#options.newId,
      taskRetries: options.taskRetries ?? this.config.taskRetries,
      taskRetryInterval: this.config.taskRetryInterval,
      subgraphRetries: this.config.subgraphRetries,
      isDryRun: this.#options.execution.isDryRun,
    };
  }

  #run(graph: TasksGraph, known: Pick<RunSettings, 'outcomes' | 'delays'> = {}): GraphRun {
    const { gate, execution } = this.#options;
    return new GraphRun(graph, {
      handlers: this.#handlers,
      waitAfterFail: execution.waitAfterFail,
      isHeld: (task) => gate.isHeld(task, this.#topology),
      isWaiting: isOfOtherExecutions,
      ...known,
    });
  }
}

/** Whether an operation waits for other executions: those of components and shared resources. */
function isOfOtherExecutions({ action }: Task): boolean {
  return action.kind === 'remote' && action.call.plugin.name === waitingPlugin;
}

/** A graph that is ready to be driven. */
interface PreparedGraph {
  readonly run: GraphRun;
  /** Undefined for a graph that is not stored. */
  readonly tasksGraphId: string | undefined;
  /** The first step of the run, where it is stored with the graph. */
  readonly first?: GraphBatch;
}
