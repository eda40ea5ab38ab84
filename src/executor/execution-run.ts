import type { WorkflowContextMessage } from '../amqp/envelopes.ts';
import { writeServiceTask } from '../amqp/envelopes.ts';
import { routingKeys, serviceExchange } from '../amqp/names.ts';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { Execution } from '../domain/entities.ts';
import { cancellingExecutionStatuses, isExecutionEnded } from '../domain/states.ts';
import type { ExecutionStatus } from '../domain/states.ts';
import { DslError } from '../dsl/errors.ts';
import { diskFull, isDiskFull } from '../files/disk-full.ts';
import type { Logger } from '../log/logger.ts';
import { createExecutionToken } from '../security/tokens.ts';
import { isConnectionError } from '../store/database-errors.ts';
import { lockDrivenExecutions } from '../store/driving.ts';
import { findExecution, setExecutionToken } from '../store/executions.ts';
import { findDecisions } from '../store/operation-control.ts';
import type { ExecutionControl } from '../store/operation-control.ts';
import type { Transaction } from '../store/session.ts';
import { ExecutionCancelled, WorkflowFailed, WorkflowRefused } from '../workflows/errors.ts';
import { emptyPart, executionLog } from './changes.ts';
import { ExecutionGate } from './execution-gate.ts';
import type { RunDependencies } from './executor.ts';
import { whileDatabaseAway } from './patience.ts';
import { ExecutionTakenOverError, WriterStoppedError } from './progress-writer.ts';
import { ReplyInbox } from './reply-inbox.ts';
import { allEnded, publishStored, runExecutions } from './services-run.ts';
import { DecidedMeanwhile } from './status-writer.ts';
import type { BeginOptions, ExecutionOutcome } from './status-writer.ts';
import type { SystemWorkflowContext, SystemWorkflowResult } from './system-workflow.ts';
import { RunWrites } from './run-writes.ts';
import { WorkflowRun } from './workflow-run.ts';
import type { WorkflowRunInput } from './workflow-run.ts';

/**
 * How the run ended: with the execution, because another process has it or ended it, because this process was asked to
 * let go of it, or because of a defect, after which another attempt is due.
 */
export type RunEnd = 'ended' | 'lost' | 'released' | 'failed';

/** The life of one execution in this process: begin, run the workflow, end; or let go of it at any moment. */
export class ExecutionRun {
  readonly #dependencies: RunDependencies;
  readonly #message: WorkflowContextMessage | undefined;
  readonly #log: Logger;
  readonly #inbox: ReplyInbox;
  readonly #writes = new RunWrites();
  readonly #cancelling = new AbortController();
  /** Resolves when the workflow is not waited for any more. */
  readonly #leaving: Promise<ExecutionOutcome>;
  #leave: (outcome: ExecutionOutcome) => void = () => undefined;
  #letGo: (reason: Error) => void = () => undefined;
  #workflow: WorkflowRun | undefined;
  #issuedToken: string | undefined;
  #execution: Execution;
  #gate = new ExecutionGate();
  #looking: Promise<void> = Promise.resolve();
  #isReleased = false;
  #isStored = false;

