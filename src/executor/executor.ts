import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerConnection } from '../amqp/connection.ts';
import type { Consumer, Delivery } from '../amqp/consumer.ts';
import { readServiceTask, readWorkflowTask } from '../amqp/envelopes.ts';
import type { ServiceTask, WorkflowContextMessage, WorkflowTask } from '../amqp/envelopes.ts';
import { managementExchange, routingKeys, serviceExchange, serviceQueue, workflowQueue } from '../amqp/names.ts';
import { OutageWatch } from '../amqp/outage-watch.ts';
import type { Config } from '../config/config.ts';
import type { Clock, IdGenerator, RandomSource } from '../domain/clock.ts';
import type { Execution } from '../domain/entities.ts';
import { activeExecutionStatuses } from '../domain/states.ts';
import type { RevealSecret } from '../domain/resources.ts';
import type { FileStore } from '../files/file-store.ts';
import type { Logger } from '../log/logger.ts';
import { GroupCommit } from '../recorder/group-commit.ts';
import { Waits } from '../runtime/waits.ts';
import type { Database } from '../store/database.ts';
import { isConnectionError } from '../store/database-errors.ts';
import { findControls } from '../store/operation-control.ts';
import { claimExecution, claimExecutions, findExecution, releaseExecutions } from '../store/executions.ts';
import { ExecutionRun } from './execution-run.ts';
import { orderedIds } from './ordered-ids.ts';
import { whileDatabaseAway } from './patience.ts';
import { ProgressWriter, WriterStoppedError } from './progress-writer.ts';
import { ReplyDesk } from './reply-desk.ts';
import { StatusWriter } from './status-writer.ts';
import type { SystemWorkflows } from './system-workflow.ts';

export interface ExecutorDependencies {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  /** Where blueprints and plugins lie. */
  files: FileStore;
  clock: Clock;
  newId: IdGenerator;
  /** Makes up the names of node instances. */
  random: RandomSource;
  reveal: RevealSecret;
  /** Name of this run of the program, as its heartbeat has it. */
  processName: string;
  /** Seconds without heartbeat after which another process counts as dead. */
  staleAfter: () => number;
  /** Workflows the product brings for itself, by id; see `makeSystemWorkflows`. */
  systemWorkflows: SystemWorkflows;
  /** Told when an execution was driven to its end. @param seconds since it was created */
  onEnded?: (workflowId: string, outcome: string, seconds: number) => void;
}

/** What one execution works with. */
export interface RunDependencies extends ExecutorDependencies {
  /** Name under which executions are claimed. */
  executorName: string;
  /** Name people know this manager by. */
  managerName: string;
  writer: ProgressWriter;
  statuses: StatusWriter;
  replies: ReplyDesk;
  /** Counts executions that do nothing but wait for others or for people: they leave their place to others. */
  waits: Waits;
  /** Makes ids of graphs and tasks; later ones are greater. */
  newTaskId: IdGenerator;
  /** Aborted when the process stops. */
  stopping: AbortSignal;
}

export interface Executor {
  /** Ids of the executions this process drives now. */
  running(): readonly string[];
  /** Stops claiming, stores what is in hand and gives the executions back, so that another process goes on with them. */
  stop(): Promise<void>;
}

/** Milliseconds beyond the stale limit after which a claim that was refused is tried again. */
const takeoverMargin = 1000;
const servicePrefetch = 50;
const claimBatch = 100;
const retryDelay = 5000;
/** Milliseconds a message waits for the database before it is given back: it may be this process alone that is cut off. */
const claimPatience = 10_000;
/** Without the broker executions are given back, for the same reason, after so many stale limits. */
const staleLimitsWithoutBroker = 5;

/** Starts driving executions: consumes workflow messages and runs their graphs. */
export async function startExecutor(dependencies: ExecutorDependencies): Promise<Executor> {
  const executor = new ExecutionDriver(dependencies);
  await executor.start();
  return executor;
}

interface Driven {
  readonly run: ExecutionRun;
  readonly ended: Promise<void>;
  /** Messages that came meanwhile: of the broker's doubts, or of a resume that was faster than the end of the run. */
  readonly later: Delivery<WorkflowTask>[];
}

class ExecutionDriver implements Executor {
  readonly #dependencies: RunDependencies;
  readonly #stopping = new AbortController();
  readonly #driven = new Map<string, Driven>();
  /** Executions that another process seems to drive still, with the timer that looks again. */
  readonly #refused = new Map<string, { timer: NodeJS.Timeout; delivery: Delivery<WorkflowTask> }>();
  readonly #claiming = new Set<Promise<void>>();
  readonly #claims: GroupCommit<string, Execution | undefined>;
  /** The last claim under way, by execution. */
  readonly #turns = new Map<string, Promise<void>>();
  readonly #changed = new Set<string>();
  #consumers: Consumer[] = [];
  #unlisten: (() => Promise<void>) | undefined;
  readonly #brokerWatch: OutageWatch;

