/** How stored events and logs are read, with the names of what they belong to joined in. */
import type { EventRow } from '../domain/entities.ts';

/** Field of `EventRow` -> expression. */
export const eventFields: Readonly<Record<keyof EventRow, string>> = {
  storageId: 'event.storage_id',
  kind: 'event.kind',
  timestamp: 'event.timestamp',
  reportedTimestamp: 'event.reported_timestamp',
  blueprintId: 'execution.blueprint_id',
  deploymentId: 'deployment.id',
  deploymentDisplayName: 'deployment.display_name',
  executionId: 'execution.id',
  executionGroupId: 'execution_group.id',
  workflowId: 'coalesce(execution.workflow_id, execution_group.workflow_id)',
  message: 'event.message',
  errorCauses: 'event.error_causes',
  eventType: 'event.event_type',
  logger: 'event.logger',
  level: 'event.level',
  operation: 'event.operation',
  sourceId: 'event.source_id',
  targetId: 'event.target_id',
  managerName: 'event.manager_name',
  agentName: 'event.agent_name',
  nodeInstanceId: 'event.node_instance_id',
  nodeName: 'node.id',
};

export const eventSelection = Object.entries(eventFields)
  .map(([field, sql]) => `${sql} as "${field}"`)
  .join(', ');

/** Joins the names to a page of events. */
export function eventJoins(page: string): string {
  return `${page} event
    left join executions execution on execution.storage_id = event.execution_id
    left join execution_groups execution_group on execution_group.storage_id = event.execution_group_id
    left join deployments deployment on deployment.storage_id = execution.deployment_id
    left join node_instances instance on instance.id = event.node_instance_id
    left join nodes node on node.storage_id = instance.node_id`;
}

/** Fields that lie in the table of events itself: pages can be cut before names are joined. */
export function isOwnField(field: keyof EventRow): boolean {
  return eventFields[field].startsWith('event.');
}
