import type { OperationRow } from '../../domain/entities.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { operationStates } from '../../domain/states.ts';
import { fieldsOf } from './field.ts';
import type { Shape } from './field.ts';

const { text, timestamp, integer, computed } = fieldsOf<OperationRow>();

function objectOf(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function kwargsOf({ parameters }: OperationRow): JsonObject {
  return objectOf(objectOf(parameters['task_kwargs'])['kwargs']);
}

function contextOf(row: OperationRow): JsonObject {
  return objectOf(kwargsOf(row)['__cloudify_context']);
}

function inputsOf(row: OperationRow): JsonObject {
  const { __cloudify_context: _context, ...inputs } = kwargsOf(row);
  return inputs;
}

/** Seconds a worker took; null as long as it is not known. */
function secondsOf({ startedAt, endedAt }: OperationRow): number | null {
  return startedAt && endedAt ? (endedAt.getTime() - startedAt.getTime()) / 1000 : null;
}

/** Whether it could run and is held back, by a pause or a breakpoint. */
function isHeld({ state, heldAt, decision }: OperationRow): boolean {
  return state === 'pending' && heldAt !== undefined && decision?.action !== 'step';
}

/** An operation with everything that is known about this attempt of it. */
export const operationHistoryShape: Shape<OperationRow> = {
  kind: 'Operation',
  component: 'OperationHistory',
  fields: [
    text('id', 'id'),
    timestamp('created_at', 'createdAt'),
    computed('operation', ['parameters'], (row) => objectOf(contextOf(row)['operation'])['name'] ?? row.name, 'text'),
    text('task', 'name'),
    computed('node_id', ['parameters'], (row) => contextOf(row)['node_name'] ?? null, 'text'),
    computed('node_instance_id', ['parameters'], (row) => contextOf(row)['node_id'] ?? null, 'text'),
    computed('host_id', ['parameters'], (row) => contextOf(row)['host_id'] ?? null, 'text'),
    text('state', 'state', { values: operationStates }),
    computed('is_held', ['state', 'heldAt', 'decision'], isHeld, 'boolean'),
    computed('inputs', ['parameters'], inputsOf),
    computed('retry_number', ['parameters'], ({ parameters }) => parameters['current_retries'] ?? 0, 'integer'),
    computed('max_retries', ['parameters'], ({ parameters }) => parameters['total_retries'] ?? 0, 'integer'),
    computed('retried_operation', ['parameters'], ({ parameters }) => parameters['retried_task'] ?? null, 'text'),
    integer('attempt', 'attempt'),
    timestamp('sent_at', 'sentAt'),
    timestamp('started_at', 'startedAt'),
    timestamp('ended_at', 'endedAt'),
    computed('seconds', ['startedAt', 'endedAt'], secondsOf, 'number'),
    text('worker', 'worker'),
    text('manager_name', 'managerName'),
    text('agent_name', 'agentName'),
    computed('error', ['error'], ({ error }) => objectOf(error)['message'] ?? null, 'text'),
    computed('result', ['result'], ({ result }) => result ?? null),
    computed('decision', ['decision'], ({ decision }) => decision ?? null),
    text('tasks_graph_id', 'tasksGraphId'),
    text('execution_id', 'executionId'),
  ],
};
