import { interruptedOperation, operationError } from '../../../src/domain/operation-error.ts';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import type { NodeInstance, Topology } from '../../../src/domain/topology.ts';
import { buildGraph } from '../../../src/graph/build.ts';
import type { GraphBatch, GraphChange } from '../../../src/graph/batch.ts';
import { GraphRun } from '../../../src/graph/graph-run.ts';
import type { TaskOutcome } from '../../../src/graph/handlers.ts';
import { restoreGraph } from '../../../src/graph/restore.ts';
import { graphRows, taskRow } from '../../../src/graph/rows.ts';
import type { StoredTask } from '../../../src/graph/rows.ts';
import type { RemoteCall, Task } from '../../../src/graph/task.ts';
import { taskEvent } from '../../../src/graph/task-events.ts';
import type { GraphSettings, TasksGraph } from '../../../src/graph/tasks-graph.ts';
import type {
  GraphOptions,
  LogLevel,
  Modification,
  ModificationRequest,
  SystemPropertiesUpdate,
  WorkflowContext,
  WorkflowFunction,
} from '../../../src/workflows/context.ts';
import { ExecutionCancelled, WorkflowFailed } from '../../../src/workflows/errors.ts';
import { createHandlers } from '../../../src/workflows/handlers.ts';
import { snapshotOf } from './topology-kit.ts';
import type { MutableTopology } from './topology-kit.ts';

/** What an operation answers; `seconds` is how long it takes. */
export interface Answer {
  readonly outcome: TaskOutcome;
  readonly seconds?: number;
}

export type Behaviour = (call: RemoteCall, attempt: number) => Answer | undefined;

export const succeedWith = (result: Json): Answer => ({ outcome: { isSuccess: true, result } });
export const failFinally = (message = 'boom'): Answer => ({
  outcome: { isSuccess: false, error: operationError({ kind: 'NonRecoverableError', message }) },
});
export const failForNow = (message = 'boom', retryAfter?: number): Answer => ({
  outcome: {
    isSuccess: false,
    error: operationError({
      kind: 'RecoverableError',
      message,
      ...(retryAfter === undefined ? {} : { retryAfter }),
    }),
  },
});
export const askForRetry = (message = 'again', retryAfter = 0): Answer => ({
  outcome: { isSuccess: false, error: operationError({ kind: 'OperationRetry', message, retryAfter }) },
});

/** The process that ran the operation died. */
export const dieInTheMiddle = (): Answer => ({ outcome: { isSuccess: false, error: interruptedOperation() } });

/** Thrown by a simulation that was told to die. */
export class Crash extends Error {}

interface Job {
  readonly call: RemoteCall;
  readonly endsAt: number;
  readonly outcome: TaskOutcome;
}

/** What outlives a crash: the store, the workers and the time. */
export class World {
  readonly graphs = new Map<string, Map<string, StoredTask>>();
  readonly jobs = new Map<string, Job>();
  readonly attempts = new Map<string, number>();
  readonly topology: MutableTopology;
  /** Everything visible, in order: `ni: text`, `ni = state`, `ni > operation`, `ni < operation`, `! log`. */
  readonly trace: string[] = [];
  readonly taskEvents: string[] = [];
  readonly operationStarts: { id: string; at: number; call: RemoteCall; kwargs: JsonObject }[] = [];
  readonly logs: string[] = [];
  now = 0;
  #nextId = 0;

  constructor(topology: MutableTopology) {
    this.topology = topology;
  }

  newId = (): string => `task-${(this.#nextId += 1)}`;

  instance(id: string): NodeInstance {
    const instance = this.topology.instances.get(id);
    if (!instance) {
      throw new Error(`no instance ${id}`);
    }
    return instance;
  }

  states(): Record<string, string> {
    return Object.fromEntries([...this.topology.instances.values()].map(({ id, state }) => [id, state]));
  }

  /** The operations that ran, as `instance.operation` with the short operation name, in order of their start. */
  operations(): string[] {
    return this.operationStarts.map(({ call }) => `${call.instanceId}.${call.operation.split('.').at(-1) ?? ''}`);
  }
}

export interface SimulationOptions {
  readonly parameters?: JsonObject;
  readonly behaviour?: Behaviour;
  readonly isDryRun?: boolean;
  readonly isResume?: boolean;
  readonly waitAfterFail?: number;
  readonly taskRetries?: number;
  readonly taskRetryInterval?: number;
  readonly subgraphRetries?: number;
  /** Dies instead of doing its n-th commit. */
  readonly crashAt?: number;
  /** Dies instead of sending its n-th operation. */
  readonly crashAtSend?: number;
  /** Asks for cancellation after this many operations have started. */
  readonly cancelAfter?: number;
  /** Picks one of n operations that end at the same time. */
  readonly pick?: (count: number) => number;
  readonly modifications?: Partial<WorkflowContext['modifications']>;
}

