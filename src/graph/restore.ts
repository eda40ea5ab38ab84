import { operationError } from '../domain/operation-error.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import { isOperationTerminal } from '../domain/states.ts';
import { GraphError } from './errors.ts';
import type { TaskOutcome } from './handlers.ts';
import { parseOperationKwargs } from './operation-message.ts';
import { parseStoredError, storedTypes } from './rows.ts';
import type { StoredTask } from './rows.ts';
import { emptyContents, Task } from './task.ts';
import type { HandlerReference, TaskAction, TaskKind } from './task.ts';
import { TasksGraph } from './tasks-graph.ts';
import type { GraphSettings } from './tasks-graph.ts';

export interface RestoredGraph {
  readonly graph: TasksGraph;
  /** Outcomes that are stored but were not acted on to the end; give them to `GraphRun`. */
  readonly outcomes: ReadonlyMap<string, TaskOutcome>;
}

/**
 * Builds a graph from its stored rows so that it goes on where it was left.
 *
 * Ended tasks are left out, and what waited for them goes on; what waited for a task that was tried again waits for
 * the last attempt. Subgraphs around live tasks are live. Failed tasks that were not tried again stay in the graph with
 * their outcome, so that their failure has the same consequences as before. Answers that were stored but not handled
 * become outcomes as well. A subgraph that was put before another one after the graph was stored (`transientInfo`) goes
 * on when it is whole and had not ended; otherwise whoever restores the graph makes another one.
 *
 * Compatibility: Cloudify 7 resume rules; the content of a subgraph that was replaced never runs again.
 *
 * @throws GraphError when a row cannot be understood
 */
export function restoreGraph(settings: GraphSettings, rows: readonly StoredTask[]): RestoredGraph {
  return new Restoration(settings, rows).run();
}

const kindsByType = new Map<string, TaskKind>(
  Object.entries(storedTypes).map(([kind, type]) => [type, kind as TaskKind]),
);

class Restoration {
  readonly #graph: TasksGraph;
  readonly #rows = new Map<string, StoredTask>();
  /** Id of a task -> id of its next attempt. */
  readonly #retries = new Map<string, string>();
  readonly #outcomes = new Map<string, TaskOutcome>();
  readonly #deadSubgraphs = new Map<string, boolean>();
  /** Id of a subgraph -> how many rows name it as theirs. */
  readonly #contents = new Map<string, number>();

  constructor(settings: GraphSettings, rows: readonly StoredTask[]) {
    this.#graph = new TasksGraph(settings);
    for (const row of rows) {
      this.#rows.set(row.id, row);
      const retried = textField(row.parameters, 'retried_task');
      if (retried !== undefined) {
        this.#retries.set(retried, row.id);
      }
      const container = textField(row.parameters, 'containing_subgraph');
      if (container !== undefined) {
        this.#contents.set(container, (this.#contents.get(container) ?? 0) + 1);
      }
    }
  }

  run(): RestoredGraph {
    for (const row of this.#rows.values()) {
      if (row.type !== storedTypes.subgraph && this.#isLive(row)) {
        this.#restoreTask(row);
      }
    }
    for (const row of this.#rows.values()) {
      if (row.type === storedTypes.subgraph && row.state !== 'succeeded' && this.#isLive(row)) {
        this.#restoreSubgraph(row);
      }
    }
    for (const task of this.#graph.tasks.values()) {
      this.#restoreDependencies(task);
      this.#putBefore(task);
    }
    const graph = this.#graph;
    graph.onAdded = (task) => graph.unstored.push(task);
    return { graph, outcomes: this.#outcomes };
  }

  /** Whether something is still to be done about a task. */
  #isLive(row: StoredTask): boolean {
    return (
      row.state !== 'succeeded' && !this.#retries.has(row.id) && !this.#isSpent(row) && !this.#isInDeadSubgraph(row)
    );
  }

  /** Whether a transient subgraph has ended, or was not stored to its end: then another one is made where it is needed. */
  #isSpent(row: StoredTask): boolean {
    const info = transientInfoOf(row);
    if (!info) {
      return false;
    }
    return isOperationTerminal(row.state) || (this.#contents.get(row.id) ?? 0) < info.size;
  }

