import type { Execution } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import { writeWorkflowTask } from './envelopes.ts';
import { managementExchange, routingKeys } from './names.ts';

/** Operations behind the workflows that the product itself brings. */
const systemWorkflowOperations: Readonly<Record<string, string>> = {
  create_snapshot: 'snapshot.create',
  restore_snapshot: 'snapshot.restore',
  uninstall_plugin: 'plugins.uninstall',
  update_plugin: 'plugins.update',
  create_deployment_environment: 'deployment_environment.create',
  delete_deployment_environment: 'deployment_environment.delete',
  csys_update_deployment: 'deployment_environment.update_deployment',
  csys_new_deployment_update: 'deployment_update.workflow.update_deployment',
  update: 'deployment_update.workflow.update_deployment',
  upload_blueprint: 'blueprint.upload',
  create_log_bundle: 'log_bundle.create',
};

/** Workflows every deployment has, and those without one. */
export const systemWorkflowIds: ReadonlySet<string> = new Set(Object.keys(systemWorkflowOperations));

export interface WorkflowMessageOptions {
  /** Clear text; its hash stands with the execution. Without one the executor issues a token itself. */
  readonly executionToken?: string;
  /** `operation` of the workflow in the plan; not needed for the product's own workflows. */
  readonly operation?: string;
  readonly isBypassingMaintenance?: boolean;
}

/** A message that makes an executor start or resume an execution, and where it goes. */
export interface WorkflowMessage {
  exchange: string;
  routingKey: string;
  body: JsonObject;
}

/** What a message tells of an execution. */
export type MessageSubject = Pick<
  Execution,
  | 'id'
  | 'creatorId'
  | 'createdBy'
  | 'tenantName'
  | 'workflowId'
  | 'parameters'
  | 'isSystemWorkflow'
  | 'isDryRun'
  | 'resume'
  | 'waitAfterFail'
  | 'deploymentId'
  | 'deploymentDisplayName'
  | 'blueprintId'
>;

/** The message that makes an executor start or resume an execution. */
export function workflowMessage(execution: MessageSubject, options: WorkflowMessageOptions = {}): WorkflowMessage {
  const system = systemWorkflowOperations[execution.workflowId];
  const operation = options.operation ?? (system === undefined ? '' : `cloudify_system_workflows.${system}`);
  const token = options.executionToken;
  const context = {
    type: 'workflow' as const,
    task_id: execution.id,
    task_name: operation,
    task_target: managementExchange,
    execution_id: execution.id,
    workflow_id: execution.workflowId,
    tenant: { name: execution.tenantName },
    is_system_workflow: execution.isSystemWorkflow,
    execution_creator_username: execution.createdBy,
    dry_run: execution.isDryRun,
    resume: execution.resume,
    wait_after_fail: execution.waitAfterFail,
    bypass_maintenance: options.isBypassingMaintenance ?? null,
    ...(token === undefined ? {} : { execution_token: token, rest_token: token }),
    ...(execution.deploymentId === undefined
      ? {}
      : {
          deployment_id: execution.deploymentId,
          deployment_display_name: execution.deploymentDisplayName ?? execution.deploymentId,
          blueprint_id: execution.blueprintId ?? null,
        }),
  };
  return {
    exchange: managementExchange,
    routingKey: routingKeys.workflow,
    body: writeWorkflowTask(
      { id: execution.id, context, parameters: execution.parameters },
      execution.creatorId,
    ) as JsonObject,
  };
}
