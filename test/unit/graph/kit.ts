import { operationError } from '../../../src/domain/operation-error.ts';
import type { OperationErrorObject } from '../../../src/domain/operation-error.ts';
import type { Json } from '../../../src/domain/plan.ts';
import type { GraphBatch, GraphEnd } from '../../../src/graph/batch.ts';
import { buildGraph } from '../../../src/graph/build.ts';
import { GraphRun } from '../../../src/graph/graph-run.ts';
import type { HandlerRegistry, TaskOutcome } from '../../../src/graph/handlers.ts';
import type { RemoteCall, Task } from '../../../src/graph/task.ts';
import type { GraphSettings, TaskOptions, TasksGraph } from '../../../src/graph/tasks-graph.ts';

export function settingsOf(overrides: Partial<GraphSettings> = {}): GraphSettings {
  let next = 0;
  return {
    newId: () => `id-${(next += 1)}`,
    taskRetries: 2,
    taskRetryInterval: 10,
    subgraphRetries: 0,
    isDryRun: false,
    ...overrides,
  };
}

export function callOf(name: string, overrides: Partial<RemoteCall> = {}): RemoteCall {
  return {
    taskName: `plugin.${name}`,
    operation: `interface.${name}`,
    instanceId: 'node_abc123',
    nodeId: 'node',
    hostId: undefined,
    plugin: { name: 'plugin', package_name: null, package_version: null, source: null },
    executor: 'central_deployment_agent',
    inputs: {},
    hasIntrinsicFunctions: false,
    timeout: null,
    isTimeoutRecoverable: null,
    related: undefined,
    ...overrides,
  };
}

export const ok = (result?: Json): TaskOutcome =>
  result === undefined ? { isSuccess: true } : { isSuccess: true, result };
export const failure = (error: OperationErrorObject): TaskOutcome => ({ isSuccess: false, error });
export const nonRecoverable = (message = 'no way'): TaskOutcome =>
  failure(operationError({ kind: 'NonRecoverableError', message }));
export const recoverable = (message = 'not yet', retryAfter?: number): TaskOutcome =>
  failure(operationError({ kind: 'RecoverableError', message, ...(retryAfter === undefined ? {} : { retryAfter }) }));
export const retryAsked = (retryAfter?: number): TaskOutcome =>
  failure(
    operationError({ kind: 'OperationRetry', message: 'again', ...(retryAfter === undefined ? {} : { retryAfter }) }),
  );

/** A graph of operations named by single words, run by hand. */
export class Bench {
  readonly graph: TasksGraph;
  readonly run: GraphRun;
  readonly batches: GraphBatch[] = [];
  /** Names of everything that was handed out, in order. */
  readonly started: string[] = [];
  readonly #open = new Map<string, Task>();
  now = 0;

  constructor(
    build: (graph: TasksGraph, task: (name: string, options?: TaskOptions) => Task) => void,
    options: { settings?: Partial<GraphSettings>; handlers?: HandlerRegistry; waitAfterFail?: number } = {},
  ) {
    this.graph = buildGraph(settingsOf(options.settings), (graph) =>
      build(graph, (name, taskOptions) => graph.remote(callOf(name), taskOptions)),
    );
    this.run = new GraphRun(this.graph, {
      handlers: options.handlers ?? new Map(),
      waitAfterFail: options.waitAfterFail ?? 600,
    });
  }

  start(): this {
    return this.#take(this.run.start(this.now));
  }

  /** Ends tasks that were handed out, by name. */
  end(outcome: TaskOutcome, ...names: string[]): this {
    const tasks = names.map((name) => {
      const task = this.#open.get(name);
      if (!task) {
        throw new Error(`${name} was not started`);
      }
      this.#open.delete(name);
      return task;
    });
    return this.#take(
      this.run.complete(
        tasks.map(({ id }) => ({ taskId: id, outcome })),
        this.now,
      ),
    );
  }

  /** Moves the time on and releases what became due. */
  wait(seconds: number): this {
    this.now += seconds * 1000;
    const due = this.batches.flatMap(({ delayed }) => delayed).filter(({ dueAt }) => dueAt <= this.now);
    return this.#take(
      this.run.release(
        due.map(({ task }) => task.id),
        this.now,
      ),
    );
  }

  take(batch: GraphBatch): this {
    return this.#take(batch);
  }

  get last(): GraphBatch {
    return this.batches.at(-1) as GraphBatch;
  }

  get ended(): GraphEnd | undefined {
    return this.last.ended;
  }

  /** Names of tasks that are handed out and not ended. */
  get running(): string[] {
    return [...this.#open.keys()];
  }

  /** State changes so far, as `name state`. */
  get states(): string[] {
    return this.batches
      .flatMap(({ changes }) => changes)
      .flatMap((change) => (change.kind === 'task-state' ? `${nameOf(change.task)} ${change.state}` : []));
  }

  #take(batch: GraphBatch): this {
    this.batches.push(batch);
    for (const task of batch.ready) {
      this.#open.set(nameOf(task), task);
      this.started.push(nameOf(task));
    }
    return this;
  }
}

function nameOf(task: Task): string {
  return task.name.replace(/^plugin\./, '');
}