/** An executor in memory, with its own time: runs workflow functions against scripted operations. */
export class Simulation implements WorkflowContext {
  readonly world: World;
  readonly parameters: JsonObject;
  readonly config: WorkflowContext['config'];
  readonly execution: WorkflowContext['execution'];
  readonly modifications: WorkflowContext['modifications'];
  readonly serviceRuns: { workflowId: string; parameters: JsonObject }[] = [];
  readonly graphNames: string[] = [];
  topology: Topology;
  commits = 0;
  sends = 0;
  readonly #options: SimulationOptions;
  readonly #abort = new AbortController();
  #isDead = false;

  constructor(world: World, options: SimulationOptions = {}) {
    this.world = world;
    this.#options = options;
    this.topology = snapshotOf(world.topology);
    this.parameters = options.parameters ?? {};
    this.config = {
      taskRetries: options.taskRetries ?? 0,
      taskRetryInterval: options.taskRetryInterval ?? 15,
      subgraphRetries: options.subgraphRetries ?? 0,
    };
    this.execution = {
      id: 'execution',
      workflowId: 'workflow',
      deploymentId: 'deployment',
      isDryRun: options.isDryRun ?? false,
      isResume: options.isResume ?? false,
    };
    this.modifications = {
      listStarted: async (): Promise<readonly Modification[]> => [],
      start: async (_request: ModificationRequest): Promise<Modification> => {
        throw new Error('no modifications here');
      },
      finish: async (): Promise<void> => undefined,
      rollback: async (): Promise<void> => undefined,
      ...options.modifications,
    };
    this.modifications = this.#untilDead(this.modifications);
  }

