import type { EventInput } from '../domain/entities.ts';
import type { OperationState } from '../domain/states.ts';
import { isOperationTerminal, operationStates } from '../domain/states.ts';
import { lockDrivenExecutions } from './driving.ts';
import { eventClauses, eventParameters } from './events.ts';
import type { InstanceStateChange } from './instance-states.ts';
import { instanceClause, instanceParameterCount, instanceParameters } from './instance-states.ts';
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

/** Changes of many operations to one of these states, with nothing more to tell, are most of all changes. */
const plainStates = ['sent', 'started', 'succeeded'] as const;
type PlainState = (typeof plainStates)[number];

function isPlain({ state, ...change }: CollapsedChange): boolean {
  const more = change.result ?? change.error ?? change.parameters ?? change.managerName ?? change.agentName;
  return (
    plainStates.some((plain) => plain === state) &&
    (more ?? undefined) === undefined &&
    (!change.wasSent || state === 'sent') &&
    (!change.wasStarted || state === 'started')
  );
}

function earlierThan(state: PlainState): string {
  const names = operationStates.filter((other) => rankOf(other) < rankOf(state));
  return `operation.state in (${names.map((name) => `'${name}'`).join(', ')})`;
}

const isOpen = '(select is_open from gate)';

function plainClause(state: PlainState, time: string, ids: number): string {
  return `update operations operation set state = '${state}', ${time} = coalesce(operation.${time}, now())
    where operation.id = any($${ids}::text[]) and ${earlierThan(state)} and ${isOpen}`;
}

const firstInstanceParameter = 17;
const firstEventParameter = firstInstanceParameter + instanceParameterCount;

/**
 * All that a batch writes, as one statement: a round trip costs as much as a hundred rows. The executions are locked
 * first; unless all of them are driven by $2 the gate stays shut and nothing is written. Operations that reached a
 * terminal state are added to the counters of their executions.
 *
 * Where ids stand in two conditions, the planner expects few rows and looks them up by the index.
 */
const progressStatement = `
  with driven as materialized (
    select execution.storage_id, execution.id, execution.tenant_id, execution.creator_id, execution.visibility
    from executions execution where execution.id = any($1::text[]) and ($2::text is null or execution.executor = $2)
    order by execution.storage_id for no key update
  ), gate as materialized (
    select $2::text is null or count(*) = cardinality($1::text[]) as is_open from driven
  ), sent as (
    ${plainClause('sent', 'sent_at', 14)}
  ), started as (
    ${plainClause('started', 'started_at', 15)}
  ), succeeded as (
    ${plainClause('succeeded', 'ended_at', 16)}
    returning operation.tasks_graph_id, operation.type
  ), changed as (
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
    from rows from (unnest($3::text[]), unnest($4::text[]), unnest($5::integer[]), string_to_table($6::text, E'\\n'),
        string_to_table($7::text, E'\\n'), unnest($8::text[]), unnest($9::text[]), string_to_table($10::text, E'\\n'),
        unnest($11::boolean[]), unnest($12::boolean[]), unnest($13::boolean[]))
      as change (id, state, rank, result, error, manager_name, agent_name, parameters, was_sent, was_started, is_end)
    where operation.id = any($3) and operation.id = change.id and ${storedRank} < change.rank and ${isOpen}
    returning operation.tasks_graph_id, operation.type, change.is_end
  ), ended as (
    select tasks_graph_id, type from succeeded union all select tasks_graph_id, type from changed where is_end
  ), per_graph as (
    select ended.tasks_graph_id, count(*) as count from ended where ended.type <> '${uncountedType}'
    group by ended.tasks_graph_id
  ), counts as (
    select graph.execution_id, sum(per_graph.count) as count from per_graph
    join tasks_graphs graph on graph.storage_id = per_graph.tasks_graph_id
    group by graph.execution_id order by graph.execution_id
  ), counted as (
    update executions execution set finished_operations = coalesce(execution.finished_operations, 0) + counts.count
    from counts where execution.storage_id = counts.execution_id
  ), instances as (
    ${instanceClause(firstInstanceParameter, isOpen)}
  ), ${eventClauses(firstEventParameter, { condition: isOpen, executions: 'driven' })}
  select gate.is_open as "isOpen" from gate left join notified on true`;

/** A row can be updated once per statement, and most changes have nothing but their state. */
function operationParameters(changes: readonly OperationChange[]): unknown[] {
  const plain = new Map<OperationState, string[]>(plainStates.map((state) => [state, []]));
  const rows: CollapsedChange[] = [];
  for (const change of collapse(changes)) {
    if (isPlain(change)) {
      plain.get(change.state)?.push(change.id);
    } else {
      rows.push(change);
    }
  }
  return [
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
    ...plainStates.map((state) => plain.get(state)),
  ];
}

/** Whose progress is stored. */
export interface ProgressDriver {
  /** Process that must be driving all of the executions. */
  executor: string;
  executionIds: readonly string[];
}

/**
 * Writes a batch in one transaction, most often in one statement: new operations, operation states (an operation that
 * reached a terminal state first counts as finished for its execution; a change to an earlier state than the stored one
 * is left out; a result of null is what an operation has anyway), node instance states, events.
 * @param driver undefined = whoever drives the executions
 * @returns whether it is stored; not when somebody else drives one of the executions, and nothing is stored then
 */
export async function storeProgress(session: Session, progress: Progress, driver?: ProgressDriver): Promise<boolean> {
  const { newOperations } = progress;
  if (newOperations.length === 0) {
    return storeChanges(session, progress, driver);
  }
  return session.transaction(async (transaction) => {
    if (driver) {
      const driven = await lockDrivenExecutions(transaction, driver.executor, driver.executionIds);
      if (driven.length < driver.executionIds.length) {
        return false;
      }
    }
    await addOperations(transaction, newOperations);
    return storeChanges(transaction, progress, driver);
  });
}

async function storeChanges(
  session: Session,
  { operations, instances, events }: Progress,
  driver: ProgressDriver | undefined,
): Promise<boolean> {
  const executionIds = driver?.executionIds ?? [...new Set(events.flatMap(({ executionId }) => executionId ?? []))];
  const [row] = await session.prepared<{ isOpen: boolean }>(progressStatement, [
    executionIds,
    driver?.executor ?? null,
    ...operationParameters(operations),
    ...instanceParameters(instances),
    ...eventParameters(events),
  ]);
  return row?.isOpen ?? false;
}