  constructor(dependencies: ExecutorDependencies) {
    const { database, processName, log, config } = dependencies;
    // every execution that waits for the database listens
    setMaxListeners(0, this.#stopping.signal);
    const named = { ...dependencies, executorName: processName, managerName: config.instanceName };
    const stopping = this.#stopping.signal;
    this.#dependencies = {
      ...named,
      writer: new ProgressWriter(database, processName, log),
      statuses: new StatusWriter({ ...named, stopping }),
      replies: new ReplyDesk(dependencies.broker, processName, log, () => this.#messagesLost()),
      waits: new Waits(),
      newTaskId: orderedIds(dependencies.clock, dependencies.newId),
      stopping,
    };
    this.#claims = new GroupCommit({ maxItems: claimBatch, parallel: 2, commit: (ids) => this.#claimAll(ids) });
    const brokerPatience = config.executor.staleAfterSeconds * 1000 * staleLimitsWithoutBroker;
    this.#brokerWatch = new OutageWatch(brokerPatience, () => void this.#track(this.#giveBackAll()));
  }

  async #claimAll(ids: readonly string[]): Promise<readonly (Execution | undefined)[]> {
    const { database, executorName, staleAfter, log } = this.#dependencies;
    const claimed = await whileDatabaseAway(
      () => claimExecutions(database, ids, executorName, staleAfter()),
      log,
      this.#stopping.signal,
      claimPatience,
    );
    const byId = new Map(claimed.map((execution) => [execution.id, execution]));
    return ids.map((id) => byId.get(id));
  }

  running(): readonly string[] {
    return [...this.#driven.keys()];
  }

  async start(): Promise<void> {
    const { broker, config, database } = this.#dependencies;
    broker.addUser(this.#brokerWatch);
    this.#unlisten = await database.listen('gantry_executions', (id) => this.#statusChanged(id));
    const workflows = broker.consume({
      queue: workflowQueue,
      bindings: [{ exchange: managementExchange, routingKey: routingKeys.workflow }],
      prefetch: config.executor.maxExecutions,
      read: readWorkflowTask,
      handle: (delivery) => this.#track(this.#inTurn(delivery.body.id, () => this.#take(delivery))),
    });
    this.#dependencies.waits.listen((count) => workflows.allowMore(count));
    this.#consumers = [
      workflows,
      broker.consume({
        queue: serviceQueue(`${config.instanceName}-executor`),
        bindings: [{ exchange: serviceExchange, routingKey: routingKeys.service }],
        prefetch: servicePrefetch,
        read: readServiceTask,
        handle: (delivery) => {
          delivery.ack();
          return this.#track(this.#serve(delivery.body));
        },
      }),
    ];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#dependencies.broker.removeUser(this.#brokerWatch);
    this.#brokerWatch.stop();
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    for (const { timer, delivery } of this.#refused.values()) {
      clearTimeout(timer);
      delivery.requeue();
    }
    this.#refused.clear();
    await Promise.all(this.#claiming);
    const reason = new WriterStoppedError('This process stops');
    const driven = [...this.#driven.values()];
    driven.forEach(({ run }) => run.release(reason));
    const { writer, database, executorName, log, replies } = this.#dependencies;
    // a run ends when its progress is stored, or when the writer does not wait for the database any more
    await Promise.all([writer.stop(), ...driven.map(({ ended }) => ended)]);
    await releaseExecutions(database, executorName).catch((error: unknown) =>
      log.warn('Executions could not be released; other processes take over when the heartbeat is missed', { error }),
    );
    await this.#unlisten?.();
    await Promise.all([...this.#consumers.map((consumer) => consumer.close()), replies.stop()]);
  }

  #track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => this.#claiming.delete(tracked));
    this.#claiming.add(tracked);
    return tracked;
  }

  /**
   * One claim of an execution at a time. A process may claim what it drives already, so two messages about one
   * execution, looked at side by side, would end in two runs that take each other's replies.
   */
  async #inTurn(id: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => undefined);
    this.#turns.set(id, settled);
    try {
      await turn;
    } finally {
      if (this.#turns.get(id) === settled) {
        this.#turns.delete(id);
      }
    }
  }

  async #take(delivery: Delivery<WorkflowTask>): Promise<void> {
    const { id, context } = delivery.body;
    const present = this.#driven.get(id);
    if (present && !present.run.isOver) {
      present.later.push(delivery);
      return;
    }
    await present?.ended;
    const execution = await this.#claim(id, delivery);
    if (execution) {
      this.#drive(execution, context, delivery);
    }
  }

  /** @returns the execution when this process drives it from now on; otherwise the message is dealt with */
  async #claim(id: string, delivery: Delivery<WorkflowTask>): Promise<Execution | undefined> {
    const { database, executorName } = this.#dependencies;
    try {
      const claimed = await this.#claims.add(id);
      if (claimed && this.#stopping.signal.aborted) {
        await releaseExecutions(database, executorName, [id]);
        delivery.requeue();
        return undefined;
      }
      if (!claimed) {
        await this.#refuse(id, delivery);
      }
      return claimed;
    } catch (thrown) {
      if (thrown instanceof WriterStoppedError || isConnectionError(thrown)) {
        delivery.requeue();
        return undefined;
      }
      throw thrown;
    }
  }

  /**
   * Another process drives it. That process may be dead already without anybody knowing: its last heartbeat decides, a
   * little later. If it lives, it does not need this message.
   */
  async #refuse(id: string, delivery: Delivery<WorkflowTask>): Promise<void> {
    const { database, staleAfter } = this.#dependencies;
    const execution = await findExecution(database, id);
    const isDriven = execution?.executor !== undefined && activeExecutionStatuses.includes(execution.status);
    const earlier = this.#refused.get(id);
    if (!isDriven || earlier || this.#stopping.signal.aborted) {
      delivery.ack();
      return;
    }
    const timer = setTimeout(
      () => {
        void this.#track(this.#inTurn(id, () => this.#take(delivery)).finally(() => this.#refused.delete(id)));
      },
      staleAfter() * 1000 + takeoverMargin,
    );
    this.#refused.set(id, { timer, delivery });
  }