  constructor(dependencies: RunDependencies, execution: Execution, message: WorkflowContextMessage | undefined) {
    this.#dependencies = dependencies;
    this.#execution = execution;
    this.#message = message;
    this.#log = dependencies.log.child({ execution: execution.id, workflow: execution.workflowId });
    this.#inbox = new ReplyInbox(dependencies.replies, this.#log);
    this.#leaving = new Promise((resolve, reject) => {
      this.#leave = resolve;
      this.#letGo = reject;
    });
    this.#leaving.catch(() => undefined);
  }

  get id(): string {
    return this.#execution.id;
  }

  /** Runs the execution; never throws. */
  async run(): Promise<RunEnd> {
    try {
      let outcome = await this.#outcome();
      this.#letWorkflowGo();
      while (!(await this.#end(outcome))) {
        outcome = await this.#outcome();
        this.#letWorkflowGo();
      }
      await this.#writes.close();
      this.#isStored = true;
      await this.#inbox.close(outcome.status !== 'cancelled');
      return 'ended';
    } catch (thrown) {
      const error = coerceError(thrown);
      this.release(error);
      await this.#writes.close();
      this.#isStored = true;
      await this.#inbox.close(await this.#hasEnded(error));
      return this.#interrupted(error);
    }
  }

  /** An end may have been stored although the connection was lost before anybody heard of it. */
  async #hasEnded(error: Error): Promise<boolean> {
    if (!(error instanceof ExecutionTakenOverError)) {
      return false;
    }
    const execution = await findExecution(this.#dependencies.database, this.id).catch(() => undefined);
    return execution !== undefined && isExecutionEnded(execution.status) && execution.status !== 'cancelled';
  }

  /** Whether nothing more comes of this run but the closing of its queues. */
  get isOver(): boolean {
    return this.#isStored;
  }

  #interrupted(error: Error): RunEnd {
    if (error instanceof ExecutionTakenOverError) {
      this.#log.warn('This process stops driving the execution', { reason: error.message });
      return 'lost';
    }
    if (error instanceof WriterStoppedError) {
      return 'released';
    }
    this.#log.error('The end of the execution could not be stored; it will be retried', { error });
    return 'failed';
  }

  #letWorkflowGo(): void {
    this.#workflow?.abandon(new WriterStoppedError('The execution has ended'));
    this.#workflow = undefined;
  }

  /** Reacts to a status somebody else gave the execution, and to what was decided about it or its operations. */
  controlChanged(control: ExecutionControl): void {
    this.#statusChanged(control.status);
    // one after the other: an earlier look at the decisions must not hide a later one
    this.#looking = this.#looking.then(() => this.#takeControl(control));
  }

  async #takeControl(control: ExecutionControl): Promise<void> {
    const { database } = this.#dependencies;
    const gate = this.#gate;
    if (this.#isReleased || this.#cancelling.signal.aborted) {
      return;
    }
    try {
      const decided = control.version > gate.version ? await findDecisions(database, this.id) : undefined;
      this.#workflow?.controlChanged(gate.update(control, decided));
    } catch (error) {
      this.#log.warn('Decisions about the execution could not be read', { error });
    }
  }

  #statusChanged(status: ExecutionStatus): void {
    if (isExecutionEnded(status)) {
      this.release(new ExecutionTakenOverError('The execution was ended from outside'));
      return;
    }
    if (!cancellingExecutionStatuses.includes(status)) {
      return;
    }
    this.#execution = { ...this.#execution, status };
    this.#cancelling.abort(new ExecutionCancelled());
    if (status === 'kill_cancelling') {
      this.#killOperations();
    }
    if (status !== 'cancelling') {
      // a forced cancel does not wait for what the workflow does about it
      this.#leave({ status: 'cancelled' });
    }
  }

  /** Sends operations again that are under way: their messages, or the replies to them, are lost. */
  messagesLost(): void {
    this.#workflow?.messagesLost();
  }

  /** Lets go of the execution as it is: what is stored is what the next driver goes on with. */
  release(reason: Error): void {
    if (!this.#isReleased) {
      this.#isReleased = true;
      this.#workflow?.abandon(reason);
      this.#letGo(reason);
      this.#cancelling.abort(reason);
    }
  }

  async #outcome(): Promise<ExecutionOutcome> {
    const { status } = this.#execution;
    if (cancellingExecutionStatuses.includes(status)) {
      if (status === 'kill_cancelling') {
        this.#killOperations();
      }
      return this.#discarded();
    }
    this.#gate = new ExecutionGate();
    const isResume = this.#execution.resume || status === 'started' || status === 'paused';
    const tokenHash = this.#issueToken();
    const preparing = this.#prepare(isResume);
    // whoever runs the workflow hears of it
    preparing?.catch(() => undefined);
    if (!(await this.#begin({ isResume, tokenHash }))) {
      return this.#discarded();
    }
    const working = this.#work(isResume, preparing);
    working.catch(() => undefined);
    return Promise.race([working, this.#leaving]);
  }

  /** The end of an execution that was cancelled when nobody ran it: what an earlier run has left goes. */
  async #discarded(): Promise<ExecutionOutcome> {
    const discard = this.#dependencies.systemWorkflows.get(this.#execution.workflowId)?.discard;
    try {
      await discard?.(this.#systemContext(true));
    } catch (error) {
      this.#log.warn('What a cancelled execution has left could not be removed', { error });
    }
    return { status: 'cancelled' };
  }

  /** @returns whether the execution is started; it may have been cancelled a moment ago */
  async #begin(options: BeginOptions): Promise<boolean> {
    const { database, statuses } = this.#dependencies;
    const started = await statuses.begin(this.#execution, options);
    if (!started) {
      return false;
    }
    this.#execution = started;
    this.#gate.begin(started, started.controlVersion > 0 ? await findDecisions(database, this.id) : []);
    return true;
  }

  /** Runs the workflow; when the database goes away in the middle it is taken up again from what is stored. */
  async #work(isResume: boolean, preparing: Promise<WorkflowRun> | undefined): Promise<ExecutionOutcome> {
    let attempt = (): Promise<ExecutionOutcome> => this.#try(isResume, preparing);
    return whileDatabaseAway(
      async () => {
        const trying = attempt();
        attempt = () => this.#try(true, this.#prepare(true));
        return trying;
      },
      this.#log,
      this.#dependencies.stopping,
    );
  }

  async #try(isResume: boolean, preparing: Promise<WorkflowRun> | undefined): Promise<ExecutionOutcome> {
    try {
      return { status: 'succeeded', result: await this.#runWorkflow(isResume, preparing) };
    } catch (thrown) {
      if (thrown instanceof ExecutionTakenOverError || thrown instanceof WriterStoppedError) {
        throw thrown;
      }
      if (this.#isReleased) {
        // whatever it says, it says because it was interrupted
        throw new WriterStoppedError('The execution was given back');
      }
      if (thrown instanceof ExecutionCancelled || this.#isCancelError(thrown)) {
        return { status: 'cancelled' };
      }
      if (isConnectionError(thrown)) {
        this.#workflow?.abandon(coerceError(thrown));
        throw thrown;
      }
      const error = isDiskFull(thrown) ? diskFull(thrown) : coerceError(thrown);
      if (!isExpected(error)) {
        this.#log.error('The workflow failed unexpectedly', { error });
      }
      return { status: 'failed', message: error.message };
    }
  }

  #isCancelError(thrown: unknown): boolean {
    return this.#cancelling.signal.aborted && thrown instanceof Error && thrown.name === 'AbortError';
  }

  /** Reads what a workflow of a deployment works on, while the beginning of the execution is stored. */
  #prepare(isResume: boolean): Promise<WorkflowRun> | undefined {
    if (this.#dependencies.systemWorkflows.has(this.#execution.workflowId)) {
      return undefined;
    }
    const execution = this.#execution;
    const prepare = async (): Promise<WorkflowRun> =>
      WorkflowRun.prepare({ ...(await this.#runInput(isResume)), execution });
    return whileDatabaseAway(prepare, this.#log, this.#dependencies.stopping);
  }

  async #runWorkflow(
    isResume: boolean,
    preparing: Promise<WorkflowRun> | undefined,
  ): Promise<SystemWorkflowResult | undefined> {
    const system = this.#dependencies.systemWorkflows.get(this.#execution.workflowId);
    if (system) {
      return system(this.#systemContext(isResume));
    }
    await this.#run(await preparing);
    return undefined;
  }

  #systemContext(isResume: boolean): SystemWorkflowContext {
    const { database, clock, newId, stopping } = this.#dependencies;
    return {
      execution: this.#execution,
      isResume,
      database,
      clock,
      newId,
      logger: this.#log,
      signal: this.#cancelling.signal,
      log: (level, message) => this.#writeLog(level, message),
      patiently: (work) => whileDatabaseAway(work, this.#log, stopping),
      transaction: (work) => this.#store(work),
      runWorkflow: async (run, blueprintStorageId) => {
        const input = await this.#runInput(isResume);
        const prepare = (): Promise<WorkflowRun> => WorkflowRun.prepare({ ...input, run, blueprintStorageId });
        await this.#run(await whileDatabaseAway(prepare, this.#log, stopping));
      },
      runExecutions: (executions) => runExecutions(this.#dependencies, executions, this.#cancelling.signal),
      waitForExecutions: (ids) => allEnded(this.#dependencies, ids, this.#cancelling.signal),
      publish: (messages) => publishStored(this.#dependencies, messages),
    };
  }

  async #run(workflow: WorkflowRun | undefined): Promise<void> {
    this.#workflow = workflow;
    if (this.#isReleased) {
      throw new WriterStoppedError('The execution was given back');
    }
    await this.#workflow?.run();
  }

  async #runInput(isResume: boolean): Promise<WorkflowRunInput> {
    return {
      dependencies: this.#dependencies,
      execution: this.#execution,
      isResume,
      message: this.#message,
      token: await this.#token(),
      signal: this.#cancelling.signal,
      inbox: this.#inbox,
      writes: this.#writes,
      gate: this.#gate,
      log: this.#log,
    };
  }

  /**
   * Issues a token to an execution of a workflow that needs one and got none from its sender.
   * @returns its hash, to be stored when the execution begins
   */
  #issueToken(): string | undefined {
    const { systemWorkflows } = this.#dependencies;
    if (this.#message?.execution_token !== undefined || systemWorkflows.has(this.#execution.workflowId)) {
      return undefined;
    }
    const { token, tokenHash } = createExecutionToken();
    this.#issuedToken = token;
    return tokenHash;
  }

  /** The execution's token in clear; a sender who sent none leaves it to the executor to issue one. */
  async #token(): Promise<string> {
    const given = this.#issuedToken ?? this.#message?.execution_token;
    if (given !== undefined) {
      return given;
    }
    const { token, tokenHash } = createExecutionToken();
    await this.#store((transaction) => setExecutionToken(transaction, this.id, tokenHash));
    this.#issuedToken = token;
    return token;
  }

  #writeLog(level: string, message: string): void {
    const { clock, managerName, writer } = this.#dependencies;
    const part = emptyPart(this.#execution);
    part.events.push(executionLog(this.#execution, managerName, clock.now(), level, message));
    this.#writes.add(() => writer.write(part)).catch(() => undefined);
  }

  /** @returns false when somebody decided about the execution at the last moment: it goes on as a failed one would */
  async #end(outcome: ExecutionOutcome): Promise<boolean> {
    try {
      const execution = { ...this.#execution, controlVersion: this.#gate.version };
      this.#execution = await this.#dependencies.statuses.end(execution, outcome);
      const { onEnded, clock } = this.#dependencies;
      onEnded?.(execution.workflowId, outcome.status, (clock.now() - execution.createdAt.getTime()) / 1000);
    } catch (thrown) {
      if (!(thrown instanceof DecidedMeanwhile)) {
        throw thrown;
      }
      this.#execution = { ...this.#execution, status: thrown.status };
      return false;
    }
    if (outcome.status === 'succeeded' && this.#execution.status === 'terminated') {
      await outcome.result?.afterEnd?.().catch((error: unknown) => {
        this.#log.warn('Cleaning up after the execution failed', { error });
      });
    }
    return true;
  }

  /** Runs a transaction that only the driver of the execution may commit. */
  async #store<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    const { database, executorName, stopping } = this.#dependencies;
    return whileDatabaseAway(
      () =>
        database.transaction(async (transaction) => {
          const driven = await lockDrivenExecutions(transaction, executorName, [this.id]);
          if (driven.length === 0) {
            throw new ExecutionTakenOverError(`Execution ${this.id} is driven by another process`);
          }
          return work(transaction);
        }),
      this.#log,
      stopping,
    );
  }

  /** Tells the manager's workers to end its operations at once; agents are told by the workflow run. */
  #killOperations(): void {
    const { broker } = this.#dependencies;
    const body = writeServiceTask({ name: 'cancel-operation', kwargs: { execution_id: this.id } });
    broker.publish({ exchange: serviceExchange, routingKey: routingKeys.service, body }).catch((error: unknown) => {
      this.#log.warn('Task brokers could not be told to cancel the operations', { error });
    });
    this.#workflow?.killOnAgents();
  }
}

/** Failures whose text is meant for people; anything else is a defect that belongs into the log as well. */
function isExpected(error: Error): boolean {
  return [WorkflowFailed, WorkflowRefused, GantryError, DslError].some((kind) => error instanceof kind);
}
