import type { Delivery } from '../amqp/consumer.ts';
import type { Clock } from '../domain/clock.ts';
import { coerceError } from '../domain/errors.ts';
import { operationError } from '../domain/operation-error.ts';
import type { OperationReply } from '../domain/operation-error.ts';
import type { GraphBatch, GraphEnd } from '../graph/batch.ts';
import type { Completion, GraphRun } from '../graph/graph-run.ts';
import type { TaskOutcome } from '../graph/handlers.ts';
import type { Task } from '../graph/task.ts';
import { addChange, addSending, emptyPart } from './changes.ts';
import type { ChangeTarget } from './changes.ts';
import type { ProgressPart } from './progress-writer.ts';

/** Sends operations to their workers; a task that cannot be sent gets its outcome here. */
export interface OperationDispatcher {
  /** @returns outcomes of tasks that failed to be sent; the others are answered by a reply */
  send(tasks: readonly Task[]): Promise<readonly Completion[]>;
  /** Makes sure that restored tasks that an earlier driver sent will be answered. */
  resend(tasks: readonly Task[]): Promise<readonly Completion[]>;
}

/** Runs tasks that are functions of the engine itself. */
export type LocalTaskRunner = (task: Task) => Promise<TaskOutcome>;

export interface GraphDriverOptions {
  readonly run: GraphRun;
  readonly target: ChangeTarget;
  readonly clock: Clock;
  readonly write: (part: ProgressPart) => Promise<void>;
  readonly dispatcher: OperationDispatcher;
  readonly runLocal: LocalTaskRunner;
  /** Told of operations that are held back, once everything before them is stored. */
  readonly onHeld?: (tasks: readonly Task[]) => void;
  /** Told when nothing happens here any more before other executions or people have done something, and when it does. */
  readonly onWaiting?: (isWaiting: boolean) => void;
}

/** The stored graph was changed by a decision: what is stored counts, with what only the driver knew. */
export interface GraphReload {
  readonly status: 'changed';
  /** When tasks may start that wait for their next attempt, by id. */
  readonly delays: ReadonlyMap<string, number>;
}

/** What becomes of the messages that led to a step: settled in any case, since nobody gets them again otherwise. */
interface Settlement {
  stored(): void;
  lost(): void;
}
const nothingToSettle: Settlement = { stored: () => undefined, lost: () => undefined };

const mostPerPart = 500;
/** Milliseconds between two looks whether more replies come, and those that a reply waits for others at most. */
const gatherStep = 1;
const gatherLimit = 5;
const longestTimer = 2 ** 31 - 1;

/**
 * Drives one tasks graph: stores what the run decides, then acts on it (sends operations, waits out retries), and
 * feeds what comes back into the run.
 */
export class GraphDriver {
  readonly #options: GraphDriverOptions;
  readonly #ended: Promise<GraphEnd | GraphReload>;
  #resolve: (end: GraphEnd | GraphReload) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #completions: { completion: Completion; delivery: Delivery<OperationReply> | undefined }[] = [];
  #isCollecting = false;
  #isOver = false;
  #isWaiting = false;
  #hasDeadline = false;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #delays = new Map<string, number>();
  readonly #carrying = new Set<Promise<void>>();
  /** Operations given to the dispatcher. */
  readonly #sent = new WeakSet<Task>();

  constructor(options: GraphDriverOptions) {
    this.#options = options;
    this.#ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // the run may fail before anybody waits for its end
    this.#ended.catch(() => undefined);
  }

  /**
   * Runs the graph to its end, or until it is to be read again.
   * @param first the first step of the run, when it is stored already
   * @throws what storing its progress fails with
   */
  async drive(first?: GraphBatch): Promise<GraphEnd | GraphReload> {
    const { run, clock } = this.#options;
    if (!first) {
      this.#step(() => run.start(clock.now()));
      return this.#ended;
    }
    this.#act(first, () => this.#follow(first));
    if (first.held.length > 0) {
      // somebody may have let them go while the step was being stored
      this.reconsider();
    }
    return this.#ended;
  }

  /** Ends the run; work in flight is left alone. */
  cancel(): void {
    this.#step(() => this.#options.run.cancel(this.#options.clock.now()));
  }

  /** Lets operations start that were held back and are not to be any more. */
  reconsider(): void {
    this.#step(() => this.#options.run.reconsider(this.#options.clock.now()));
  }

