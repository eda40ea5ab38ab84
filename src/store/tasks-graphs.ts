import type { TasksGraphRow } from '../domain/entities.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';
import { terminalOperationStates } from '../domain/states.ts';
import { isUniqueViolation } from './database-errors.ts';
import { findResources } from './list-query.ts';
import { getResource } from './single-query.ts';
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
import type { Session, Transaction } from './session.ts';

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
  /** Taken in parts while it is being stored, and once more from the start when the transaction is repeated. */
  operations: Iterable<NewOperation>;
  /** Number of operations, where that is known without making them. */
  size?: number;
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

const graphStatement = `
  insert into tasks_graphs (id, execution_id, name, created_at)
  select $2, execution.storage_id, $3, coalesce($4::timestamptz, now()) from executions execution where execution.id = $1
  returning storage_id as "storageId"`;

const operationsStatement = `
  insert into operations (tasks_graph_id, ${operationColumns})
  select $1::bigint, ${operationValues} from ${operationSource(2)}
  where operation.id is not null order by operation.position`;

/** A small graph as a whole, with the counters of its execution. */
const wholeStatement = `
  with counted as (
    update executions execution set
      total_operations = coalesce(execution.total_operations, 0) + $4,
      finished_operations = coalesce(execution.finished_operations, 0) + $5
    where execution.id = $1 returning execution.storage_id
  ), graph as (
    insert into tasks_graphs (id, execution_id, name, created_at)
    select $2, counted.storage_id, $3, coalesce($6::timestamptz, now()) from counted
    returning storage_id
  ), stored as (
    insert into operations (tasks_graph_id, ${operationColumns})
    select graph.storage_id, ${operationValues} from graph cross join ${operationSource(7)}
    where operation.id is not null order by operation.position
  )
  select storage_id as "storageId" from graph`;

const countStatement = `
  update executions execution set
    total_operations = coalesce(execution.total_operations, 0) + $2,
    finished_operations = coalesce(execution.finished_operations, 0) + $3
  where execution.id = $1`;

/**
 * Operations of one statement; a graph of a million is neither one text in memory nor one in a message. The first part
 * is small, so that the server soon has something to do.
 */
const firstPart = 250;
const largestPart = 2000;

interface Counts {
  counted: number;
  finished: number;
}

function count(counts: Counts, { type, state }: NewOperation): void {
  if (type !== uncountedType) {
    counts.counted += 1;
    counts.finished += state && terminalOperationStates.includes(state) ? 1 : 0;
  }
}

/** How many operations count for the progress of their execution, and how many of these have ended. */
export function countOperations(operations: readonly NewOperation[]): Readonly<Counts> {
  const counts: Counts = { counted: 0, finished: 0 };
  operations.forEach((operation) => count(counts, operation));
  return counts;
}

/** Stores operations part by part; while the server works on a part the next one is made. */
async function storeOperations(
  transaction: Transaction,
  graphStorageId: number,
  operations: Iterable<NewOperation>,
): Promise<Counts> {
  const counts: Counts = { counted: 0, finished: 0 };
  let storing: Promise<unknown> = Promise.resolve();
  let part: NewOperation[] = [];
  let partSize = firstPart;
  const store = async (): Promise<void> => {
    const parameters = [graphStorageId, ...operationParameters(part)];
    part = [];
    partSize = Math.min(2 * partSize, largestPart);
    await storing;
    storing = transaction.prepared(operationsStatement, parameters);
    // a failure is thrown where it is awaited next
    storing.catch(() => undefined);
  };
  for (const operation of operations) {
    part.push(operation);
    count(counts, operation);
    if (part.length >= partSize) {
      await store();
    }
  }
  if (part.length > 0) {
    await store();
  }
  await storing;
  return counts;
}

/** The operations if they are no more than one statement should store. */
export function fewOperations({ operations, size = 0 }: NewTasksGraph): NewOperation[] | undefined {
  if (size > firstPart) {
    return undefined;
  }
  const few: NewOperation[] = [];
  for (const operation of operations) {
    if (few.length === firstPart) {
      return undefined;
    }
    few.push(operation);
  }
  return few;
}

/** @throws GantryError not_found_error */
async function storeWhole(
  session: Session,
  executionId: string,
  { id, name, createdAt }: NewTasksGraph,
  operations: readonly NewOperation[],
): Promise<void> {
  const { counted, finished } = countOperations(operations);
  const known = [executionId, id, name, counted, finished, createdAt ?? null];
  const rows = await session.prepared(wholeStatement, [...known, ...operationParameters(operations)]);
  if (rows.length === 0) {
    throw notFound('Execution', executionId);
  }
}

/**
 * Stores a graph of any size, part by part.
 * @throws GantryError not_found_error
 */
export async function storeInParts(transaction: Transaction, executionId: string, graph: NewTasksGraph): Promise<void> {
  const [row] = await transaction.prepared<{ storageId: number }>(graphStatement, [
    executionId,
    graph.id,
    graph.name,
    graph.createdAt ?? null,
  ]);
  if (!row) {
    throw notFound('Execution', executionId);
  }
  const { counted, finished } = await storeOperations(transaction, row.storageId, graph.operations);
  await transaction.prepared(countStatement, [executionId, counted, finished]);
}

/**
 * Stores a graph with all its operations in one transaction and adds them to the counters of the execution
 * (NOPLocalWorkflowTask does not count). Tenant, creator and visibility are those of the execution.
 * @throws GantryError not_found_error without such an execution; conflict_error when it has a graph of that name
 */
async function insertTasksGraph(session: Session, executionId: string, graph: NewTasksGraph): Promise<void> {
  try {
    const few = fewOperations(graph);
    await (few
      ? storeWhole(session, executionId, graph, few)
      : session.transaction((transaction) => storeInParts(transaction, executionId, graph)));
  } catch (error) {
    throw explainedConflict(error, executionId, graph.name);
  }
}

/** What storing a graph failed with, in words where it is there already. */
export function explainedConflict(error: unknown, executionId: string, name: string): unknown {
  if (isUniqueViolation(error, 'tasks_graphs_name')) {
    return new GantryError('conflict_error', `Execution ${executionId} already has a tasks graph "${name}"`, {
      cause: error,
    });
  }
  return isUniqueViolation(error)
    ? new GantryError('conflict_error', 'A tasks graph or operation with one of these ids already exists', {
        cause: error,
      })
    : error;
}

/** Like `insertTasksGraph`. @returns the graph as it is stored */
export async function storeTasksGraph(
  session: Session,
  executionId: string,
  graph: NewTasksGraph,
): Promise<TasksGraphRow> {
  await insertTasksGraph(session, executionId, graph);
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
