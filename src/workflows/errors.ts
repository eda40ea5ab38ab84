import { GraphError } from '../graph/errors.ts';

/** A task of the graph failed for good; the message is the whole error text of the execution. */
export class WorkflowFailed extends Error {
  override readonly name = 'WorkflowFailed';
}

/** The execution was asked to stop, and stopped. */
export class ExecutionCancelled extends Error {
  override readonly name = 'ExecutionCancelled';

  constructor() {
    super('The execution was cancelled');
  }
}

/** A workflow cannot be run as asked: wrong parameters, or a state that does not allow it. */
export class WorkflowRefused extends Error {
  override readonly name = 'WorkflowRefused';
}

/**
 * Whether the work of a workflow failed, so that the workflow may make up for it. Everything else (cancellation, the
 * end of this process, a store that is gone) ends the workflow where it stands, so that it can go on later.
 */
export function isWorkflowFailure(error: unknown): error is Error {
  return error instanceof WorkflowFailed || error instanceof WorkflowRefused || error instanceof GraphError;
}
