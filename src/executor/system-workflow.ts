import type { Clock, IdGenerator } from '../domain/clock.ts';
import type { Execution, OutboxMessage } from '../domain/entities.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import type { NewExecution } from '../store/executions.ts';
import type { Transaction } from '../store/session.ts';
import type { LogLevel, WorkflowFunction } from '../workflows/context.ts';
import { ExecutionCancelled } from '../workflows/errors.ts';

/** What the product's own workflows work with. */
export interface SystemWorkflowContext {
  readonly execution: Execution;
  /** Whether another process began it, or it is resumed: what it did may be done already. */
  readonly isResume: boolean;
  readonly database: Database;
  readonly clock: Clock;
  readonly newId: IdGenerator;
  readonly logger: Logger;
  /**
   * Aborted with `ExecutionCancelled` as its reason when the execution is being cancelled, and with any other one when this
   * process lets go of it, so that another process goes on.
   */
  readonly signal: AbortSignal;
  /** Writes to the log of the execution. */
  log(level: LogLevel, message: string): void;
  /** Does work that only reads, as often as it takes the database to come back. */
  patiently<Result>(work: () => Promise<Result>): Promise<Result>;
  /** A transaction that is committed only if this process still drives the execution; waits for the database, too. */
  transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result>;
  /**
   * Runs operations: calls `workflow` with the topology of the execution's deployment as it is stored now.
   * @param blueprintStorageId where operations get their scripts from; default: the blueprint of the deployment
   * @throws WorkflowFailed, ExecutionCancelled and whatever the workflow fails with
   */
  runWorkflow(workflow: WorkflowFunction, blueprintStorageId?: number): Promise<void>;
  /**
   * Starts executions unless they are there already, and waits until all have ended, however they end.
   * @throws ExecutionCancelled when this execution is being cancelled
   */
  runExecutions(executions: readonly NewExecution[]): Promise<void>;
  /**
   * Waits until executions have ended, however they end; those that are gone have.
   * @throws ExecutionCancelled when this execution is being cancelled
   */
  waitForExecutions(ids: readonly string[]): Promise<void>;
  /** Publishes what a transaction has left in the outbox, once it is committed. */
  publish(messages: readonly OutboxMessage[]): Promise<void>;
}

export interface SystemWorkflowResult {
  /** Done in the transaction that ends the execution as terminated. */
  readonly atEnd?: (transaction: Transaction) => Promise<void>;
  /** Done after that transaction, at best once. */
  readonly afterEnd?: () => Promise<void>;
}

/**
 * A workflow the product brings for itself. It may be started again after a crash at any moment, so every step must
 * be one that can be repeated.
 */
export interface SystemWorkflow {
  (context: SystemWorkflowContext): Promise<SystemWorkflowResult | undefined>;
  /**
   * Removes what an earlier run may have left of an execution that was cancelled when nobody ran it. Called before its end
   * is stored, maybe more than once.
   */
  readonly discard?: (context: SystemWorkflowContext) => Promise<void>;
}

/** Whether another process goes on with the execution of this signal: whatever there is has to stay. */
export function isReleased(signal: AbortSignal): boolean {
  return signal.aborted && !(signal.reason instanceof ExecutionCancelled);
}

/** By workflow id. */
export type SystemWorkflows = ReadonlyMap<string, SystemWorkflow>;

/** Workflows that end the deployment they run on, so that its status is of no interest any more. */
export const leavingWorkflows: ReadonlySet<string> = new Set(['delete_deployment_environment']);
