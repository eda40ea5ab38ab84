import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Delivery } from '../amqp/consumer.ts';
import type { OperationTask } from '../amqp/envelopes.ts';
import { managementExchange } from '../amqp/names.ts';
import type { EventInput } from '../domain/entities.ts';
import { coerceError } from '../domain/errors.ts';
import { operationError } from '../domain/operation-error.ts';
import type { OperationErrorObject, OperationReply } from '../domain/operation-error.ts';
import type { Json } from '../domain/plan.ts';
import { GroupCommit } from '../recorder/group-commit.ts';
import { isExecutionEnded } from '../domain/states.ts';
import { isConnectionError } from '../store/database-errors.ts';
import { findExecution } from '../store/executions.ts';
import { claimOperations, storeAnswers } from '../store/operations.ts';
import type { OperationAnswer, OperationClaim } from '../store/operations.ts';
import type { OperationRequest } from '../runtime/types.ts';
import type { BrokerDependencies } from './broker.ts';
import { ExecutionFacts } from './execution-facts.ts';
import type { Waits } from '../runtime/waits.ts';
import { startedEvent } from './operation-events.ts';

type OperationDelivery = Delivery<OperationTask>;

export interface DeskDependencies extends BrokerDependencies {
  waits: Waits;
}

/** An operation that runs here, with everybody who waits for its reply. */
interface Running {
  readonly task: OperationTask;
  readonly controller: AbortController;
  readonly deliveries: OperationDelivery[];
  /** Whether the store knows the operation; of others only the reply tells. */
  readonly isStored: boolean;
  /** Set when it is ended from outside: its reply is not needed any more, or this process stops. */
  end?: 'killed' | 'stopped';
  /** To be looked at again: those that came after it was killed, of its resumed execution, and those of one it lost. */
  readonly later: OperationDelivery[];
}

const batchSize = 500;
/** Milliseconds beyond the stale limit after which an operation of another worker is looked at again. */
const takeoverMargin = 1000;
/** Executions of which is remembered that they were killed. */
const killedExecutions = 10_000;
const longestPause = 5000;
/** Milliseconds a message waits for the database before it is given back: it may be this process alone that is cut off. */
const claimPatience = 10_000;
/** Milliseconds between a failure to handle an operation and the next try. */
const failurePause = 1000;

/**
 * Takes operations from the queue, runs them and answers. Each step is stored before the next one that others can
 * see: claimed before it runs, its answer before the reply, the reply before the message is acknowledged.
 */
