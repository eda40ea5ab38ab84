import type { EventInput, Execution, OperationRow, TasksGraphRow } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';
import { getExecution } from '../store/executions.ts';
import { createOperation, deleteOperation, getOperation, listOperations } from '../store/operations.ts';
import { storeProgress } from '../store/progress.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import { findTasksGraphs, getTasksGraph, storeTasksGraph } from '../store/tasks-graphs.ts';
import type { NewOperation } from '../store/tasks-graphs.ts';
import { isAdministrator, requirePermission, scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant } from './identifiers.ts';

export interface OperationReport {
  readonly state: OperationState | undefined;
  readonly result: Json | undefined;
  readonly exception: Json | undefined;
  readonly exceptionCauses: Json | undefined;
  readonly managerName: string | undefined;
  readonly agentName: string | undefined;
}

export interface TasksGraphRequest {
  /** Undefined = a new one. */
  readonly id: string | undefined;
  readonly name: string;
  /** Undefined = now; also that of operations that tell none. */
  readonly createdAt: Date | undefined;
  readonly operations: readonly NewOperation[];
}

export interface OperationService {
  listGraphs(caller: TenantCaller, executionId: string, name?: string): Promise<TasksGraphRow[]>;
  /** A graph that the caller may change. @throws GantryError not_found_error, forbidden_error */
  ownGraph(caller: TenantCaller, id: string): Promise<TasksGraphRow>;
  /**
   * Stores a graph with its operations.
   * @throws GantryError not_found_error, conflict_error; forbidden_error without set_execution_details for its id and
   *   set_timestamp for times
   */
  storeGraph(caller: TenantCaller, executionId: string, graph: TasksGraphRequest): Promise<TasksGraphRow>;
  list(
    caller: TenantCaller,
    of: { tasksGraphId: string } | { executionId: string },
    query: ListQuery,
  ): Promise<Page<OperationRow>>;
  get(caller: TenantCaller, id: string): Promise<OperationRow>;
  add(caller: TenantCaller, graphId: string, operation: NewOperation): Promise<OperationRow>;
  /** @returns the operation as it was */
  remove(caller: TenantCaller, id: string): Promise<OperationRow>;
  /** What a workflow outside of the engine tells about one of its operations. */
  report(caller: TenantCaller, id: string, report: OperationReport): Promise<void>;
}

const eventTypes: Partial<Record<OperationState, { type: string; text: string }>> = {
  sending: { type: 'sending_task', text: 'Sending task' },
  started: { type: 'task_started', text: 'started' },
  succeeded: { type: 'task_succeeded', text: 'succeeded' },
  rescheduled: { type: 'task_rescheduled', text: 'rescheduled' },
  failed: { type: 'task_failed', text: 'failed' },
};