  /** Whether a subgraph around the task was replaced by another attempt, or is a transient one that is spent. */
  #isInDeadSubgraph(row: StoredTask): boolean {
    const containerId = textField(row.parameters, 'containing_subgraph');
    const container = containerId === undefined ? undefined : this.#rows.get(containerId);
    if (!container) {
      return false;
    }
    let isDead = this.#deadSubgraphs.get(container.id);
    if (isDead === undefined) {
      isDead = this.#retries.has(container.id) || this.#isSpent(container) || this.#isInDeadSubgraph(container);
      this.#deadSubgraphs.set(container.id, isDead);
    }
    return isDead;
  }

  #restoreTask(row: StoredTask): void {
    const task = this.#makeTask(row, actionOf(row));
    const outcome = storedOutcome(row);
    if (outcome) {
      this.#outcomes.set(row.id, outcome);
    }
    this.#graph.add(task, this.#containerOf(row));
  }

  #restoreSubgraph(row: StoredTask): Task {
    const existing = this.#graph.tasks.get(row.id);
    if (existing) {
      return existing;
    }
    const task = this.#makeTask(row, { kind: 'subgraph' });
    task.contents = emptyContents();
    return this.#graph.add(task, this.#containerOf(row));
  }

  #containerOf(row: StoredTask): Task | undefined {
    const containerId = textField(row.parameters, 'containing_subgraph');
    const container = containerId === undefined ? undefined : this.#rows.get(containerId);
    return container && this.#restoreSubgraph(container);
  }

  #makeTask(row: StoredTask, action: TaskAction): Task {
    const { parameters } = row;
    return new Task({
      id: row.id,
      name: row.name ?? row.type,
      action,
      policy: this.#graph.policy(
        numberField(parameters, 'total_retries') ?? null,
        numberField(parameters, 'retry_interval') ?? null,
      ),
      // A subgraph that had ended is open again when something inside it is to run.
      state: action.kind === 'subgraph' && row.state === 'succeeded' ? 'started' : row.state,
      currentRetries: numberField(parameters, 'current_retries') ?? 0,
      retriedTaskId: textField(parameters, 'retried_task'),
      isSilent: parameters['send_task_events'] === false,
      onSuccess: handlerOf(parameters['on_success']),
      onFailure: handlerOf(parameters['on_failure']),
      info: parameters['info'] ?? undefined,
    });
  }

  #restoreDependencies(task: Task): void {
    for (const id of this.#rows.get(task.id)?.dependencies ?? []) {
      const live = this.#graph.tasks.get(this.#lastAttempt(id)) ?? this.#replacementOf(id);
      // A subgraph is never restored as a dependency of its own content.
      if (live && !isWithin(task, live)) {
        this.#graph.addDependency(task, live);
      }
    }
  }

  /** The row of what waits for a transient subgraph was stored before there was one. */
  #putBefore(task: Task): void {
    const row = this.#rows.get(task.id);
    const before = row && transientInfoOf(row)?.before;
    const waiting = before === undefined ? undefined : this.#graph.tasks.get(this.#lastAttempt(before));
    if (waiting) {
      this.#graph.addDependency(waiting, task);
    }
  }

  /** What stands for a task that never ran because the subgraph around it was replaced. */
  #replacementOf(id: string): Task | undefined {
    const row = this.#rows.get(this.#lastAttempt(id));
    if (!row || row.state === 'succeeded') {
      return undefined;
    }
    const containerId = textField(row.parameters, 'containing_subgraph');
    if (containerId === undefined) {
      return undefined;
    }
    const isReplaced = this.#retries.has(containerId);
    return isReplaced ? this.#graph.tasks.get(this.#lastAttempt(containerId)) : this.#replacementOf(containerId);
  }

  #lastAttempt(id: string): string {
    let last = id;
    for (let next = this.#retries.get(last); next !== undefined; next = this.#retries.get(last)) {
      last = next;
    }
    return last;
  }
}

