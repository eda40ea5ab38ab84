import { installNewAgents, validateAgents } from './agents.ts';
import { checkDrift } from './check-drift.ts';
import { checkStatus } from './check-status.ts';
import type { WorkflowFunction } from './context.ts';
import { executeOperation, pull, restart, start, stop } from './execute-operation.ts';
import { heal } from './heal.ts';
import { install } from './install.ts';
import { reinstall } from './reinstall.ts';
import { rollback } from './rollback.ts';
import { scale, scaleNode } from './scale.ts';
import { uninstall } from './uninstall.ts';

export interface Workflow {
  readonly run: WorkflowFunction;
  /** Whether a failed or cancelled execution of it can be resumed. */
  readonly isResumable: boolean;
}

const modulePath = 'cloudify.plugins.workflows';

const workflows = new Map<string, Workflow>(
  Object.entries({
    install: { run: install, isResumable: true },
    uninstall: { run: uninstall, isResumable: true },
    reinstall: { run: reinstall, isResumable: true },
    start: { run: start, isResumable: true },
    stop: { run: stop, isResumable: true },
    restart: { run: restart, isResumable: true },
    pull: { run: pull, isResumable: true },
    execute_operation: { run: executeOperation, isResumable: true },
    check_status: { run: checkStatus, isResumable: true },
    check_drift: { run: checkDrift, isResumable: true },
    auto_heal_reinstall_node_subgraph: { run: heal, isResumable: false },
    scale_entity: { run: scale, isResumable: true },
    scale: { run: scaleNode, isResumable: false },
    rollback: { run: rollback, isResumable: true },
    validate_agents: { run: validateAgents, isResumable: true },
    install_new_agents: { run: installNewAgents, isResumable: true },
  }).map(([name, workflow]) => [`${modulePath}.${name}`, workflow]),
);

/**
 * Finds a built-in workflow.
 *
 * @param operation - `operation` of the workflow in the plan, e.g. `cloudify.plugins.workflows.install`; a leading
 *   plugin name (`default_workflows.`) does not matter
 */
export function findWorkflow(operation: string): Workflow | undefined {
  return workflows.get(operation.slice(Math.max(0, operation.indexOf(`${modulePath}.`))));
}