export class OperationDesk {
  readonly #dependencies: DeskDependencies;
  readonly #running = new Map<string, Running>();
  /** Number of the last kill by execution. A killed execution can be resumed, so this is no verdict on its own. */
  readonly #kills = new LRUCache<string, number>({ max: killedExecutions });
  #killCount = 0;
  readonly #waiting = new Map<NodeJS.Timeout, { delivery: OperationDelivery; endWait: () => void }>();
  readonly #claims: GroupCommit<OperationDelivery, OperationClaim | undefined>;
  readonly #answers: GroupCommit<OperationAnswer, boolean>;
  readonly #facts: ExecutionFacts;
  readonly #busy = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(dependencies: DeskDependencies) {
    this.#dependencies = dependencies;
    this.#facts = new ExecutionFacts(dependencies.database);
    setMaxListeners(0, this.#stopping.signal);
    this.#claims = new GroupCommit({ maxItems: batchSize, parallel: 2, commit: (items) => this.#claim(items) });
    this.#answers = new GroupCommit({ maxItems: batchSize, parallel: 2, commit: (items) => this.#store(items) });
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Takes charge of a delivered operation; the delivery is settled when that is right. */
  take(delivery: OperationDelivery): void {
    const work = this.#handle(delivery)
      .catch((thrown: unknown) => this.#failed(delivery, coerceError(thrown)))
      .finally(() => this.#busy.delete(work));
    this.#busy.add(work);
  }

  /** Replies to the sender of an unreadable task with the reason. */
  answerMalformed(raw: { replyTo: string | undefined; correlationId: string | undefined }, reason: string): void {
    const { replyTo, correlationId } = raw;
    if (replyTo !== undefined && correlationId !== undefined) {
      const error = operationError({ kind: 'NonRecoverableError', message: `The task cannot be read: ${reason}` });
      this.#reply(replyTo, correlationId, { ok: false, error }).catch((problem: unknown) =>
        this.#dependencies.log.warn('The reply to an unreadable task could not be sent', { error: problem }),
      );
    }
  }

  /** Ends all operations of an execution; they get no reply, since none is waited for. */
  kill(executionId: string): void {
    this.#killCount += 1;
    this.#kills.set(executionId, this.#killCount);
    for (const running of this.#running.values()) {
      if (running.task.context.execution_id === executionId) {
        running.end = 'killed';
        running.controller.abort();
      }
    }
  }

  /** Waits for running operations for `grace` milliseconds; the others are delivered again, to others. */
  async stop(grace: number): Promise<void> {
    this.#stopping.abort();
    for (const [timer, { delivery, endWait }] of this.#waiting) {
      clearTimeout(timer);
      endWait();
      delivery.requeue();
    }
    this.#waiting.clear();
    const idle = this.#idle();
    const cancel = new AbortController();
    await Promise.race([idle, delay(grace, undefined, { signal: cancel.signal }).catch(() => undefined)]);
    cancel.abort();
    for (const running of this.#running.values()) {
      running.end ??= 'stopped';
      running.controller.abort();
    }
    await idle;
  }

  /** A defect of this worker: another try, maybe elsewhere; then the workflow decides. */
  async #failed(delivery: OperationDelivery, error: Error): Promise<void> {
    const { log } = this.#dependencies;
    const { id } = delivery.body;
    log.error('An operation could not be handled', { operation: id, error });
    await delay(failurePause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    if (!delivery.isRedelivered || delivery.replyTo === undefined) {
      delivery.requeue();
      return;
    }
    const message = `The worker could not handle the operation: ${error.message}`;
    await this.#reply(delivery.replyTo, id, { ok: false, error: operationError({ kind: 'RecoverableError', message }) })
      .then(() => delivery.ack())
      .catch((problem: unknown) =>
        log.warn('The reply to a failed operation could not be sent', { operation: id, error: problem }),
      );
  }

  async #idle(): Promise<void> {
    while (this.#busy.size > 0) {
      await Promise.all(this.#busy);
    }
  }

  async #handle(delivery: OperationDelivery): Promise<void> {
    const { id, context } = delivery.body;
    const running = this.#running.get(id);
    if (running) {
      this.#attach(running, delivery);
      return;
    }
    const lastKill = this.#kills.get(context.execution_id);
    const claim = await this.#claims.add(delivery);
    if (this.#stopping.signal.aborted && claim?.outcome !== 'answered') {
      delivery.requeue();
      return;
    }
    const wasKilledMeanwhile = this.#kills.get(context.execution_id) !== lastKill;
    if (wasKilledMeanwhile || (claim?.outcome === 'unknown' && (await this.#isExecutionKilled(context.execution_id)))) {
      delivery.ack();
      return;
    }
    await this.#act(delivery, claim);
  }

  #attach(running: Running, delivery: OperationDelivery): void {
    const { deliveries, later, end } = running;
    (end === 'killed' ? later : deliveries).push(delivery);
  }

  /** Claiming refuses operations of killed executions; for those that are not stored the execution is asked. */
  async #isExecutionKilled(executionId: string): Promise<boolean> {
    if (!this.#kills.has(executionId)) {
      return false;
    }
    const execution = await findExecution(this.#dependencies.database, executionId);
    return !execution || execution.status === 'kill_cancelling' || isExecutionEnded(execution.status);
  }

  async #act(delivery: OperationDelivery, claim: OperationClaim | undefined): Promise<void> {
    switch (claim?.outcome) {
      case undefined:
        delivery.requeue();
        return;
      case 'claimed':
        await this.#run(delivery, true, claim.isTakenOver);
        return;
      case 'unknown':
        await this.#run(delivery, false, delivery.isRedelivered);
        return;
      case 'answered': {
        const error = claim.error as unknown as OperationErrorObject;
        await this.#replyAll([delivery], claim.ok ? { ok: true, result: claim.result } : { ok: false, error });
        return;
      }
      case 'running':
        if (claim.worker === this.#dependencies.processName && !this.#running.has(claim.id)) {
          // claimed by this process, which never heard of it: the connection was lost at the commit
          await this.#run(delivery, true, false);
        } else {
          this.#lookLater(delivery, claim.worker);
        }
        return;
      case 'over':
        delivery.ack();
        return;
    }
  }

  /** Somebody else runs it. If that worker is dead, the operation is free once its heartbeat is missed. */
  #lookLater(delivery: OperationDelivery, worker: string): void {
    const running = this.#running.get(delivery.body.id);
    if (running) {
      this.#attach(running, delivery);
      return;
    }
    const { staleAfter, log, waits } = this.#dependencies;
    const endWait = waits.begin();
    log.debug('An operation is with another worker', { operation: delivery.body.id, worker });
    const timer = setTimeout(
      () => {
        this.#waiting.delete(timer);
        endWait();
        this.take(delivery);
      },
      staleAfter() * 1000 + takeoverMargin,
    );
    this.#waiting.set(timer, { delivery, endWait });
  }

