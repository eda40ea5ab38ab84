import type { OperationErrorObject } from '../domain/operation-error.ts';
import type { OperationState } from '../domain/states.ts';
import type { DelayedTask, GraphBatch, GraphChange, GraphEnd } from './batch.ts';
import { decide, isExplicitRetry } from './decision.ts';
import type { Decision } from './decision.ts';
import { describeFailures } from './failure-text.ts';
import type { HandlerRegistry, TaskOutcome } from './handlers.ts';
import { Task } from './task.ts';
import type { TaskFailure } from './task.ts';
import type { TasksGraph } from './tasks-graph.ts';

export interface RunSettings {
  readonly handlers: HandlerRegistry;
  /** Seconds to go on with unrelated work after the first failure. */
  readonly waitAfterFail: number;
  /** Outcomes known from the store, by task id; see `restoreGraph`. */
  readonly outcomes?: ReadonlyMap<string, TaskOutcome>;
  /** Whether an operation is to be held back although it could start. */
  readonly isHeld?: (task: Task) => boolean;
  /** Whether an operation does nothing, while it is under way, but wait for other executions. */
  readonly isWaiting?: (task: Task) => boolean;
  /** When tasks may start that wait for their next attempt, by id; milliseconds since the epoch. */
  readonly delays?: ReadonlyMap<string, number>;
}

export interface Completion {
  readonly taskId: string;
  readonly outcome: TaskOutcome;
}

const success: TaskOutcome = { isSuccess: true };

/**
 * Runs a tasks graph: tells what to start, takes in how tasks ended, and decides what follows. It neither waits nor
 * performs: every method answers with a batch of changes to commit and of tasks to start.
 *
 * Set-state, event and no-op tasks and subgraphs are completed here; their effects are among the changes. The cost of
 * an event is that of the tasks it releases.
 *
 * Compatibility: Cloudify 7 tasks graph, including retries, subgraph failures and `wait_after_fail`.
 */
export class GraphRun {
  readonly #graph: TasksGraph;
  readonly #settings: RunSettings;
  readonly #inFlight = new Map<string, Task>();
  readonly #delayed = new Map<string, Task>();
  readonly #held = new Map<string, Task>();
  /** How many of those in flight only wait for other executions. */
  #waitingCount = 0;
  readonly #failures: TaskFailure[] = [];
  #queue: Task[] = [];
  #deadline: number | undefined;
  #isCancelled = false;
  #ended: GraphEnd | undefined;
  #changes: GraphChange[] = [];
  #ready: Task[] = [];
  #awaiting: Task[] = [];
  #newlyDelayed: DelayedTask[] = [];
  #newlyHeld: Task[] = [];

  constructor(graph: TasksGraph, settings: RunSettings) {
    this.#graph = graph;
    this.#settings = settings;
  }

  /**
   * Starts everything that waits for nothing.
   *
   * @param now - milliseconds since the epoch, here and below
   */
  start(now: number): GraphBatch {
    for (const task of this.#graph.tasks.values()) {
      if (task.waitingFor === 0) {
        this.#startOrDelay(task, now);
      }
    }
    for (const task of this.#graph.unstored.splice(0)) {
      this.#changes.push({ kind: 'task-added', task });
    }
    this.#graph.onAdded = (task) => this.#changes.push({ kind: 'task-added', task });
    return this.#step(now);
  }

