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
import { groupRows, toJsonLines } from './values.ts';

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

type CollapsedChange = OperationChange & { wasStarted: boolean; wasSent: boolean };

/** A row can be updated once per statement: several changes of an operation become one, the last state counting. */
function collapse(changes: readonly OperationChange[]): CollapsedChange[] {
  const collapsed = new Map<string, CollapsedChange>();
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

const storedRank = `case operation.state
  ${operationStates.map((state) => `when '${state}' then ${rankOf(state)}`).join(' ')} end`;

/** Adds to the counters of executions; `ended` are the operations that reached a terminal state. */
const countEnded = `per_graph as (
    select ended.tasks_graph_id, count(*) as count from ended where ended.type <> '${uncountedType}'
    group by ended.tasks_graph_id
  ), counts as (
    select graph.execution_id, sum(per_graph.count) as count from per_graph
    join tasks_graphs graph on graph.storage_id = per_graph.tasks_graph_id
    group by graph.execution_id order by graph.execution_id
  )
  update executions execution set finished_operations = coalesce(execution.finished_operations, 0) + counts.count
  from counts where execution.storage_id = counts.execution_id`;

// the ids stand in both conditions so that the planner expects few rows, and looks them up by the index
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
    where operation.id = any($1) and operation.id = change.id and ${storedRank} < change.rank
    returning operation.tasks_graph_id, operation.type, change.is_end
  ), ended as (
    select tasks_graph_id, type from changed where is_end
  ), ${countEnded}`;

async function changeInDetail(session: Session, rows: readonly CollapsedChange[]): Promise<void> {
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

const passStatement = `
  update operations operation set state = $2::text,
    sent_at = case when $2::text = 'sent' then coalesce(operation.sent_at, now()) else operation.sent_at end,
    started_at = case when $2::text = 'started' then coalesce(operation.started_at, now()) else operation.started_at end
  where operation.id = any($1::text[]) and operation.state = any($3::text[])`;

const endStatement = `
  with ended as (
    update operations operation set state = $2::text, ended_at = now()
    where operation.id = any($1::text[]) and operation.state = any($3::text[])
    returning operation.tasks_graph_id, operation.type
  ), ${countEnded}`;

/** Whether nothing but the state and the time that goes with it is written. */
function isPlain({ state, ...change }: CollapsedChange): boolean {
  const more = change.result ?? change.error ?? change.parameters ?? change.managerName ?? change.agentName;
  return (
    (more ?? undefined) === undefined &&
    (!change.wasSent || state === 'sent') &&
    (!change.wasStarted || state === 'started')
  );
}

/** Most changes: many operations get the same state. */
async function changePlainly(session: Session, state: OperationState, ids: readonly string[]): Promise<void> {
  const earlier = operationStates.filter((other) => rankOf(other) < rankOf(state));
  await session.prepared(isOperationTerminal(state) ? endStatement : passStatement, [ids, state, earlier]);
}

/**
 * Changes the states of operations, in one statement per state and one for those that have more to tell; one that
 * reaches a terminal state for the first time counts as finished for its execution. A change to an earlier state than
 * the stored one is left out. A result of null is what an operation has anyway.
 */
export async function changeOperations(session: Session, changes: readonly OperationChange[]): Promise<void> {
  const rows = collapse(changes);
  for (const [state, group] of groupRows(rows.filter(isPlain), (change) => change.state)) {
    await changePlainly(
      session,
      state,
      group.map(({ id }) => id),
    );
  }
  const others = rows.filter((change) => !isPlain(change));
  if (others.length > 0) {
    await changeInDetail(session, others);
  }
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