  /** A process that died does nothing any more, whatever its code would still do. */
  #untilDead(modifications: WorkflowContext['modifications']): WorkflowContext['modifications'] {
    return {
      listStarted: async () => this.#ifAlive(() => modifications.listStarted()),
      start: async (request) => this.#ifAlive(() => modifications.start(request)),
      finish: async (id) => this.#ifAlive(() => modifications.finish(id)),
      rollback: async (id) => this.#ifAlive(() => modifications.rollback(id)),
    };
  }

  async #ifAlive<Result>(call: () => Promise<Result>): Promise<Result> {
    this.#assertAlive();
    return call();
  }

  #assertAlive(): void {
    if (this.#isDead) {
      throw new Crash('dead already');
    }
  }

  #die(): never {
    this.#isDead = true;
    throw new Crash('killed');
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  now(): number {
    return this.world.now;
  }

  async refresh(): Promise<void> {
    this.#assertAlive();
    this.topology = snapshotOf(this.world.topology);
  }

  async hasStoredGraph(name: string): Promise<boolean> {
    return this.world.graphs.has(name);
  }

  log(level: LogLevel, message: string): void {
    this.world.logs.push(`${level}: ${message}`);
  }

  sendEvent(eventType: string, message: string): void {
    this.world.trace.push(`${eventType}: ${message}`);
  }

  async updateSystemProperties(updates: readonly SystemPropertiesUpdate[]): Promise<void> {
    for (const { instanceId, update } of updates) {
      this.#updateInstance(instanceId, (instance) => ({ systemProperties: update(instance.systemProperties) }));
    }
  }

  async runOnServices(workflowId: string, parameters: JsonObject): Promise<void> {
    this.serviceRuns.push({ workflowId, parameters });
  }

  /** Runs a workflow; answers with the error it ended with, if any. */
  async execute(workflow: WorkflowFunction): Promise<Error | undefined> {
    try {
      await workflow(this);
      return undefined;
    } catch (error) {
      if (error instanceof Crash || !(error instanceof Error)) {
        throw error;
      }
      return error;
    }
  }

  /** Asks for cancellation from outside. */
  cancel(): void {
    this.#abort.abort();
  }

  async runGraph(name: string, build: (graph: TasksGraph) => void, options: GraphOptions = {}): Promise<void> {
    this.#assertAlive();
    if (this.signal.aborted) {
      throw new ExecutionCancelled();
    }
    this.graphNames.push(name);
    const settings: GraphSettings = {
      newId: this.world.newId,
      taskRetries: options.taskRetries ?? this.config.taskRetries,
      taskRetryInterval: this.config.taskRetryInterval,
      subgraphRetries: this.config.subgraphRetries,
      isDryRun: this.execution.isDryRun,
    };
    const rows = this.execution.isDryRun ? undefined : this.world.graphs.get(name);
    const handlers = createHandlers(this);
    const waitAfterFail = this.#options.waitAfterFail ?? 600;
    if (rows) {
      const { graph, outcomes } = restoreGraph(settings, structuredClone([...rows.values()]));
      options.onRestored?.(graph);
      this.#drive(new GraphRun(graph, { handlers, waitAfterFail, outcomes }), rows);
      return;
    }
    const graph = buildGraph(settings, build);
    const stored = new Map<string, StoredTask>();
    if (!this.execution.isDryRun) {
      for (const row of graphRows(graph, messageEnvironment)) {
        stored.set(row.id, structuredClone(row));
      }
      this.world.graphs.set(name, stored);
    }
    this.#drive(new GraphRun(graph, { handlers, waitAfterFail }), stored);
  }

  #drive(run: GraphRun, rows: Map<string, StoredTask>): void {
    const timers = new Map<string, number>();
    const flying = new Map<string, Task>();
    let batch = run.start(this.world.now);
    let deadline: number | undefined;
    for (;;) {
      this.#commit(batch, rows);
      if (batch.ended) {
        this.#end(batch.ended);
        return;
      }
      deadline = batch.deadline ?? deadline;
      batch.delayed.forEach(({ task, dueAt }) => timers.set(task.id, dueAt));
      for (const task of [...batch.ready, ...batch.awaiting]) {
        flying.set(task.id, task);
        this.#send(task, rows);
      }
      batch = this.#isCancelDue() ? run.cancel(this.world.now) : this.#next(run, rows, flying, timers, deadline);
    }
  }

  #isCancelDue(): boolean {
    const { cancelAfter } = this.#options;
    const isDue = cancelAfter !== undefined && this.world.operationStarts.length >= cancelAfter;
    if (isDue) {
      this.#abort.abort();
    }
    return isDue;
  }

  #end(ended: NonNullable<GraphBatch['ended']>): void {
    if (ended.status === 'failed') {
      throw new WorkflowFailed(ended.message);
    }
    if (ended.status === 'cancelled') {
      throw new ExecutionCancelled();
    }
  }

  #send(task: Task, rows: Map<string, StoredTask>): void {
    if (task.action.kind !== 'remote') {
      throw new Error(`cannot send ${task.action.kind}`);
    }
    const { call } = task.action;
    this.sends += 1;
    if (this.#options.crashAtSend === this.sends) {
      this.#die();
    }
    setRow(rows, task.id, { state: 'sent' });
    task.state = 'sent';
    this.#event(task, 'sending', undefined);
    // A worker that has this id already answers from what it knows.
    if (this.world.jobs.has(task.id)) {
      return;
    }
    const key = `${call.instanceId}.${call.operation}.${call.related?.instanceId ?? ''}`;
    const attempt = this.world.attempts.get(key) ?? 0;
    this.world.attempts.set(key, attempt + 1);
    const answer = this.#options.behaviour?.(call, attempt) ?? succeedWith(null);
    this.world.jobs.set(task.id, {
      call,
      outcome: answer.outcome,
      endsAt: this.world.now + (answer.seconds ?? 0) * 1000,
    });
    const row = taskRow(task, messageEnvironment);
    const kwargs = row.parameters['task_kwargs'] as { kwargs: JsonObject };
    this.world.operationStarts.push({ id: task.id, at: this.world.now, call, kwargs: kwargs.kwargs });
    this.world.trace.push(`${call.instanceId} > ${shortName(call)}`);
    this.#event(task, 'started', undefined);
  }

  /** Moves the time to the next thing that happens and lets it happen. */
  #next(
    run: GraphRun,
    rows: Map<string, StoredTask>,
    flying: Map<string, Task>,
    timers: Map<string, number>,
    deadline: number | undefined,
  ): GraphBatch {
    const ends = [...flying.keys()].map((id) => ({ id, at: this.world.jobs.get(id)?.endsAt ?? 0 }));
    const moments = [...ends.map(({ at }) => at), ...timers.values(), ...(deadline === undefined ? [] : [deadline])];
    if (moments.length === 0) {
      throw new Error('the simulation hangs: nothing is left to happen');
    }
    this.world.now = Math.max(this.world.now, Math.min(...moments));
    const ended = ends.filter(({ at }) => at <= this.world.now);
    if (ended.length > 0) {
      const { id } = ended[this.#options.pick?.(ended.length) ?? 0] as { id: string };
      const { outcome, call } = this.world.jobs.get(id) as Job;
      flying.delete(id);
      setRow(rows, id, {
        state: 'response-sent',
        ...(outcome.isSuccess
          ? { result: outcome.result ?? null }
          : { error: structuredClone(outcome.error) as unknown as Json }),
      });
      this.world.trace.push(`${call.instanceId} < ${shortName(call)}`);
      return run.complete([{ taskId: id, outcome }], this.world.now);
    }
    const due = [...timers].filter(([, at]) => at <= this.world.now).map(([id]) => id);
    if (due.length > 0) {
      due.forEach((id) => timers.delete(id));
      return run.release(due, this.world.now);
    }
    return run.deadlineReached(this.world.now);
  }

  #commit(batch: GraphBatch, rows: Map<string, StoredTask>): void {
    this.commits += 1;
    if (this.#options.crashAt === this.commits) {
      this.#die();
    }
    batch.changes.forEach((change) => this.#apply(change, rows));
  }

  #apply(change: GraphChange, rows: Map<string, StoredTask>): void {
    const { trace } = this.world;
    switch (change.kind) {
      case 'task-added':
        rows.set(change.task.id, structuredClone(taskRow(change.task, messageEnvironment)));
        return;
      case 'task-state':
        setRow(rows, change.task.id, {
          state: change.state,
          ...(change.error ? { error: structuredClone(change.error) as unknown as Json } : {}),
        });
        this.#event(change.task, change.state, change);
        return;
      case 'instance-state':
        trace.push(`${change.instanceId} = ${change.state}`);
        this.#updateInstance(change.instanceId, (instance) => ({
          state: change.state,
          systemProperties: withStateEffects(instance.systemProperties, change.state),
        }));
        return;
      case 'node-event':
        trace.push(`${change.instanceId}: ${change.message}`);
        return;
      case 'workflow-event':
        trace.push(`${change.eventType}: ${change.message}`);
        return;
      case 'log':
        this.log(change.level, change.message);
        return;
      case 'system-properties':
        this.#updateInstance(change.instanceId, (instance) => ({
          systemProperties: change.update(structuredClone(instance.systemProperties)),
        }));
        return;
    }
  }

  #event(task: Task, state: Task['state'], change: Extract<GraphChange, { kind: 'task-state' }> | undefined): void {
    if (task.isSilent) {
      return;
    }
    const event = taskEvent({
      name: task.name,
      isSubgraph: task.action.kind === 'subgraph',
      state,
      currentRetries: task.currentRetries,
      totalRetries: task.policy.totalRetries,
      isDryRun: this.execution.isDryRun,
      result: change?.result,
      error: change?.error?.message,
    });
    if (event) {
      this.world.taskEvents.push(event.message);
    }
  }

  #updateInstance(id: string, change: (instance: NodeInstance) => Partial<NodeInstance>): void {
    const instance = this.world.topology.instances.get(id);
    if (instance) {
      this.world.topology.instances.set(id, { ...instance, ...change(instance) });
    }
  }
}

