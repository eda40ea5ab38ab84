import type { Deployment } from '../../domain/entities.ts';
import { JsonText } from '../../domain/json-text.ts';
import { executionStatuses } from '../../domain/states.ts';
import type { ExecutionStatus } from '../../domain/states.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';
import { shapeLabels } from './label.ts';
import { shapeWorkflow } from './workflow.ts';
import type { WorkflowView } from './workflow.ts';

/** A deployment with what is worked out for an answer. */
export interface DeploymentView extends Deployment {
  /** Undefined = the workflows were not asked for. */
  readonly workflowViews?: readonly WorkflowView[] | JsonText | undefined;
  /** base64 zip of the working directory. */
  readonly workdirZip?: string | undefined;
}

const { text, integer, boolean, timestamp, json, computed } = fieldsOf<DeploymentView>();

export const deploymentStatuses = ['good', 'in_progress', 'requires_attention'] as const;
export const installationStatuses = ['active', 'inactive'] as const;

function latestStatus(status: ExecutionStatus | undefined): string | undefined {
  if (status === undefined || status === 'scheduled') {
    return undefined;
  }
  if (status === 'failed' || status === 'cancelled') {
    return status;
  }
  return status === 'terminated' ? 'completed' : 'in_progress';
}

function environmentType({ labels }: DeploymentView): string {
  return labels.find(({ key }) => key === 'csys-env-type')?.value ?? '';
}

export const deploymentShape: Shape<DeploymentView> = {
  kind: 'Deployment',
  fields: [
    timestamp('created_at', 'createdAt'),
    text('id', 'id'),
    text('visibility', 'visibility', { values: visibilities }),
    text('description', 'description'),
    json('inputs', 'inputs'),
    json('groups', 'groups'),
    computed('permalink', [], () => null),
    json('policy_triggers', 'policyTriggers'),
    json('policy_types', 'policyTypes'),
    json('outputs', 'outputs'),
    json('capabilities', 'capabilities'),
    json('scaling_groups', 'scalingGroups'),
    timestamp('updated_at', 'updatedAt'),
    computed('workflows', ['workflows'], ({ workflowViews }) =>
      workflowViews instanceof JsonText ? workflowViews : workflowViews?.map(shapeWorkflow),
    ),
    boolean('runtime_only_evaluation', 'runtimeOnlyEvaluation'),
    text('installation_status', 'installationStatus', { values: installationStatuses }),
    text('deployment_status', 'deploymentStatus', { values: deploymentStatuses }),
    text('sub_services_status', 'subServicesStatus', { values: deploymentStatuses }),
    text('sub_environments_status', 'subEnvironmentsStatus', { values: deploymentStatuses }),
    integer('sub_services_count', 'subServicesCount'),
    integer('sub_environments_count', 'subEnvironmentsCount'),
    text('display_name', 'displayName'),
    json('resource_tags', 'resourceTags'),
    integer('drifted_instances', 'driftedInstances'),
    integer('unavailable_instances', 'unavailableInstances'),
    text('latest_execution', 'latestExecutionId'),
    integer('latest_execution_finished_operations', 'latestExecutionFinishedOperations'),
    integer('latest_execution_total_operations', 'latestExecutionTotalOperations'),
    text('latest_execution_workflow_id', 'latestExecutionWorkflowId'),
    text('create_execution', 'createExecutionId'),
    text('blueprint_id', 'blueprintId'),
    text('site_name', 'siteName'),
    {
      ...text('latest_execution_status', 'latestExecutionStatus', { values: executionStatuses }),
      shown: ['in_progress', 'completed', 'failed', 'cancelled'],
      read: ({ latestExecutionStatus }) => latestStatus(latestExecutionStatus),
    },
    computed('environment_type', ['labels'], environmentType, 'text'),
    computed(
      'has_sub_deployments',
      ['subServicesCount', 'subEnvironmentsCount'],
      ({ subServicesCount, subEnvironmentsCount }) => subServicesCount + subEnvironmentsCount > 0,
      'boolean',
    ),
    ...commonFields<DeploymentView>(),
    computed('workdir_zip', [], ({ workdirZip }) => workdirZip, 'text'),
    computed('labels', ['labels'], ({ labels }) => shapeLabels(labels)),
    computed('deployment_groups', ['deploymentGroups'], ({ deploymentGroups }) => deploymentGroups),
  ],
  extraColumns: {
    deployment_group_id: 'deploymentGroupId',
    environment_type: 'environmentType',
    has_sub_deployments: 'hasSubDeployments',
  },
  retired: [
    'inputs_p',
    'groups_p',
    'policy_triggers_p',
    'policy_types_p',
    'outputs_p',
    'capabilities_p',
    'scaling_groups_p',
    'workflows_p',
  ],
};
