/** How a new tasks graph is stored together with the first step of its run. */
import { lockDrivenExecutions } from './driving.ts';
import { eventClauses, eventParameters } from './events.ts';
import { instanceClause, instanceParameterCount, instanceParameters } from './instance-states.ts';
import {
  operationColumns,
  operationParameterCount,
  operationParameters,
  operationSource,
  operationValues,
} from './operation-rows.ts';
import { storeProgress } from './progress.ts';
import type { Progress } from './progress.ts';
import type { Session, Transaction } from './session.ts';
import { countOperations, explainedConflict, fewOperations, storeInParts } from './tasks-graphs.ts';
import type { NewOperation, NewTasksGraph } from './tasks-graphs.ts';

/** Whose graph it is, and the process that must be driving it. */
export interface GraphOwner {
  executionId: string;
  executor: string;
}

const firstOperationParameter = 7;
const firstInstanceParameter = firstOperationParameter + operationParameterCount;
const firstEventParameter = firstInstanceParameter + instanceParameterCount;

/** A small graph with all that its first step changed, as one statement; nothing of it unless $2 drives $1. */
const wholeStatement = `
  with driven as materialized (
    select execution.storage_id, execution.id, execution.tenant_id, execution.creator_id, execution.visibility
    from executions execution where execution.id = $1 and execution.executor = $2 for no key update
  ), counted as (
    update executions execution set
      total_operations = coalesce(execution.total_operations, 0) + $5,
      finished_operations = coalesce(execution.finished_operations, 0) + $6
    from driven where execution.storage_id = driven.storage_id
  ), graph as (
    insert into tasks_graphs (id, execution_id, name) select $3, driven.storage_id, $4 from driven
    returning storage_id
  ), added as (
    insert into operations (tasks_graph_id, ${operationColumns})
    select graph.storage_id, ${operationValues} from graph cross join ${operationSource(firstOperationParameter)}
    where operation.id is not null order by operation.position
  ), instances as (
    ${instanceClause(firstInstanceParameter, 'exists (select from driven)')}
  ), ${eventClauses(firstEventParameter, { executions: 'driven' })}
  select exists (select from driven) as "isDriven" from notified`;

async function storeWhole(
  session: Session,
  { executionId, executor }: GraphOwner,
  { id, name }: NewTasksGraph,
  operations: readonly NewOperation[],
  { instances, events }: Progress,
): Promise<boolean> {
  const { counted, finished } = countOperations(operations);
  const [row] = await session.prepared<{ isDriven: boolean }>(wholeStatement, [
    ...[executionId, executor, id, name, counted, finished],
    ...operationParameters(operations),
    ...instanceParameters(instances),
    ...eventParameters(events),
  ]);
  return row?.isDriven ?? false;
}

/** Events of one statement. */
const mostEvents = 3000;

async function storeDriven(
  transaction: Transaction,
  owner: GraphOwner,
  graph: NewTasksGraph,
  { events, ...progress }: Progress,
): Promise<boolean> {
  const driven = await lockDrivenExecutions(transaction, owner.executor, [owner.executionId]);
  if (driven.length === 0) {
    return false;
  }
  await storeInParts(transaction, owner.executionId, graph);
  await storeProgress(transaction, { ...progress, events: events.slice(0, mostEvents) });
  for (let start = mostEvents; start < events.length; start += mostEvents) {
    const part = events.slice(start, start + mostEvents);
    await storeProgress(transaction, { operations: [], newOperations: [], instances: [], events: part });
  }
  return true;
}

/**
 * Stores a new graph together with the first step of its run. The rows of its operations have the state already that
 * this step gave them: hardly any of them has to be changed again in the same moment.
 * @param first what the step changed besides: operations of which there is more to tell than their state, instances
 *   and events
 * @param also what belongs into the same transaction
 * @returns whether it is stored; not when somebody else drives the execution
 * @throws GantryError conflict_error when the execution has a graph of that name
 */
export async function insertBegunGraph(
  session: Session,
  owner: GraphOwner,
  graph: NewTasksGraph,
  first: Progress,
  also?: (transaction: Transaction) => Promise<void>,
): Promise<boolean> {
  try {
    const isPlain = first.operations.length === 0 && first.newOperations.length === 0 && !also;
    const few = isPlain ? fewOperations(graph) : undefined;
    if (few) {
      return await storeWhole(session, owner, graph, few, first);
    }
    return await session.transaction(async (transaction) => {
      const isStored = await storeDriven(transaction, owner, graph, first);
      if (isStored) {
        await also?.(transaction);
      }
      return isStored;
    });
  } catch (error) {
    throw explainedConflict(error, owner.executionId, graph.name);
  }
}
