import type { OperationRow } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';
import { isUniqueViolation } from './database-errors.ts';
import { findResources, listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import {
  operationColumns,
  operationParameters,
  operationSource,
  operationValues,
  uncountedType,
} from './operation-rows.ts';
import type { Resource } from './resource.ts';
import { heavy, integer, json, resourceJoins, scopeFields, scopeOf, text, timestamp } from './resource.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import type { NewOperation } from './tasks-graphs.ts';
import { toJsonLines } from './values.ts';

/** One change of a stored operation by the engine; absent members stay. */
export interface OperationChange {
  id: string;
  state: OperationState;
  result?: Json;
  error?: Json;
  managerName?: string;
  agentName?: string;
  /** Merged into the stored parameters at the top level, e.g. `{ current_retries: 1 }`. */
  parameters?: JsonObject;
}

const operationResource: Resource<OperationRow> = {
  kind: 'Operation',
  table: 'operations',
  alias: 'operation',
  from: `operations operation join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
    join executions execution on execution.storage_id = graph.execution_id ${resourceJoins('execution')}`,
  scope: scopeOf('execution'),
  fields: {
    storageId: integer('operation.storage_id'),
    id: text('operation.id'),
    ...scopeFields('execution'),
    createdAt: timestamp('operation.created_at'),
    name: text('operation.name'),
    state: text('operation.state'),
    type: text('operation.type'),
    dependencies: json('operation.dependencies'),
    parameters: heavy(json('operation.parameters')),
    managerName: text('operation.manager_name'),
    agentName: text('operation.agent_name'),
    tasksGraphId: text('graph.id'),
    executionId: text('execution.id'),
    result: heavy(json('operation.result')),
    error: heavy(json('operation.error')),
    attempt: integer('operation.attempt'),
    worker: text('operation.worker'),
    sentAt: timestamp('operation.sent_at'),
    startedAt: timestamp('operation.started_at'),
    endedAt: timestamp('operation.ended_at'),
    heldAt: timestamp('operation.held_at'),
    decision: json('operation.decision'),
  },
  defaultOrder: 'operation.storage_id',
  defaults: { parameters: {} },
};

/** All operations of a graph, in the order they were stored. */
export async function loadOperations(session: Session, tasksGraphId: string): Promise<OperationRow[]> {
  return findResources(session, operationResource, (parameters) => `graph.id = ${parameters.add(tasksGraphId)}`);
}

/** @throws GantryError not_found_error */
export async function getOperation(session: Session, scope: Scope, id: string): Promise<OperationRow> {
  return getResource(session, operationResource, scope, { id });
}

/** Operations of a graph or of all graphs of an execution. */
export async function listOperations(
  session: Session,
  scope: Scope,
  of: { tasksGraphId: string } | { executionId: string },
  query: ListQuery,
): Promise<Page<OperationRow>> {
  return listResources(session, operationResource, scope, query, [
    (parameters) =>
      'tasksGraphId' in of
        ? `graph.id = ${parameters.add(of.tasksGraphId)}`
        : `execution.id = ${parameters.add(of.executionId)}`,
  ]);
}

/** pending or sending -> sent for all `ids` in one statement. @returns the ids that were changed */
export async function markOperationsSent(session: Session, ids: readonly string[]): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    `update operations set state = 'sent', sent_at = now() where id = any($1) and state in ('pending', 'sending') returning id`,
    [[...ids]],
  );
  return rows.map(({ id }) => id);
}

// graphs are locked so that none is deleted before its new operations can be seen; see migration 009
const addStatement = `
  with graphs as materialized (
    select storage_id, id from tasks_graphs where id = any($1::text[]) order by storage_id for key share
  ), added as (
    insert into operations (tasks_graph_id, ${operationColumns})
    select graph.storage_id, ${operationValues}
    from unnest($1::text[]) with ordinality as target (tasks_graph_id, position)
    join ${operationSource(2)} using (position)
    join graphs graph on graph.id = target.tasks_graph_id
    order by position
    on conflict (id) do nothing
    returning tasks_graph_id, type
  ), counts as (
    select graph.execution_id, count(*) as count from added join tasks_graphs graph on graph.storage_id = added.tasks_graph_id
    where added.type <> '${uncountedType}' group by graph.execution_id
  )
  update executions execution set total_operations = coalesce(execution.total_operations, 0) + counts.count,
    finished_operations = coalesce(execution.finished_operations, 0)
  from counts where execution.storage_id = counts.execution_id`;

/** Adds operations to stored graphs in one statement; those that are there already stay as they are. */
export async function addOperations(
  session: Session,
  operations: readonly { tasksGraphId: string; operation: NewOperation }[],
): Promise<void> {
  if (operations.length > 0) {
    await session.prepared(addStatement, [
      operations.map(({ tasksGraphId }) => tasksGraphId),
      ...operationParameters(operations.map(({ operation }) => operation)),
    ]);
  }
}

/** Adds one operation for a client. @throws GantryError conflict_error for a known id */
export async function createOperation(session: Session, tasksGraphId: string, operation: NewOperation): Promise<void> {
  const [known] = await session.prepared('select from operations where id = $1', [operation.id]);
  if (known) {
    throw new GantryError('conflict_error', `Operation ${operation.id} already exists`);
  }
  try {
    await addOperations(session, [{ tasksGraphId, operation }]);
  } catch (error) {
    throw isUniqueViolation(error)
      ? new GantryError('conflict_error', `Operation ${operation.id} already exists`, { cause: error })
      : error;
  }
}

