import type { OperationErrorObject } from '../domain/operation-error.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';
import type { HandlerEffect } from './handlers.ts';
import type { Task } from './task.ts';

/** Something that happened in the graph and has to be stored, in the order it happened. */
export type GraphChange =
  /** The row of a task changes state; `error`/`result` come with terminal states of remote and local tasks. */
  | {
      readonly kind: 'task-state';
      readonly task: Task;
      readonly state: OperationState;
      readonly result?: Json | undefined;
      readonly error?: OperationErrorObject | undefined;
    }
  /** A task joined the graph while it runs (another attempt, the content of a replacement): store its row. */
  | { readonly kind: 'task-added'; readonly task: Task }
  /** The state of a node instance changes (with the side effects `configured` and `started` have). */
  | { readonly kind: 'instance-state'; readonly task: Task; readonly instanceId: string; readonly state: string }
  | {
      readonly kind: 'workflow-event';
      readonly message: string;
      readonly eventType: string;
      readonly arguments?: JsonObject | undefined;
      readonly context?: JsonObject | undefined;
    }
  | HandlerEffect;

/** A task to be released later with `GraphRun.release`. */
export interface DelayedTask {
  readonly task: Task;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
}

export type GraphEnd =
  | { readonly status: 'succeeded' }
  | { readonly status: 'cancelled' }
  | { readonly status: 'failed'; readonly message: string };

/** What one step of a run asks of its driver: commit `changes` in order, then act on the rest. */
export interface GraphBatch {
  readonly changes: readonly GraphChange[];
  /** Remote and local tasks to start now (send, call); built-in tasks are done by the run itself. */
  readonly ready: readonly Task[];
  /** Restored tasks that were sent before and have no stored result: wait for the answer, or send again. */
  readonly awaiting: readonly Task[];
  readonly delayed: readonly DelayedTask[];
  /** Remote tasks that could start and are held back from now on; `GraphRun.reconsider` looks at them again. */
  readonly held: readonly Task[];
  /** Set with the first failure: call `deadlineReached` at this time (milliseconds since the epoch). */
  readonly deadline: number | undefined;
  readonly ended: GraphEnd | undefined;
}