/** What marks a subgraph that is put before another one when a graph is taken up again. */
export interface TransientInfo {
  readonly transient: true;
  /** Id of the task that waits for it. */
  readonly before: string;
  /** How many tasks are in it: it may have been stored in parts. */
  readonly size: number;
}

/** Marks a subgraph that holds all it ever will. @param before the task that waits for it, which is stored already */
export function transientInfo(subgraph: Task, before: Task): TransientInfo {
  return { transient: true, before: before.id, size: subgraph.contents?.tasks.size ?? 0 };
}

function transientInfoOf(row: StoredTask): TransientInfo | undefined {
  const info = objectField(row.parameters, 'info');
  if (info['transient'] !== true) {
    return undefined;
  }
  // what does not say what it stands before, or how much it holds, cannot be gone on with
  const { before, size } = info;
  return {
    transient: true,
    before: typeof before === 'string' ? before : '',
    size: typeof size === 'number' ? size : Infinity,
  };
}

function isWithin(task: Task, subgraph: Task): boolean {
  for (let container = task.container; container; container = container.container) {
    if (container === subgraph) {
      return true;
    }
  }
  return false;
}

/** What is known about the end of a task: a decision, a stored answer, or a final state that is not a success. */
function storedOutcome(row: StoredTask): TaskOutcome | undefined {
  const { decision } = row;
  if ((decision?.action === 'skip' || decision?.action === 'done') && !isOperationTerminal(row.state)) {
    return { isSuccess: true, result: decision.result ?? null };
  }
  if (row.state === 'failed' || row.state === 'rescheduled') {
    const error = parseStoredError(row.error) ?? unknownError(row);
    const kind = row.state === 'rescheduled' ? 'OperationRetry' : error.known_exception_type;
    return { isSuccess: false, error: { ...error, known_exception_type: kind } };
  }
  if (row.state !== 'response-sent') {
    return undefined;
  }
  const error = parseStoredError(row.error);
  if (error) {
    return { isSuccess: false, error };
  }
  return row.result === undefined ? undefined : { isSuccess: true, result: row.result };
}

function unknownError(row: StoredTask): ReturnType<typeof operationError> {
  const message = typeof row.error === 'string' ? row.error : 'the error was not stored';
  return operationError({ kind: 'NonRecoverableError', message });
}

function actionOf(row: StoredTask): TaskAction {
  const kwargs = objectField(row.parameters, 'task_kwargs');
  const kind = kindsByType.get(row.type);
  switch (kind) {
    case 'remote':
      return { kind, call: parseOperationKwargs(objectField(kwargs, 'kwargs')) };
    case 'local':
      return { kind, handler: textField(kwargs, 'name') ?? '', data: objectField(kwargs, 'arguments') };
    case 'set-state':
      return {
        kind,
        instanceId: textField(kwargs, 'node_instance_id') ?? '',
        state: textField(kwargs, 'state') ?? '',
      };
    case 'node-event':
      return {
        kind,
        instanceId: textField(kwargs, 'node_instance_id') ?? '',
        message: textField(kwargs, 'event') ?? '',
      };
    case 'workflow-event':
      return {
        kind,
        message: textField(kwargs, 'event') ?? '',
        eventType: textField(kwargs, 'event_type') ?? 'workflow_stage',
      };
    case 'no-op':
    case 'subgraph':
      return { kind };
    case undefined:
      throw new GraphError(`Stored task '${row.name ?? ''}' (${row.id}) has the unknown type '${row.type}'`);
  }
}

function handlerOf(value: Json | undefined): HandlerReference | undefined {
  return isObject(value) && typeof value['path'] === 'string' ? { ...value, path: value['path'] } : undefined;
}

function objectField(container: JsonObject, field: string): JsonObject {
  const value = container[field];
  return isObject(value) ? value : {};
}

function textField(container: JsonObject, field: string): string | undefined {
  const value = container[field];
  return typeof value === 'string' ? value : undefined;
}

function numberField(container: JsonObject, field: string): number | undefined {
  const value = container[field];
  return typeof value === 'number' ? value : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