  #startOrDelay(task: Task, now: number): void {
    const dueAt = this.#settings.delays?.get(task.id);
    if (dueAt !== undefined && dueAt > now) {
      this.#delayed.set(task.id, task);
      this.#newlyDelayed.push({ task, dueAt });
    } else {
      this.#queue.push(task);
    }
  }

  /** Starts operations that were held back and are not to be any more. */
  reconsider(now: number): GraphBatch {
    for (const task of this.#held.values()) {
      if (!this.#settings.isHeld?.(task)) {
        this.#held.delete(task.id);
        this.#queue.push(task);
      }
    }
    return this.#step(now);
  }

  /** Takes in how remote and local tasks ended; unknown and repeated ids are ignored. */
  complete(completions: readonly Completion[], now: number): GraphBatch {
    for (const { taskId, outcome } of completions) {
      const task = this.#inFlight.get(taskId);
      if (task && !this.#ended) {
        this.#inFlight.delete(taskId);
        this.#waitingCount -= this.#weigh(task);
        this.#conclude(task, outcome, now);
      }
    }
    return this.#step(now);
  }

  /** Starts delayed tasks whose time has come. */
  release(taskIds: readonly string[], now: number): GraphBatch {
    for (const taskId of taskIds) {
      const task = this.#delayed.get(taskId);
      if (task) {
        this.#delayed.delete(taskId);
        this.#queue.push(task);
      }
    }
    return this.#step(now);
  }

  /** Ends the run if the time to go on after the first failure is over. */
  deadlineReached(now: number): GraphBatch {
    return this.#step(now);
  }

  /** Ends the run; work in flight is left alone. */
  cancel(now: number): GraphBatch {
    this.#isCancelled = true;
    return this.#step(now);
  }

  /** The task with this id that is waited for at the moment. */
  find(taskId: string): Task | undefined {
    return this.#inFlight.get(taskId);
  }

  /** Remote and local tasks that were handed out and have not ended. */
  inFlight(): Task[] {
    return [...this.#inFlight.values()];
  }

  /** Number of remote and local tasks that were handed out and have not ended. */
  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  /**
   * Whether nothing happens here before other executions have ended, or somebody has decided about operations that are held
   * back.
   */
  get isOnlyWaiting(): boolean {
    const isIdle = this.#delayed.size === 0 && this.#inFlight.size === this.#waitingCount;
    return isIdle && !this.#ended && this.#inFlight.size + this.#held.size > 0;
  }

  #weigh(task: Task): number {
    return this.#settings.isWaiting?.(task) ? 1 : 0;
  }

  #step(now: number): GraphBatch {
    this.#ended ??= this.#endBeforeWork(now);
    if (!this.#ended) {
      this.#drain(now);
      this.#ended = this.#endBeforeWork(now) ?? this.#endAfterWork();
    }
    const batch: GraphBatch = {
      changes: this.#changes,
      ready: this.#ended ? [] : this.#ready,
      awaiting: this.#ended ? [] : this.#awaiting,
      delayed: this.#ended ? [] : this.#newlyDelayed,
      held: this.#ended ? [] : this.#newlyHeld,
      deadline: this.#ended ? undefined : this.#deadline,
      ended: this.#ended,
    };
    this.#changes = [];
    this.#ready = [];
    this.#awaiting = [];
    this.#newlyDelayed = [];
    this.#newlyHeld = [];
    return batch;
  }

  /** Cancellation and the end of `wait_after_fail` stop the run whatever is left. */
  #endBeforeWork(now: number): GraphEnd | undefined {
    if (this.#deadline !== undefined && (this.#isCancelled || now >= this.#deadline)) {
      return this.#failed();
    }
    return this.#isCancelled ? { status: 'cancelled' } : undefined;
  }

  #endAfterWork(): GraphEnd | undefined {
    if (this.#inFlight.size > 0 || this.#delayed.size > 0 || this.#held.size > 0) {
      return undefined;
    }
    if (this.#failures.length > 0) {
      return this.#failed();
    }
    if (this.#graph.tasks.size === 0) {
      return { status: 'succeeded' };
    }
    const names = [...this.#graph.tasks.values()].slice(0, 3).map((task) => `'${task.name}'`);
    return { status: 'failed', message: `The tasks graph is stuck: nothing can start ${names.join(', ')}` };
  }

  #failed(): GraphEnd {
    return { status: 'failed', message: describeFailures(this.#failures) };
  }

  #drain(now: number): void {
    for (let position = 0; position < this.#queue.length; position += 1) {
      const task = this.#queue[position] as Task;
      if (!task.isRemoved && !task.isBlocked) {
        this.#startTask(task, now);
      }
    }
    this.#queue = [];
  }

  #startTask(task: Task, now: number): void {
    const { action } = task;
    switch (action.kind) {
      case 'subgraph':
        this.#openSubgraph(task, now);
        return;
      case 'remote':
      case 'local':
        this.#dispatch(task, now);
        return;
      case 'set-state':
        if (!this.#graph.settings.isDryRun) {
          this.#graph.instanceStates.set(action.instanceId, action.state);
          this.#changes.push({ kind: 'instance-state', task, instanceId: action.instanceId, state: action.state });
        }
        break;
      case 'node-event':
        this.#changes.push({ kind: 'node-event', instanceId: action.instanceId, message: action.message });
        break;
      case 'workflow-event':
        this.#changes.push({ ...action, kind: 'workflow-event' });
        break;
      case 'no-op':
        break;
    }
    this.#conclude(task, success, now);
  }

  #dispatch(task: Task, now: number): void {
    const known = this.#settings.outcomes?.get(task.id);
    if (known) {
      this.#conclude(task, known, now);
    } else if (this.#graph.settings.isDryRun) {
      this.#conclude(task, success, now);
    } else if (!isHandedOver(task) && this.#settings.isHeld?.(task)) {
      this.#held.set(task.id, task);
      this.#newlyHeld.push(task);
    } else {
      this.#inFlight.set(task.id, task);
      this.#waitingCount += this.#weigh(task);
      (isHandedOver(task) ? this.#awaiting : this.#ready).push(task);
    }
  }

  #openSubgraph(task: Task, now: number): void {
    const { contents } = task;
    if (!contents || contents.tasks.size === 0) {
      this.#conclude(task, task.state === 'failed' ? failedWith({ task, error: undefined }) : success, now);
      return;
    }
    if (task.state === 'pending') {
      this.#setState(task, 'started');
    }
    contents.isOpen = true;
    contents.tasks.forEach((content) => this.#unblock(content));
  }

  /** One thing a task waited for has ended. */
  #unblock(task: Task): void {
    task.waitingFor -= 1;
    if (task.waitingFor === 0) {
      this.#queue.push(task);
    }
  }

  #setState(task: Task, state: OperationState, outcome: TaskOutcome = success): void {
    task.state = state;
    this.#changes.push(
      outcome.isSuccess
        ? { kind: 'task-state', task, state, result: outcome.result }
        : { kind: 'task-state', task, state, error: outcome.error },
    );
  }

  #conclude(task: Task, outcome: TaskOutcome, now: number): void {
    const state = finalState(task, outcome);
    // A restored task may have been concluded before: its row and its effects are stored already.
    const isReplay = task.state === state;
    if (!isReplay) {
      this.#setState(task, state, outcome);
    }
    if (task.isRemoved) {
      return;
    }
    const decision = decide({ graph: this.#graph, task, outcome, handlers: this.#settings.handlers, now });
    if (!isReplay && decision.effects) {
      this.#changes.push(...decision.effects);
    }
    this.#carryOut(task, decision, outcome, now);
  }

  #carryOut(task: Task, decision: Decision, outcome: TaskOutcome, now: number): void {
    switch (decision.action) {
      case 'continue':
      case 'ignore':
        this.#finish(task, now);
        return;
      case 'retry':
        this.#retry(task, decision, now);
        return;
      case 'fail':
        this.#fail(task, failureOf(task, outcome), now);
        return;
    }
  }

  #finish(task: Task, now: number): void {
    this.#graph.tasks.delete(task.id);
    task.dependencies = undefined;
    task.dependents?.forEach((dependent) => this.#unblock(dependent));
    task.dependents = undefined;
    const container = task.container;
    if (container?.contents?.tasks.delete(task) && container.contents.tasks.size === 0) {
      this.#conclude(container, success, now);
    }
  }

  #fail(task: Task, failure: TaskFailure, now: number): void {
    const container = task.container;
    if (container?.contents) {
      container.contents.failure ??= failure;
      this.#clear(container);
      this.#conclude(container, failedWith(container.contents.failure), now);
      return;
    }
    this.#graph.tasks.delete(task.id);
    task.dependents?.forEach((dependent) => (dependent.isBlocked = true));
    this.#failures.push(failure);
    this.#deadline ??= now + this.#settings.waitAfterFail * 1000;
  }

  /** Takes everything out of a subgraph; what waited for a part of it from outside waits for the subgraph instead. */
  #clear(subgraph: Task): void {
    const removed: Task[] = [];
    this.#remove(subgraph, removed);
    for (const task of removed) {
      for (const dependent of task.dependents ?? []) {
        if (!dependent.isRemoved) {
          (subgraph.dependents ??= []).push(dependent);
        }
      }
    }
  }

  #remove(subgraph: Task, removed: Task[]): void {
    for (const task of subgraph.contents?.tasks ?? []) {
      task.isRemoved = true;
      this.#graph.tasks.delete(task.id);
      this.#delayed.delete(task.id);
      this.#held.delete(task.id);
      removed.push(task);
      this.#remove(task, removed);
    }
    subgraph.contents?.tasks.clear();
  }

  #retry(task: Task, decision: Decision, now: number): void {
    const isReplaced = decision.replacement !== undefined;
    const next = decision.replacement ? decision.replacement() : this.#graph.add(anotherAttempt(task, this.#graph));
    next.container = task.container;
    next.dependents = next.dependents ? next.dependents.concat(task.dependents ?? []) : task.dependents;
    task.dependents = undefined;
    this.#graph.tasks.delete(task.id);
    const siblings = task.container?.contents?.tasks;
    siblings?.delete(task);
    siblings?.add(next);
    if (isReplaced || decision.delay <= 0) {
      this.#queue.push(next);
    } else {
      this.#delayed.set(next.id, next);
      this.#newlyDelayed.push({ task: next, dueAt: now + decision.delay * 1000 });
    }
  }
}

