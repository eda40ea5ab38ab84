/** What people decide about executions and single operations, as it is stored for whoever drives them. */
import type { Breakpoint, OperationDecision } from '../domain/control.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { ExecutionStatus, OperationState } from '../domain/states.ts';
import type { OperationErrorObject } from '../domain/operation-error.ts';
import { uncountedType } from './operation-rows.ts';
import type { Session, Transaction } from './session.ts';
import { toJson } from './values.ts';

/** What the driver of an execution has to know of it besides its graph. */
export interface ExecutionControl {
  readonly status: ExecutionStatus;
  readonly breakpoints: readonly Breakpoint[];
  /** Grows with every decision. */
  readonly version: number;
}

/** Control of executions by id; unknown ids are left out. */
export async function findControls(
  session: Session,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ExecutionControl>> {
  const rows = await session.prepared<ExecutionControl & { id: string }>(
    `select id, status, breakpoints, control_version as version from executions where id = any($1)`,
    [ids],
  );
  return new Map(rows.map(({ id, ...control }) => [id, control]));
}

/** Locks an execution against its driver and others who decide about it. @returns its status; undefined when gone */
export async function lockExecution(transaction: Transaction, id: string): Promise<ExecutionStatus | undefined> {
  const [row] = await transaction.prepared<{ status: ExecutionStatus }>(
    'select status from executions where id = $1 for no key update',
    [id],
  );
  return row?.status;
}

/** Tells the driver of an execution that there is something to look at, once the transaction is committed. */
export async function announceControl(transaction: Transaction, executionId: string): Promise<void> {
  await transaction.prepared('update executions set control_version = control_version + 1 where id = $1', [
    executionId,
  ]);
}

export async function replaceBreakpoints(
  transaction: Transaction,
  executionId: string,
  breakpoints: readonly Breakpoint[],
): Promise<void> {
  await transaction.prepared('update executions set breakpoints = $2::jsonb where id = $1', [
    executionId,
    toJson(breakpoints),
  ]);
}

/** An operation somebody decided about. */
export interface DecidedOperation {
  readonly id: string;
  readonly decision: OperationDecision;
}

export async function findDecisions(session: Session, executionId: string): Promise<DecidedOperation[]> {
  return session.prepared<DecidedOperation>(
    `select operation.id, operation.decision from operations operation
     join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
     join executions execution on execution.storage_id = graph.execution_id
     where execution.id = $1 and operation.decision is not null`,
    [executionId],
  );
}

/** Notes since when operations are held back. @returns those that were not noted before */
export async function markHeld(session: Session, ids: readonly string[]): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    `update operations set held_at = now() where id = any($1) and held_at is null and state = 'pending' returning id`,
    [[...ids]],
  );
  return rows.map(({ id }) => id);
}

/** Id of the next attempt of an operation or subgraph, if there is one. */
export async function findNextAttempt(session: Session, tasksGraphId: string, id: string): Promise<string | undefined> {
  const [row] = await session.prepared<{ id: string }>(
    `select operation.id from operations operation join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
     where graph.id = $1 and operation.parameters ->> 'retried_task' = $2`,
    [tasksGraphId, id],
  );
  return row?.id;
}

/** A subgraph around an operation, from the inside out. */
export interface Container {
  readonly id: string;
  readonly state: OperationState;
}

/** The subgraphs around an operation, innermost first. */
export async function findContainers(session: Session, operationId: string): Promise<Container[]> {
  return session.prepared<Container>(
    `with recursive around as (
       select parameters ->> 'containing_subgraph' as id, tasks_graph_id, 1 as depth from operations where id = $1
       union all
       select operation.parameters ->> 'containing_subgraph', operation.tasks_graph_id, around.depth + 1
       from around join operations operation on operation.id = around.id
     )
     select operation.id, operation.state from around join operations operation on operation.id = around.id
     order by around.depth`,
    [operationId],
  );
}

/** Opens failed subgraphs again, so that what is inside runs once more; they do not count as finished any more. */
export async function reopenContainers(
  transaction: Transaction,
  executionId: string,
  ids: readonly string[],
): Promise<void> {
  await transaction.prepared(
    `with reopened as (
       update operations set state = 'started', ended_at = null, error = null where id = any($2) and state = 'failed' returning id
     )
     update executions set finished_operations = finished_operations - (select count(*) from reopened) where id = $1`,
    [executionId, [...ids]],
  );
}

export async function decide(transaction: Transaction, id: string, decision: OperationDecision): Promise<void> {
  await transaction.prepared(`update operations set decision = $2::jsonb where id = $1`, [id, toJson(decision)]);
}

export interface DecidedChange {
  /** States it is changed from. */
  readonly from: readonly OperationState[];
  readonly to: OperationState;
  readonly decision: OperationDecision;
  readonly error?: OperationErrorObject;
}

/**
 * Compare-and-set of the state of an operation by a decision.
 * @returns whether its state allowed it
 */
export async function changeByDecision(transaction: Transaction, id: string, change: DecidedChange): Promise<boolean> {
  const { from, to, decision, error } = change;
  const [row] = await transaction.prepared<{ type: string; wasEnded: boolean; executionId: number }>(
    `update operations operation set state = $3, decision = $4::jsonb, result = nullif($5, '')::json,
       error = nullif($6, '')::json, ended_at = coalesce(operation.ended_at, now())
     from operations before join tasks_graphs graph on graph.storage_id = before.tasks_graph_id
     where operation.id = $1 and before.id = $1 and operation.state = any($2)
     returning operation.type, before.state = any('{succeeded,failed,rescheduled}') as "wasEnded",
       graph.execution_id as "executionId"`,
    [id, [...from], to, toJson(decision), toJson(decision.result) ?? '', toJson(error) ?? ''],
  );
  if (row && !row.wasEnded && row.type !== uncountedType) {
    await transaction.prepared(
      'update executions set finished_operations = coalesce(finished_operations, 0) + 1 where storage_id = $1',
      [row.executionId],
    );
  }
  return row !== undefined;
}

/** Replaces the parameters of an operation that has not been sent. @returns whether its state allowed it */
export async function replaceParameters(
  transaction: Transaction,
  id: string,
  parameters: JsonObject,
  decision: OperationDecision,
): Promise<boolean> {
  const rows = await transaction.prepared(
    `update operations set parameters = $2::json, decision = $3::jsonb where id = $1 and state = 'pending' returning id`,
    [id, toJson(parameters), toJson(decision)],
  );
  return rows.length > 0;
}

/** Decides alike about all operations of an execution that are held back. @returns how many */
export async function decideHeld(
  transaction: Transaction,
  executionId: string,
  decision: OperationDecision,
): Promise<number> {
  const rows = await transaction.prepared(
    `update operations operation set decision = $2::jsonb
     from tasks_graphs graph join executions execution on execution.storage_id = graph.execution_id
     where graph.storage_id = operation.tasks_graph_id and execution.id = $1
       and operation.state = 'pending' and operation.held_at is not null
       and coalesce(operation.decision ->> 'action', '') not in ('step', 'skip', 'done')
     returning operation.id`,
    [executionId, toJson(decision)],
  );
  return rows.length;
}
