import type { EventInput } from '../domain/entities.ts';
import type { OperationState } from '../domain/states.ts';
import { isOperationTerminal, operationStates } from '../domain/states.ts';
import { insertEvents } from './events.ts';
import type { InstanceStateChange } from './instance-states.ts';
import { changeInstanceStates } from './instance-states.ts';
import type { OperationChange } from './operations.ts';
import { uncountedType } from './operation-rows.ts';
import { addOperations } from './operations.ts';
import type { Session } from './session.ts';
import type { NewOperation } from './tasks-graphs.ts';
import { toJsonLines } from './values.ts';

/** Everything one group commit of the engine writes, possibly of many executions. */
export interface Progress {
  operations: readonly OperationChange[];
  /** Operations that joined a stored graph, e.g. retries. */
  newOperations: readonly { tasksGraphId: string; operation: NewOperation }[];
  instances: readonly InstanceStateChange[];
  events: readonly EventInput[];
}

export interface ProgressOutcome {
  /** New versions of the node instances whose state changed. */
  instanceVersions: ReadonlyMap<string, number>;
}

/** A row can be updated once per statement: several changes of an operation become one, the last state counting. */
function collapse(
  changes: readonly OperationChange[],
): (OperationChange & { wasStarted: boolean; wasSent: boolean })[] {
  const collapsed = new Map<string, OperationChange & { wasStarted: boolean; wasSent: boolean }>();
  for (const change of changes) {
    const before = collapsed.get(change.id);
    collapsed.set(change.id, {
      ...before,
      ...change,
      ...(before?.parameters ? { parameters: { ...before.parameters, ...change.parameters } } : {}),
      wasSent: (before?.wasSent ?? false) || change.state === 'sent',
      wasStarted: (before?.wasStarted ?? false) || change.state === 'started',
    });
  }
  return [...collapsed.values()];
}

const terminalRank = operationStates.indexOf('succeeded');

/** States only ever grow; a late `sent` must not hide that a worker has started meanwhile. */
function rankOf(state: OperationState): number {
  return Math.min(operationStates.indexOf(state), terminalRank);
}

const storedRank = `least(array_position('{${operationStates.join(',')}}'::text[], operation.state) - 1, ${terminalRank})`;

const changeStatement = `
  with changed as (
    update operations operation set
      state = change.state,
      result = coalesce(nullif(change.result, '')::json, operation.result),
      error = coalesce(nullif(change.error, '')::json, operation.error),
      manager_name = coalesce(change.manager_name, operation.manager_name),
      agent_name = coalesce(change.agent_name, operation.agent_name),
      parameters = case when coalesce(change.parameters, '') = '' then operation.parameters
        else (operation.parameters::jsonb || change.parameters::jsonb)::json end,
      sent_at = case when change.was_sent then coalesce(operation.sent_at, now()) else operation.sent_at end,
      started_at = case when change.was_started then coalesce(operation.started_at, now()) else operation.started_at end,
      ended_at = case when change.is_end then now() else operation.ended_at end
    from rows from (unnest($1::text[]), unnest($2::text[]), unnest($3::integer[]), string_to_table($4::text, E'\\n'),
        string_to_table($5::text, E'\\n'), unnest($6::text[]), unnest($7::text[]), string_to_table($8::text, E'\\n'),
        unnest($9::boolean[]), unnest($10::boolean[]), unnest($11::boolean[]))
      as change (id, state, rank, result, error, manager_name, agent_name, parameters, was_sent, was_started, is_end)
    where operation.id = change.id and ${storedRank} < change.rank
    returning operation.tasks_graph_id, operation.type, change.is_end
  ), counts as (
    select graph.execution_id, count(*) as count from changed
    join tasks_graphs graph on graph.storage_id = changed.tasks_graph_id
    where changed.is_end and changed.type <> '${uncountedType}'
    group by graph.execution_id order by graph.execution_id
  )
  update executions execution set finished_operations = coalesce(execution.finished_operations, 0) + counts.count
  from counts where execution.storage_id = counts.execution_id`;

/**
 * Changes the states of operations in one statement; one that reaches a terminal state for the first time counts as
 * finished for its execution. A change to an earlier state than the stored one is left out.
 */
export async function changeOperations(session: Session, changes: readonly OperationChange[]): Promise<void> {
  if (changes.length === 0) {
    return;
  }
  const rows = collapse(changes);
  await session.prepared(changeStatement, [
    rows.map(({ id }) => id),
    rows.map(({ state }) => state),
    rows.map(({ state }) => rankOf(state)),
    toJsonLines(rows.map(({ result }) => result)),
    toJsonLines(rows.map(({ error }) => error)),
    rows.map(({ managerName }) => managerName ?? null),
    rows.map(({ agentName }) => agentName ?? null),
    toJsonLines(rows.map(({ parameters }) => parameters)),
    rows.map(({ wasSent }) => wasSent),
    rows.map(({ wasStarted }) => wasStarted),
    rows.map(({ state }) => isOperationTerminal(state)),
  ]);
}

/**
 * Writes a batch in one transaction with one statement per kind: new operations, operation states (an operation that
 * reached a terminal state first counts as finished for its execution), node instance states, events.
 */
export async function storeProgress(session: Session, progress: Progress): Promise<ProgressOutcome> {
  return session.transaction(async (transaction) => {
    await addOperations(transaction, progress.newOperations);
    await changeOperations(transaction, progress.operations);
    const instanceVersions = await changeInstanceStates(transaction, progress.instances);
    await insertEvents(transaction, progress.events);
    return { instanceVersions };
  });
}