  /**
   * Sends operations again that are under way, since their messages may be lost. Those that a worker runs, or has answered,
   * do not run again.
   */
  sendAgain(): void {
    const { run, dispatcher } = this.#options;
    const tasks = run.inFlight().filter((task) => this.#sent.has(task));
    if (this.#isOver || tasks.length === 0) {
      return;
    }
    const sending = dispatcher
      .resend(tasks)
      .then((failed) => this.#complete(failed))
      .catch((thrown: unknown) => this.abandon(coerceError(thrown)))
      .finally(() => this.#carrying.delete(sending));
    this.#carrying.add(sending);
  }

  /** Stops driving, so that the graph can be read again as it is stored; what is in flight is stored first. */
  reload(): void {
    if (this.#isOver) {
      return;
    }
    this.#finish();
    void Promise.allSettled(this.#carrying).then(() => this.#resolve({ status: 'changed', delays: this.#delays }));
  }

  /** Stops the run without ending it: another driver continues it. */
  abandon(reason: Error): void {
    this.#finish();
    this.#reject(reason);
  }

  /**
   * Takes in a reply. @returns false when it answers no task of this graph; the reply is not settled then
   */
  reply(taskId: string, outcome: TaskOutcome, delivery: Delivery<OperationReply> | undefined): boolean {
    if (this.#isOver || !this.#options.run.find(taskId)) {
      return false;
    }
    this.#completions.push({ completion: { taskId, outcome }, delivery });
    if (!this.#isCollecting) {
      this.#isCollecting = true;
      setImmediate(() => this.#gather(0, 0));
    }
    return true;
  }

  /**
   * Replies that arrive together are stored together: while others are on their way and keep coming, those that are
   * here wait for a few milliseconds. The last one does not wait.
   */
  #gather(before: number, waited: number): void {
    const count = this.#completions.length;
    if (this.#isOver || count === before || waited >= gatherLimit || count >= this.#options.run.inFlightCount) {
      this.#takeIn();
    } else {
      setTimeout(() => this.#gather(count, waited + gatherStep), gatherStep);
    }
  }

  #takeIn(): void {
    this.#isCollecting = false;
    const collected = this.#completions;
    this.#completions = [];
    if (this.#isOver) {
      collected.forEach((entry) => entry.delivery?.requeue());
      return;
    }
    const { run, clock } = this.#options;
    const completions = collected.map((entry) => entry.completion);
    this.#step(() => run.complete(completions, clock.now()), {
      stored: () => collected.forEach((entry) => entry.delivery?.ack()),
      lost: () => collected.forEach((entry) => entry.delivery?.requeue()),
    });
  }

  #complete(completions: readonly Completion[]): void {
    if (completions.length > 0) {
      this.#step(() => this.#options.run.complete(completions, this.#options.clock.now()));
    }
  }

  /** Advances the run; what it decided is stored and done in the background. */
  #step(advance: () => GraphBatch, messages: Settlement = nothingToSettle): void {
    if (this.#isOver) {
      return;
    }
    let isStored = false;
    const stored = (): void => {
      isStored = true;
      messages.stored();
    };
    try {
      const batch = advance();
      this.#act(batch, () =>
        this.#carryOut(batch, stored).catch((thrown: unknown) => {
          if (!isStored) {
            messages.lost();
          }
          throw thrown;
        }),
      );
    } catch (thrown) {
      messages.lost();
      this.abandon(coerceError(thrown));
    }
  }

  #act(batch: GraphBatch, carryOut: () => Promise<void>): void {
    this.#setTimers(batch);
    if (batch.ended) {
      this.#finish();
    } else {
      this.#noteWaiting(this.#options.run.isOnlyWaiting);
    }
    const carrying = carryOut()
      .catch((thrown: unknown) => this.abandon(coerceError(thrown)))
      .finally(() => this.#carrying.delete(carrying));
    this.#carrying.add(carrying);
  }

  /** Does what a step that is stored asks for. */
  async #follow(batch: GraphBatch): Promise<void> {
    const remote = batch.ready.filter((task) => task.action.kind === 'remote');
    const sending = chunked(remote, mostPerPart).map((chunk) => this.#send(chunk));
    await this.#conclude(batch, sending);
  }

  async #carryOut(batch: GraphBatch, afterStored: () => void): Promise<void> {
    const { target, clock } = this.#options;
    const now = clock.now();
    const parts = chunked(batch.changes, mostPerPart).map((changes) => {
      const part = emptyPart(target.execution);
      changes.forEach((change) => addChange(part, change, target, now));
      return part;
    });
    const last = parts.pop() ?? emptyPart(target.execution);
    // the writer keeps their order: once the last of them is stored all are
    const sending: Promise<void>[] = parts.map((part) => this.#options.write(part));
    const remote = batch.ready.filter((task) => task.action.kind === 'remote');
    const chunks = chunked(remote, mostPerPart);
    chunks[0]?.forEach((task) => addSending(last, task, target, now));
    sending.push(this.#storeAndSend(last, chunks[0] ?? [], afterStored));
    for (const chunk of chunks.slice(1)) {
      const part = emptyPart(target.execution);
      chunk.forEach((task) => addSending(part, task, target, now));
      sending.push(this.#storeAndSend(part, chunk));
    }
    await this.#conclude(batch, sending);
  }

  /** What a step asks for besides being stored and sent. */
  async #conclude(batch: GraphBatch, sending: Promise<void>[]): Promise<void> {
    batch.ready.filter(({ action }) => action.kind === 'local').forEach((task) => void this.#callLocal(task));
    if (batch.awaiting.length > 0) {
      batch.awaiting.forEach((task) => this.#sent.add(task));
      sending.push(this.#options.dispatcher.resend(batch.awaiting).then((failed) => this.#complete(failed)));
    }
    await Promise.all(sending);
    if (batch.held.length > 0) {
      this.#options.onHeld?.(batch.held);
    }
    if (batch.ended) {
      this.#resolve(batch.ended);
    }
  }

  async #storeAndSend(part: ProgressPart, tasks: readonly Task[], afterStored?: () => void): Promise<void> {
    if (!isEmpty(part)) {
      await this.#options.write(part);
    }
    afterStored?.();
    await this.#send(tasks);
  }

  async #send(tasks: readonly Task[]): Promise<void> {
    if (tasks.length > 0 && !this.#isOver) {
      tasks.forEach((task) => this.#sent.add(task));
      this.#complete(await this.#options.dispatcher.send(tasks));
    }
  }

  async #callLocal(task: Task): Promise<void> {
    let outcome: TaskOutcome;
    try {
      outcome = await this.#options.runLocal(task);
    } catch (thrown) {
      const error = coerceError(thrown);
      const failure = { kind: 'RecoverableError', message: error.message, type: error.name } as const;
      outcome = { isSuccess: false, error: operationError(failure) };
    }
    this.#complete([{ taskId: task.id, outcome }]);
  }

  #setTimers(batch: GraphBatch): void {
    const { run, clock } = this.#options;
    const byTime = new Map<number, string[]>();
    for (const { task, dueAt } of batch.delayed) {
      this.#delays.set(task.id, dueAt);
      const ids = byTime.get(dueAt) ?? [];
      ids.push(task.id);
      byTime.set(dueAt, ids);
    }
    for (const [dueAt, ids] of byTime) {
      this.#at(dueAt, () => this.#step(() => run.release(ids, clock.now())));
    }
    if (batch.deadline !== undefined && !this.#hasDeadline) {
      this.#hasDeadline = true;
      this.#at(batch.deadline, () => this.#step(() => run.deadlineReached(clock.now())));
    }
  }

  #at(dueAt: number, action: () => void): void {
    const delay = Math.min(Math.max(0, dueAt - this.#options.clock.now()), longestTimer);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      // timers may fire a little early, and cannot be set for more than 24 days
      if (this.#options.clock.now() < dueAt) {
        this.#at(dueAt, action);
      } else {
        action();
      }
    }, delay);
    this.#timers.add(timer);
  }

  #noteWaiting(isWaiting: boolean): void {
    if (isWaiting !== this.#isWaiting) {
      this.#isWaiting = isWaiting;
      this.#options.onWaiting?.(isWaiting);
    }
  }

  #finish(): void {
    this.#isOver = true;
    this.#noteWaiting(false);
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#timers.clear();
  }
}

function isEmpty(part: ProgressPart): boolean {
  return (
    part.operations.length === 0 &&
    part.newOperations.length === 0 &&
    part.instances.length === 0 &&
    part.properties.length === 0 &&
    part.events.length === 0
  );
}

function chunked<Item>(items: readonly Item[], size: number): Item[][] {
  const chunks: Item[][] = [];
  for (let start = 0; start < items.length; start += size) {
    chunks.push(items.slice(start, start + size));
  }
  return chunks;
}