  #drive(
    execution: Execution,
    context: WorkflowContextMessage | undefined,
    delivery: Delivery<WorkflowTask> | undefined,
  ): void {
    const run = new ExecutionRun(this.#dependencies, execution, context);
    const later: Delivery<WorkflowTask>[] = [];
    const ended = run.run().then(async (end) => {
      this.#driven.delete(execution.id);
      if (end === 'ended' || end === 'lost') {
        delivery?.ack();
        later.forEach((each) => void this.#track(this.#inTurn(execution.id, () => this.#take(each))));
      } else if (end === 'failed') {
        await this.#giveBack(execution.id, [delivery, ...later]);
      }
      // a released one is given back by whoever asked for it, first in the store and then on the broker
    });
    this.#driven.set(execution.id, { run, ended, later });
  }

  /** A defect met the execution: somebody, maybe this process, tries again after a pause. */
  async #giveBack(id: string, deliveries: readonly (Delivery<WorkflowTask> | undefined)[]): Promise<void> {
    const { database, executorName, log } = this.#dependencies;
    await delay(retryDelay, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    await releaseExecutions(database, executorName, [id]).catch((error: unknown) =>
      log.warn('The execution could not be released', { execution: id, error }),
    );
    deliveries.forEach((delivery) => delivery?.requeue());
  }

  /** Without the broker nothing goes on here; who can reach it may have better luck. */
  async #giveBackAll(): Promise<void> {
    const { database, executorName, log } = this.#dependencies;
    const driven = [...this.#driven];
    if (driven.length === 0) {
      return;
    }
    log.warn('The broker has been unreachable for too long; releasing executions', { count: driven.length });
    const reason = new WriterStoppedError('The broker cannot be reached');
    driven.forEach(([, { run }]) => run.release(reason));
    await Promise.all(driven.map(([, { ended }]) => ended));
    const ids = driven.map(([id]) => id);
    await releaseExecutions(database, executorName, ids).catch((error: unknown) =>
      log.warn('Executions could not be released', { error }),
    );
  }

  /** Nobody delivers what was on its way when the broker lost it: operations are sent again, replies come again. */
  #messagesLost(): void {
    this.#dependencies.log.warn('Messages were lost; operations under way are sent again', {
      executions: this.#driven.size,
    });
    this.#driven.forEach(({ run }) => run.messagesLost());
  }

  /** Looks at the status of executions of this process that somebody may have changed. */
  #statusChanged(id: string | undefined): void {
    const ids = id === undefined ? this.running() : this.#driven.has(id) ? [id] : [];
    if (ids.length > 0 && this.#changed.size === 0) {
      setImmediate(() => {
        const changed = [...this.#changed];
        this.#changed.clear();
        void this.#track(this.#look(changed));
      });
    }
    ids.forEach((changed) => this.#changed.add(changed));
  }

  async #look(ids: readonly string[]): Promise<void> {
    const { database, log } = this.#dependencies;
    try {
      for (const [id, control] of await findControls(database, ids)) {
        this.#driven.get(id)?.run.controlChanged(control);
      }
    } catch (error) {
      log.warn('The status of executions could not be read', { error });
    }
  }

  /** Service tasks that concern executions; the others are for the task broker. */
  async #serve(task: ServiceTask): Promise<void> {
    const executions = task.kwargs['executions'];
    if (task.name !== 'cancel-workflow' || !Array.isArray(executions)) {
      return;
    }
    for (const entry of executions) {
      const id = typeof entry === 'object' && entry !== null && 'id' in entry ? entry['id'] : undefined;
      if (typeof id !== 'string') {
        continue;
      }
      await this.#inTurn(id, () => (this.#driven.has(id) ? this.#look([id]) : this.#cancelUndriven(id)));
    }
  }

  /** An execution that nobody drives yet, or no longer, has to be ended by somebody. */
  async #cancelUndriven(id: string): Promise<void> {
    const { database, executorName, staleAfter } = this.#dependencies;
    const execution = await claimExecution(database, id, executorName, staleAfter());
    if (execution) {
      this.#drive(execution, undefined, undefined);
    }
  }
}
