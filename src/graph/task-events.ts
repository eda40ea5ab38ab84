import type { Json } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';
import { pythonText } from '../domain/python-text.ts';

export interface TaskEventInput {
  readonly name: string;
  readonly isSubgraph: boolean;
  readonly state: OperationState;
  readonly currentRetries: number;
  /** -1 = without end. */
  readonly totalRetries: number;
  readonly isDryRun?: boolean;
  readonly result?: Json | undefined;
  /** Text of the error, for failed and rescheduled tasks. */
  readonly error?: string | undefined;
}

export interface TaskEvent {
  readonly eventType: string;
  readonly message: string;
}

const eventTypes: Partial<Record<OperationState, { readonly eventType: string; readonly verb: string }>> = {
  sending: { eventType: 'sending_task', verb: 'Sending task' },
  started: { eventType: 'task_started', verb: 'started' },
  succeeded: { eventType: 'task_succeeded', verb: 'succeeded' },
  rescheduled: { eventType: 'task_rescheduled', verb: 'rescheduled' },
  failed: { eventType: 'task_failed', verb: 'failed' },
};

/**
 * The event of a task entering a state, or undefined when the state has none.
 *
 * Compatibility: Cloudify 7 event types and texts, e.g. `Task failed 'plugin.task' -> text [retry 1/60]`.
 */
export function taskEvent(input: TaskEventInput): TaskEvent | undefined {
  const entry = eventTypes[input.state];
  if (!entry) {
    return undefined;
  }
  const subject = input.isSubgraph ? 'Subgraph' : 'Task';
  const head = input.state === 'sending' ? entry.verb : `${subject} ${entry.verb}`;
  const message = `${head} '${input.name}'${outcomeText(input)}${input.isDryRun ? ' (dry run)' : ''}${retryText(input)}`;
  return { eventType: entry.eventType, message };
}

function outcomeText(input: TaskEventInput): string {
  if (input.state === 'succeeded' && input.result !== undefined && input.result !== null) {
    return ` - ${pythonText(input.result)}`;
  }
  const isFailure = input.state === 'failed' || input.state === 'rescheduled';
  // A subgraph fails with the error of a task inside it, which has an event of its own.
  return isFailure && !input.isSubgraph && input.error ? ` -> ${input.error}` : '';
}

function retryText(input: TaskEventInput): string {
  if (input.currentRetries === 0) {
    return '';
  }
  const total = input.totalRetries >= 0 ? `/${input.totalRetries}` : '';
  return ` [retry ${input.currentRetries}${total}]`;
}