  async #run(delivery: OperationDelivery, isStored: boolean, isAgain: boolean): Promise<void> {
    const task = delivery.body;
    const running: Running = {
      task,
      controller: new AbortController(),
      deliveries: [delivery],
      isStored,
      later: [],
    };
    this.#running.set(task.id, running);
    try {
      const { runtime, host } = this.#dependencies;
      const context = isAgain ? { ...task.context, resume: true } : task.context;
      // both types describe the same object of the message, each with what its layer reads
      const request = { context, inputs: task.kwargs } as unknown as OperationRequest;
      const reply = await runtime.run(request, host, running.controller.signal);
      await this.#finish(running, reply);
    } finally {
      this.#running.delete(task.id);
      running.later.forEach((later) => this.take(later));
    }
  }

  async #finish(running: Running, reply: OperationReply): Promise<void> {
    if (running.end) {
      // killed for good: dropped; because this process stops: another one runs it again
      const isGone = running.end === 'killed';
      running.deliveries.forEach((delivery) => (isGone ? delivery.ack() : delivery.requeue()));
      return;
    }
    if (running.isStored && !(await this.#answers.add(toAnswer(running.task.id, reply)))) {
      this.#dependencies.log.warn('An operation was taken over by another process; its outcome is dropped', {
        operation: running.task.id,
      });
      // the process that has it now may be dead as well, and these may be the only messages left
      running.later.push(...running.deliveries);
      return;
    }
    await this.#replyAll(running.deliveries, reply);
  }

  async #replyAll(deliveries: readonly OperationDelivery[], reply: OperationReply): Promise<void> {
    const addresses = new Set(deliveries.flatMap(({ replyTo }) => replyTo ?? []));
    const id = deliveries[0]?.body.id ?? '';
    await Promise.all([...addresses].map((replyTo) => this.#reply(replyTo, id, reply)));
    deliveries.forEach((delivery) => delivery.ack());
  }

  async #reply(replyTo: string, correlationId: string, reply: OperationReply): Promise<void> {
    await this.#dependencies.broker.publish({
      exchange: managementExchange,
      routingKey: replyTo,
      correlationId,
      body: reply,
    });
  }

  async #claim(deliveries: readonly OperationDelivery[]): Promise<readonly (OperationClaim | undefined)[]> {
    const { processName, config, staleAfter } = this.#dependencies;
    const worker = {
      name: processName,
      host: config.instanceName,
      staleAfter: staleAfter(),
    };
    const tasks = new Map(deliveries.map(({ body }) => [body.id, body]));
    const claims = await this.#whileAway(() => this.#claimTasks(tasks, worker), claimPatience);
    const byId = new Map(claims?.map((claim) => [claim.id, claim]));
    const seen = new Set<string>();
    return deliveries.map(({ body: { id } }) => {
      const claim = byId.get(id);
      if (claim?.outcome === 'claimed' && seen.has(id)) {
        // two copies in one batch: the first one runs it
        return { id, outcome: 'running', worker: processName };
      }
      seen.add(id);
      return claim;
    });
  }

  /** Claims operations together with the events that they have begun. */
  async #claimTasks(
    tasks: ReadonlyMap<string, OperationTask>,
    worker: Parameters<typeof claimOperations>[2],
  ): Promise<readonly OperationClaim[]> {
    const { database, clock, config } = this.#dependencies;
    await this.#facts.load([...tasks.values()].map((task) => task.context.execution_id));
    const now = clock.now();
    const started = new Map<string, EventInput>();
    for (const [id, task] of tasks) {
      const context = task.context as unknown as OperationRequest['context'];
      const fact = this.#facts.peek(context.execution_id);
      const event = fact && startedEvent(context, fact, config.instanceName, now);
      if (event) {
        started.set(id, event);
      }
    }
    return claimOperations(database, [...tasks.keys()], worker, started);
  }

  async #store(answers: readonly OperationAnswer[]): Promise<readonly boolean[]> {
    const { database, processName } = this.#dependencies;
    const stored = await this.#whileAway(() => storeAnswers(database, processName, answers));
    const ids = new Set(stored);
    return answers.map((answer) => ids.has(answer.id));
  }

  /** @returns undefined when the database stayed away and this process stops, or for longer than `limit` milliseconds */
  async #whileAway<Result>(work: () => Promise<Result>, limit = Infinity): Promise<Result | undefined> {
    const deadline = performance.now() + limit;
    for (let pause = 50; ; pause = Math.min(pause * 2, longestPause)) {
      try {
        return await work();
      } catch (thrown) {
        if (!isConnectionError(thrown)) {
          throw thrown;
        }
        if (this.#stopping.signal.aborted || performance.now() > deadline) {
          return undefined;
        }
        this.#dependencies.log.warn('Operations wait for the database', { reason: coerceError(thrown).message });
        await delay(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }
}

function toAnswer(id: string, reply: OperationReply): OperationAnswer {
  return reply.ok ? { id, ok: true, result: reply.result } : { id, ok: false, error: reply.error as unknown as Json };
}