function object(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function shown(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function messageOf(operation: OperationRow, state: OperationState, report: OperationReport): string {
  const name = `'${operation.name ?? ''}'`;
  const known = eventTypes[state];
  const kind = operation.type === 'SubgraphTask' ? 'Subgraph' : 'Task';
  let text = state === 'sending' ? `Sending task ${name}` : `${kind} ${known?.text ?? state} ${name}`;
  if (state === 'succeeded' && report.result !== undefined && report.result !== null) {
    text += ` - ${shown(report.result)}`;
  }
  if ((state === 'failed' || state === 'rescheduled') && report.exception !== undefined && report.exception !== null) {
    text += ` -> ${shown(report.exception)}`;
  }
  const { current_retries: current, total_retries: total } = operation.parameters;
  return typeof current === 'number' && current > 0 ? `${text} [retry ${current}/${shown(total ?? 0)}]` : text;
}

/** The event people see for a state, if the state has one. */
function eventOf(
  operation: OperationRow,
  execution: Execution,
  state: OperationState,
  report: OperationReport,
  now: Date,
): EventInput[] {
  const known = eventTypes[state];
  if (!known || (operation.type !== 'RemoteWorkflowTask' && operation.type !== 'SubgraphTask')) {
    return [];
  }
  const kwargs = object(object(operation.parameters['task_kwargs'])['kwargs']);
  const context = object(kwargs['__cloudify_context']);
  const related = object(context['related']);
  const nodeId = textOf(context['node_id']);
  const relatedId = textOf(related['node_id']);
  const isTarget = related['is_target'] === true;
  const optional = {
    operation: textOf(object(context['operation'])['name']),
    nodeInstanceId: relatedId === undefined ? nodeId : undefined,
    sourceId: relatedId === undefined ? undefined : isTarget ? nodeId : relatedId,
    targetId: relatedId === undefined ? undefined : isTarget ? relatedId : nodeId,
    errorCauses: report.exceptionCauses ?? undefined,
    managerName: report.managerName,
    agentName: report.agentName,
  };
  return [
    {
      kind: 'event',
      timestamp: now,
      executionId: execution.id,
      tenantId: execution.tenantId,
      creatorId: execution.creatorId,
      visibility: execution.visibility,
      message: messageOf(operation, state, report),
      eventType: known.type,
      ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    },
  ];
}

/** Makes the use cases of tasks graphs and operations. */
export function createOperationService({ database, newId, clock }: ServiceDependencies): OperationService {
  const requireOwn = (caller: TenantCaller, execution: Execution): void => {
    requireOwnTenant(caller, execution);
    if (caller.execution?.id !== execution.id && !isAdministrator(caller) && caller.user.id !== execution.creatorId) {
      throw new GantryError('forbidden_error', `Only execution ${execution.id} itself may change its tasks graphs`);
    }
  };
  const graphOf = async (caller: TenantCaller, id: string): Promise<[TasksGraphRow, Execution]> => {
    const graph = await getTasksGraph(database, scopeOf(caller), id);
    return [graph, await getExecution(database, scopeOf(caller), graph.executionId)];
  };
  return {
    async listGraphs(caller, executionId, name) {
      await getExecution(database, scopeOf(caller), executionId);
      return findTasksGraphs(database, executionId, name);
    },

    async storeGraph(caller, executionId, graph) {
      const { id, createdAt } = graph;
      if (id !== undefined) {
        requirePermission(caller, 'set_execution_details');
      }
      if (createdAt !== undefined || graph.operations.some((operation) => operation.createdAt !== undefined)) {
        requirePermission(caller, 'set_timestamp');
      }
      requireOwn(caller, await getExecution(database, scopeOf(caller), executionId));
      const operations = graph.operations.map((operation) => ({
        ...operation,
        createdAt: operation.createdAt ?? createdAt,
      }));
      return storeTasksGraph(database, executionId, { ...graph, operations, id: id ?? newId() });
    },

    async ownGraph(caller, id) {
      const [graph, execution] = await graphOf(caller, id);
      requireOwn(caller, execution);
      return graph;
    },

    list: (caller, of, query) => listOperations(database, scopeOf(caller), of, query),

    get: (caller, id) => getOperation(database, scopeOf(caller), id),

    async add(caller, graphId, operation) {
      const [graph, execution] = await graphOf(caller, graphId);
      requireOwn(caller, execution);
      await createOperation(database, graph.id, operation);
      return getOperation(database, scopeOf(caller), operation.id);
    },

    async remove(caller, id) {
      const operation = await getOperation(database, scopeOf(caller), id);
      const [, execution] = await graphOf(caller, operation.tasksGraphId);
      requireOwn(caller, execution);
      await deleteOperation(database, id);
      return operation;
    },

    async report(caller, id, report) {
      const operation = await getOperation(database, scopeOf(caller), id);
      const [, execution] = await graphOf(caller, operation.tasksGraphId);
      requireOwn(caller, execution);
      const { state, managerName, agentName } = report;
      if (state === undefined) {
        return;
      }
      const task = object(operation.parameters['task_kwargs']);
      const instanceId = textOf(task['node_instance_id']);
      const instanceState = textOf(task['state']);
      const setsState =
        operation.type === 'SetNodeInstanceStateTask' && state === 'succeeded' && operation.state !== 'succeeded';
      await storeProgress(database, {
        operations: [
          {
            id,
            state,
            ...(report.result === undefined ? {} : { result: report.result }),
            ...(managerName === undefined ? {} : { managerName }),
            ...(agentName === undefined ? {} : { agentName }),
          },
        ],
        newOperations: [],
        instances:
          setsState && instanceId !== undefined && instanceState !== undefined
            ? [{ id: instanceId, state: instanceState }]
            : [],
        events: eventOf(operation, execution, state, report, new Date(clock.now())),
      });
    },
  };
}
