import type { EventRow } from '../../domain/entities.ts';
import type { Json } from '../../domain/plan.ts';
import type { FieldType } from './field.ts';

/** Member of an event on the wire -> field of the entity, in order. */
export const eventFields = [
  ['_storage_id', 'storageId'],
  ['timestamp', 'timestamp'],
  ['reported_timestamp', 'reportedTimestamp'],
  ['blueprint_id', 'blueprintId'],
  ['deployment_id', 'deploymentId'],
  ['deployment_display_name', 'deploymentDisplayName'],
  ['execution_id', 'executionId'],
  ['execution_group_id', 'executionGroupId'],
  ['workflow_id', 'workflowId'],
  ['message', 'message'],
  ['error_causes', 'errorCauses'],
  ['event_type', 'eventType'],
  ['operation', 'operation'],
  ['source_id', 'sourceId'],
  ['target_id', 'targetId'],
  ['manager_name', 'managerName'],
  ['agent_name', 'agentName'],
  ['node_instance_id', 'nodeInstanceId'],
  ['node_name', 'nodeName'],
  ['logger', 'logger'],
  ['level', 'level'],
  ['type', 'kind'],
] as const satisfies readonly (readonly [string, keyof EventRow])[];

const eventOnly = new Set(['event_type']);
const logOnly = new Set(['logger', 'level']);

const times = new Set(['timestamp', 'reported_timestamp']);
const documents = new Set(['error_causes']);

function typeOfMember(name: string): FieldType {
  return name === '_storage_id' ? 'integer' : times.has(name) ? 'timestamp' : documents.has(name) ? 'json' : 'text';
}

/** Members of events and log lines by their type. */
export const eventMembers: Readonly<Record<string, FieldType>> = Object.fromEntries(
  eventFields.map(([name]) => [name, typeOfMember(name)]),
);

/** An event or log line on the wire; names of `include` that do not exist are ignored. */
export function shapeEvent(event: EventRow, include?: readonly string[]): Record<string, Json> {
  const shaped: Record<string, Json> = {};
  const skipped = event.kind === 'log' ? eventOnly : logOnly;
  for (const [name, key] of eventFields) {
    if (skipped.has(name) || (include && !include.includes(name))) {
      continue;
    }
    const value = name === 'type' ? `cloudify_${event.kind}` : event[key];
    shaped[name] = value instanceof Date ? value.toISOString() : (value ?? null);
  }
  return shaped;
}
