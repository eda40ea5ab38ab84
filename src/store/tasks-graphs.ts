import type { TasksGraphRow } from '../domain/entities.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';
import { terminalOperationStates } from '../domain/states.ts';
import { isUniqueViolation } from './database-errors.ts';
import { findResources, getResource } from './list-query.ts';
import {
  operationColumns,
  operationParameters,
  operationSource,
  operationValues,
  uncountedType,
} from './operation-rows.ts';
import type { Resource } from './resource.ts';
import { integer, resourceJoins, scopeFields, scopeOf, text, timestamp } from './resource.ts';
import type { Scope } from './scope.ts';
import type { Session } from './session.ts';

export interface NewOperation {
  id: string;
  name?: string | undefined;
  type: string;
  dependencies: readonly string[];
  parameters: JsonObject;
  /** Default pending. */
  state?: OperationState;
  createdAt?: Date | undefined;
  managerName?: string | undefined;
  agentName?: string | undefined;
}

export interface NewTasksGraph {
  id: string;
  name: string;
  createdAt?: Date | undefined;
  operations: readonly NewOperation[];
}

const tasksGraphResource: Resource<TasksGraphRow> = {
  kind: 'TasksGraph',
  table: 'tasks_graphs',
  alias: 'graph',
  from: `tasks_graphs graph join executions execution on execution.storage_id = graph.execution_id ${resourceJoins('execution')}`,
  scope: scopeOf('execution'),
  fields: {
    storageId: integer('graph.storage_id'),
    id: text('graph.id'),
    ...scopeFields('execution'),
    createdAt: timestamp('graph.created_at'),
    name: text('graph.name'),
    executionId: text('execution.id'),
  },
  defaultOrder: 'graph.created_at, graph.storage_id',
};

const storeStatement = `
  with graph as (
    insert into tasks_graphs (id, execution_id, name, created_at)
    select $2, execution.storage_id, $3, coalesce($4::timestamptz, now()) from executions execution where execution.id = $1
    returning storage_id, execution_id
  ), stored as (
    insert into operations (tasks_graph_id, ${operationColumns})
    select graph.storage_id, ${operationValues}
    from graph, ${operationSource(7)}
    where operation.id is not null
    order by operation.position
  )
  update executions execution set
    total_operations = coalesce(execution.total_operations, 0) + $5,
    finished_operations = coalesce(execution.finished_operations, 0) + $6
  from graph where execution.storage_id = graph.execution_id
  returning graph.storage_id as "storageId"`;

/**
 * Stores a graph with all its operations in one statement and adds them to the counters of the execution
 * (NOPLocalWorkflowTask does not count). Tenant, creator and visibility are those of the execution.
 * @throws GantryError not_found_error without such an execution; conflict_error when it has a graph of that name
 */
export async function storeTasksGraph(
  session: Session,
  executionId: string,
  graph: NewTasksGraph,
): Promise<TasksGraphRow> {
  const counted = graph.operations.filter(({ type }) => type !== uncountedType);
  const finished = counted.filter(({ state }) => state && terminalOperationStates.includes(state));
  try {
    const rows = await session.prepared(storeStatement, [
      executionId,
      graph.id,
      graph.name,
      graph.createdAt ?? null,
      counted.length,
      finished.length,
      ...operationParameters(graph.operations),
    ]);
    if (rows.length === 0) {
      throw notFound('Execution', executionId);
    }
  } catch (error) {
    if (isUniqueViolation(error, 'tasks_graphs_name')) {
      throw new GantryError('conflict_error', `Execution ${executionId} already has a tasks graph "${graph.name}"`, {
        cause: error,
      });
    }
    throw isUniqueViolation(error)
      ? new GantryError('conflict_error', 'A tasks graph or operation with one of these ids already exists', {
          cause: error,
        })
      : error;
  }
  const [stored] = await findResources(
    session,
    tasksGraphResource,
    (parameters) => `graph.id = ${parameters.add(graph.id)}`,
  );
  if (!stored) {
    throw notFound('TasksGraph', graph.id);
  }
  return stored;
}

/** Graphs of an execution, oldest first; `name` narrows to one. */
export async function findTasksGraphs(session: Session, executionId: string, name?: string): Promise<TasksGraphRow[]> {
  return findResources(session, tasksGraphResource, (parameters) => {
    const ofExecution = `execution.id = ${parameters.add(executionId)}`;
    return name === undefined ? ofExecution : `${ofExecution} and graph.name = ${parameters.add(name)}`;
  });
}

/** @throws GantryError not_found_error */
export async function getTasksGraph(session: Session, scope: Scope, id: string): Promise<TasksGraphRow> {
  return getResource(session, tasksGraphResource, scope, { id });
}