/** Removes an operation and takes it out of the counters of its execution. @returns whether it was there */
export async function deleteOperation(session: Session, id: string): Promise<boolean> {
  const rows = await session.prepared(
    `with gone as (delete from operations where id = $1 returning tasks_graph_id, type, state),
     counted as (
       update executions execution set total_operations = execution.total_operations - 1,
         finished_operations = execution.finished_operations
           - (gone.state in ('succeeded', 'failed', 'rescheduled'))::integer
       from gone join tasks_graphs graph on graph.storage_id = gone.tasks_graph_id
       where execution.storage_id = graph.execution_id and gone.type <> '${uncountedType}'
     )
     select from gone`,
    [id],
  );
  return rows.length > 0;
}

/** Replaces the parameters of stored operations, in one statement. */
export async function replaceOperationParameters(
  session: Session,
  changes: readonly { id: string; parameters: JsonObject }[],
): Promise<void> {
  await session.prepared(
    `update operations operation set parameters = change.parameters::json
     from rows from (unnest($1::text[]), string_to_table($2::text, E'\\n')) as change (id, parameters)
     where operation.id = any($1) and operation.id = change.id`,
    [changes.map(({ id }) => id), toJsonLines(changes.map(({ parameters }) => parameters))],
  );
}

/** A stored operation that a resume would run. */
export interface ResumableOperation {
  id: string;
  parameters: JsonObject;
}

/**
 * Operations of a deployment that a resume of their execution would run, of the given nodes and names.
 * @param nodeNames one for each of `operationNames`
 */
export async function findResumableOperations(
  session: Session,
  deploymentStorageId: number,
  nodeNames: readonly string[],
  operationNames: readonly string[],
): Promise<ResumableOperation[]> {
  return session.prepared<ResumableOperation>(
    `select operation.id, operation.parameters from operations operation
     join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
     join executions execution on execution.storage_id = graph.execution_id
     where execution.deployment_id = $1 and execution.status in ('pending', 'started', 'cancelled', 'failed')
       and operation.state in ('pending', 'failed', 'rescheduled') and operation.type = 'RemoteWorkflowTask'
       and (operation.parameters #>> '{task_kwargs,kwargs,__cloudify_context,node_name}',
            operation.parameters #>> '{task_kwargs,kwargs,__cloudify_context,operation,name}')
         in (select * from unnest($2::text[], $3::text[]))
     order by operation.storage_id for update of operation`,
    [deploymentStorageId, [...nodeNames], [...operationNames]],
  );
}

const resetStatement = `
  with graphs as (
    select graph.storage_id, graph.execution_id from tasks_graphs graph
    join executions execution on execution.storage_id = graph.execution_id where execution.id = any($1)
  ), retried as (
    select operation.parameters ->> 'retried_task' as id from operations operation
    where operation.tasks_graph_id in (select storage_id from graphs)
      and operation.parameters ->> 'retried_task' is not null
  ), transient as (
    select operation.id from operations operation
    where operation.tasks_graph_id in (select storage_id from graphs)
      and operation.parameters #>> '{info,transient}' = 'true'
  ), chosen as (
    select operation.storage_id, operation.type, operation.state from operations operation
    where operation.tasks_graph_id in (select storage_id from graphs) and operation.state = any($2)
      and not exists (select from retried where retried.id = operation.id)
      and (operation.state not in ('failed', 'rescheduled') or not exists (select from transient
        where transient.id in (operation.id, operation.parameters ->> 'containing_subgraph')))
  ), reset as (
    update operations operation set state = 'pending', parameters = (operation.parameters::jsonb || '{"current_retries": 0}')::json,
      worker = null, result = null, error = null, sent_at = null, started_at = null, ended_at = null
    from chosen where operation.storage_id = chosen.storage_id
    returning operation.tasks_graph_id, chosen.type, chosen.state
  ), finished as (
    select graphs.execution_id, count(*) as count from reset join graphs on graphs.storage_id = reset.tasks_graph_id
    where reset.type <> '${uncountedType}' and reset.state in ('failed', 'rescheduled')
    group by graphs.execution_id
  ), counted as (
    update executions execution set finished_operations = greatest(0, execution.finished_operations - finished.count)
    from finished where execution.storage_id = finished.execution_id
  )
  select count(*) as count from reset`;

/**
 * Puts operations of executions back to pending with current_retries 0 for a resume: failed and rescheduled ones that
 * no other operation retries, those of an earlier resume's cleanup left out, for another is made where it is needed; with
 * `force` also sending, sent and started ones. @returns how many
 */
export async function resetOperations(
  session: Session,
  executionIds: readonly string[],
  force: boolean,
): Promise<number> {
  const states = ['failed', 'rescheduled', ...(force ? ['sending', 'sent', 'started'] : [])];
  const [row] = await session.prepared<{ count: number }>(resetStatement, [[...executionIds], states]);
  return row?.count ?? 0;
}

export { claimOperations, findAnswers, storeAnswers } from './operation-claims.ts';
export type { OperationAnswer, OperationClaim } from './operation-claims.ts';
