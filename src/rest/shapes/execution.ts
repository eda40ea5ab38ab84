import type { Execution } from '../../domain/entities.ts';
import { executionStatuses } from '../../domain/states.ts';
import type { ExecutionStatus } from '../../domain/states.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';

const { text, integer, boolean, timestamp, json, computed } = fieldsOf<Execution>();

/** Status as people read it. */
function displayStatus(status: ExecutionStatus): string {
  return status === 'terminated' ? 'completed' : status;
}

/**
 * Status as every client knows it: one that is paused is started, which `status_display` tells apart.
 * Compatibility: clients of Cloudify 7 know no other statuses.
 */
export function knownStatus<Status extends string>(status: Status): string {
  return status === 'paused' ? 'started' : status;
}

export const executionShape: Shape<Execution> = {
  kind: 'Execution',
  fields: [
    timestamp('created_at', 'createdAt'),
    text('visibility', 'visibility', { values: visibilities }),
    text('id', 'id'),
    timestamp('ended_at', 'endedAt'),
    text('error', 'error'),
    boolean('is_system_workflow', 'isSystemWorkflow'),
    json('parameters', 'parameters'),
    {
      ...text('status', 'status', { values: executionStatuses }),
      read: ({ status }) => knownStatus(status),
      alike: { started: ['paused'] },
    },
    text('workflow_id', 'workflowId'),
    timestamp('started_at', 'startedAt'),
    timestamp('scheduled_for', 'scheduledFor'),
    boolean('is_dry_run', 'isDryRun'),
    boolean('resume', 'resume'),
    integer('total_operations', 'totalOperations'),
    integer('finished_operations', 'finishedOperations'),
    boolean('allow_custom_parameters', 'allowCustomParameters'),
    text('blueprint_id', 'blueprintId'),
    text('deployment_display_name', 'deploymentDisplayName'),
    text('deployment_id', 'deploymentId'),
    computed('status_display', ['status'], ({ status }) => displayStatus(status), 'text'),
    ...commonFields<Execution>(),
  ],
  retired: ['parameters_p'],
};
