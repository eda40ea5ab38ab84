import type { WorkflowFunction } from './context.ts';

export interface Workflow {
  readonly run: WorkflowFunction;
  /** Whether a failed or cancelled execution of it can be resumed. */
  readonly isResumable: boolean;
}

const workflows = new Map<string, Workflow>();

/**
 * Finds a built-in workflow.
 *
 * @param operation - `operation` of the workflow in the plan, e.g. `cloudify.plugins.workflows.install`
 */
export function findWorkflow(operation: string): Workflow | undefined {
  return workflows.get(operation);
}
