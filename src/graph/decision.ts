import { retryAfterOf, wasInterrupted } from '../domain/operation-error.ts';
import type { OperationErrorObject } from '../domain/operation-error.ts';
import { GraphError } from './errors.ts';
import type { HandlerRegistry, TaskOutcome, Verdict } from './handlers.ts';
import type { HandlerReference, Task } from './task.ts';
import type { TasksGraph } from './tasks-graph.ts';

export interface DecisionInput {
  readonly graph: TasksGraph;
  readonly task: Task;
  readonly outcome: TaskOutcome;
  readonly handlers: HandlerRegistry;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A verdict that can be carried out as it is: a retry is allowed, its delay is known. */
export interface Decision extends Verdict {
  /** Seconds until the next attempt, for retries. */
  readonly delay: number;
}

const finalErrors = new Set<string>(['NonRecoverableError', 'HttpException']);

/**
 * Decides what follows the end of a task: its handlers, the kind of error and the attempts left.
 *
 * Compatibility: Cloudify 7 retry rules, with two differences: when the attempts of an operation that asked to be
 * retried are used up, its failure handler is consulted; and an operation whose process died is made again before it is.
 */
export function decide(input: DecisionInput): Decision {
  const verdict = firstVerdict(input);
  if (verdict.action !== 'retry') {
    return { ...verdict, delay: 0 };
  }
  if (isRetryAllowed(input.task, verdict)) {
    return { ...verdict, delay: verdict.retryAfter ?? input.task.policy.retryInterval };
  }
  const { outcome, task } = input;
  if (!outcome.isSuccess && mustBeMadeAgain(task, outcome.error) && task.onFailure) {
    const handled = callHandler(task.onFailure, input);
    return handled.action === 'retry' ? { action: 'fail', delay: 0 } : { ...handled, delay: 0 };
  }
  return { action: 'fail', delay: 0, effects: verdict.effects ?? [] };
}

/** Whether the operation itself asked for another attempt (`ctx.operation.retry`). */
export function isExplicitRetry(task: Task, error: OperationErrorObject): boolean {
  return task.action.kind !== 'subgraph' && error.known_exception_type === 'OperationRetry';
}

/**
 * Whether an attempt ended without having failed: the operation asked for another one, or its process died. That a
 * failure would be ignored does not mean that the operation may be left out.
 */
function mustBeMadeAgain(task: Task, error: OperationErrorObject): boolean {
  return isExplicitRetry(task, error) || (task.action.kind !== 'subgraph' && wasInterrupted(error));
}

function firstVerdict(input: DecisionInput): Verdict {
  const { task, outcome } = input;
  if (outcome.isSuccess) {
    return task.onSuccess ? callHandler(task.onSuccess, input) : { action: 'continue' };
  }
  if (mustBeMadeAgain(task, outcome.error)) {
    return { action: 'retry', retryAfter: retryAfterOf(outcome.error) };
  }
  if (task.onFailure) {
    return callHandler(task.onFailure, input);
  }
  if (task.action.kind === 'subgraph' || finalErrors.has(outcome.error.known_exception_type)) {
    return { action: 'fail' };
  }
  const isRecoverable = outcome.error.known_exception_type === 'RecoverableError';
  return { action: 'retry', retryAfter: isRecoverable ? retryAfterOf(outcome.error) : undefined };
}

function isRetryAllowed(task: Task, verdict: Verdict): boolean {
  const { totalRetries } = task.policy;
  return totalRetries === -1 || task.currentRetries < totalRetries || verdict.ignoresTotalRetries === true;
}

function callHandler(reference: HandlerReference, input: DecisionInput): Verdict {
  const handler = input.handlers.get(reference.path);
  if (!handler) {
    throw new GraphError(
      `Task '${input.task.name}' (${input.task.id}) names the handler '${reference.path}', which does not exist`,
    );
  }
  return handler({ graph: input.graph, task: input.task, outcome: input.outcome, reference, now: input.now });
}
