import type { OperationDecision } from '../domain/control.ts';
import type { OperationErrorObject } from '../domain/operation-error.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';
import { operationKwargs } from './operation-message.ts';
import type { MessageEnvironment } from './operation-message.ts';
import type { Task, TaskKind } from './task.ts';
import type { TasksGraph } from './tasks-graph.ts';

/** A task as it is stored and as Python workflows read it. */
export interface TaskRow {
  readonly id: string;
  readonly name: string;
  readonly state: OperationState;
  readonly type: string;
  readonly dependencies: string[];
  readonly parameters: JsonObject;
}

/** A stored task with what its worker answered. */
export interface StoredTask extends Omit<TaskRow, 'name' | 'dependencies'> {
  readonly name: string | undefined;
  readonly dependencies: readonly string[];
  readonly result?: Json | undefined;
  readonly error?: Json | undefined;
  /** What somebody has decided about it. */
  readonly decision?: OperationDecision | undefined;
}

/** Task kind -> class name under which Python workflows know it. */
export const storedTypes: Readonly<Record<TaskKind, string>> = {
  remote: 'RemoteWorkflowTask',
  local: 'LocalWorkflowTask',
  'no-op': 'NOPLocalWorkflowTask',
  subgraph: 'SubgraphTask',
  'set-state': 'SetNodeInstanceStateTask',
  'node-event': 'SendNodeEventTask',
  'workflow-event': 'SendWorkflowEventTask',
};

/** The rows of a graph that has not started, one by one, so that a large graph can be stored in parts. */
export function* graphRows(graph: TasksGraph, environment: MessageEnvironment): Generator<TaskRow> {
  for (const task of graph.tasks.values()) {
    yield taskRow(task, environment);
  }
}

/** A task with what it waits for: the run of a graph forgets both when a task ends. */
export type TaskInGraph = Pick<Task, 'dependencies'> & { readonly task: Task };

/** What the rows of a graph are made of, for a graph that is stored after its run has begun. */
export function tasksInGraph(graph: TasksGraph): TaskInGraph[] {
  return Array.from(graph.tasks.values(), (task) => ({ task, dependencies: task.dependencies }));
}

/**
 * The rows of a graph after the first step of its run, one by one.
 * @param pending ids of tasks whose new state is stored after their row, since there is more to tell than the state
 */
export function* begunRows(
  tasks: readonly TaskInGraph[],
  environment: MessageEnvironment,
  pending: ReadonlySet<string>,
): Generator<TaskRow> {
  for (const { task, dependencies } of tasks) {
    const row = taskRow(task, environment, dependencies);
    yield pending.has(task.id) ? { ...row, state: 'pending' } : row;
  }
}

/** The row of one task. */
export function taskRow(task: Task, environment: MessageEnvironment, dependencies = task.dependencies): TaskRow {
  return {
    id: task.id,
    name: task.name,
    state: task.state,
    type: storedTypes[task.action.kind],
    dependencies: dependencies ? [...new Set(dependencies.map((dependency) => dependency.id))] : [],
    parameters: {
      on_success: task.onSuccess ?? null,
      on_failure: task.onFailure ?? null,
      retried_task: task.retriedTaskId ?? null,
      current_retries: task.currentRetries,
      send_task_events: !task.isSilent,
      retry_interval: task.policy.retryInterval,
      total_retries: task.policy.totalRetries,
      info: task.info ?? null,
      error: null,
      containing_subgraph: task.container?.id ?? null,
      task_kwargs: taskKwargs(task, environment),
    },
  };
}

function taskKwargs(task: Task, environment: MessageEnvironment): JsonObject {
  const { action } = task;
  switch (action.kind) {
    case 'remote':
      return { kwargs: operationKwargs(task, environment) };
    case 'local':
      return { name: action.handler, arguments: action.data };
    case 'set-state':
      return { node_instance_id: action.instanceId, state: action.state };
    case 'node-event':
      return {
        node_instance_id: action.instanceId,
        event: action.message,
        additional_context: action.context ?? null,
      };
    case 'workflow-event':
      return {
        event: action.message,
        event_type: action.eventType,
        event_args: action.arguments ?? null,
        additional_context: action.context ?? null,
      };
    case 'no-op':
    case 'subgraph':
      return {};
  }
}

/** Reads the error object of a stored task; older writers stored only a text. */
export function parseStoredError(error: Json | undefined): OperationErrorObject | undefined {
  if (typeof error === 'object' && error !== null && !Array.isArray(error) && 'known_exception_type' in error) {
    return error as unknown as OperationErrorObject;
  }
  return undefined;
}