function finalState(task: Task, outcome: TaskOutcome): OperationState {
  if (outcome.isSuccess) {
    return 'succeeded';
  }
  return isExplicitRetry(task, outcome.error) ? 'rescheduled' : 'failed';
}

/** Whether a restored task was given to a worker before. */
function isHandedOver(task: Task): boolean {
  return (
    task.action.kind === 'remote' &&
    (task.state === 'sent' || task.state === 'started' || task.state === 'response-sent')
  );
}

function failureOf(task: Task, outcome: TaskOutcome): TaskFailure {
  return task.contents?.failure ?? { task, error: outcome.isSuccess ? undefined : outcome.error };
}

function failedWith(failure: TaskFailure): TaskOutcome {
  return { isSuccess: false, error: failure.error ?? missingError };
}

const missingError: OperationErrorObject = {
  exception_type: 'NonRecoverableError',
  message: '',
  known_exception_type: 'NonRecoverableError',
  known_exception_type_args: [],
  known_exception_type_kwargs: { causes: [] },
  append_message: false,
};

function anotherAttempt(task: Task, graph: TasksGraph): Task {
  return new Task({
    id: graph.settings.newId(),
    name: task.name,
    action: task.action,
    policy: task.policy,
    currentRetries: task.currentRetries + 1,
    retriedTaskId: task.id,
    isSilent: task.isSilent,
    onSuccess: task.onSuccess,
    onFailure: task.onFailure,
    info: task.info,
  });
}
