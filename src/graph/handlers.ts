import type { OperationErrorObject } from '../domain/operation-error.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { HandlerReference, Task } from './task.ts';
import type { TasksGraph } from './tasks-graph.ts';

/** How one task ended. */
export type TaskOutcome =
  | { readonly isSuccess: true; readonly result?: Json }
  | { readonly isSuccess: false; readonly error: OperationErrorObject };

/** Something a handler wants done besides its verdict; done in the same transaction as the state change. */
export type HandlerEffect =
  | { readonly kind: 'node-event'; readonly instanceId: string; readonly message: string }
  | { readonly kind: 'log'; readonly level: 'debug' | 'info' | 'warning' | 'error'; readonly message: string }
  | {
      readonly kind: 'system-properties';
      readonly instanceId: string;
      /** Makes the new system properties of the stored ones. */
      readonly update: (properties: JsonObject) => JsonObject;
    };

/**
 * What happens after a task ended: `continue` releases what waits for it, `ignore` too although it failed, `fail` is
 * final, `retry` makes another attempt (of a subgraph: the given replacement).
 */
export interface Verdict {
  readonly action: 'continue' | 'ignore' | 'fail' | 'retry';
  /** Seconds; the task's retry interval unless given. */
  readonly retryAfter?: number | undefined;
  /** Retry although the number of attempts is used up. */
  readonly ignoresTotalRetries?: boolean;
  /** Subgraphs: makes the subgraph that takes the place of the failed one; called only if the retry is allowed. */
  readonly replacement?: () => Task;
  readonly effects?: readonly HandlerEffect[];
}

export interface HandlerCall {
  readonly graph: TasksGraph;
  readonly task: Task;
  readonly outcome: TaskOutcome;
  readonly reference: HandlerReference;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Decides what follows the end of a task. Must be pure: all it may change is the graph (a replacement). */
export type TaskHandler = (call: HandlerCall) => Verdict;

/** Handlers by path, e.g. `cloudify.plugins.lifecycle._SubgraphOnFailure`. */
export type HandlerRegistry = ReadonlyMap<string, TaskHandler>;
