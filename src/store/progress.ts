import type { EventInput } from '../domain/entities.ts';
import type { OperationChange } from './operations.ts';
import type { NewOperation } from './tasks-graphs.ts';
import type { InstanceStateChange } from './node-instances.ts';
import type { Session } from './session.ts';

/** Everything one group commit of the engine writes, possibly of many executions. */
export interface Progress {
  operations: readonly OperationChange[];
  /** Operations that joined a stored graph, e.g. retries. */
  newOperations: readonly { tasksGraphId: string; operation: NewOperation }[];
  instances: readonly InstanceStateChange[];
  events: readonly EventInput[];
}

export interface ProgressOutcome {
  /** New versions of the node instances whose state changed. */
  instanceVersions: ReadonlyMap<string, number>;
}

/**
 * Writes a batch in one transaction with one statement per kind: operation states (an operation that reached a
 * terminal state first counts as finished for its execution), new operations, node instance states, events.
 */
export async function storeProgress(_session: Session, _progress: Progress): Promise<ProgressOutcome> {
  throw new Error('not there yet');
}
