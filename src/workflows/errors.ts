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
