import type { WorkflowFunction } from './context.ts';
import { install } from './install.ts';
import { reinstall } from './reinstall.ts';
import { uninstall } from './uninstall.ts';

export interface Workflow {
  readonly run: WorkflowFunction;
  /** Whether a failed or cancelled execution of it can be resumed. */
  readonly isResumable: boolean;
}

const workflows = new Map<string, Workflow>([
  ['cloudify.plugins.workflows.install', { run: install, isResumable: true }],
  ['cloudify.plugins.workflows.uninstall', { run: uninstall, isResumable: true }],
  ['cloudify.plugins.workflows.reinstall', { run: reinstall, isResumable: true }],
]);

/**
 * Finds a built-in workflow.
 *
 * @param operation - `operation` of the workflow in the plan, e.g. `cloudify.plugins.workflows.install`
 */
export function findWorkflow(operation: string): Workflow | undefined {
  return workflows.get(operation);
}