const messageEnvironment = {
  common: { execution_id: 'execution', deployment_id: 'deployment' },
  plugin: (plugin: { name: string }): JsonObject => ({ ...plugin }),
};

function setRow(rows: Map<string, StoredTask>, id: string, fields: Partial<StoredTask>): void {
  const row = rows.get(id);
  if (row) {
    rows.set(id, { ...row, ...fields });
  }
}

function shortName(call: RemoteCall): string {
  return call.operation.split('.').at(-1) ?? call.operation;
}

/** What the manager writes besides the state. */
function withStateEffects(properties: JsonObject, state: string): JsonObject {
  const fresh = { ok: true, result: null, task: null };
  if (state === 'configured') {
    return { ...properties, configuration_drift: fresh };
  }
  return state === 'started' ? { ...properties, previous_status: null, status: fresh } : properties;
}

function isTransient({ parameters: { info } }: StoredTask): boolean {
  return typeof info === 'object' && info !== null && !Array.isArray(info) && info['transient'] === true;
}

/** Resets what a resume of a failed or cancelled execution resets. */
export function resetForResume(world: World): void {
  for (const rows of world.graphs.values()) {
    const retried = new Set([...rows.values()].map((row) => row.parameters['retried_task']));
    const transient = new Set<unknown>([...rows.values()].filter(isTransient).map(({ id }) => id));
    const isOfCleanup = (row: StoredTask): boolean =>
      transient.has(row.id) || transient.has(row.parameters['containing_subgraph']);
    for (const row of rows.values()) {
      if ((row.state === 'failed' || row.state === 'rescheduled') && !retried.has(row.id) && !isOfCleanup(row)) {
        rows.set(row.id, { ...row, state: 'pending', parameters: { ...row.parameters, current_retries: 0 } });
        world.jobs.delete(row.id);
      }
    }
  }
}
