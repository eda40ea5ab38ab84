/** Beginnings and ends of executions that concern nobody but the execution and its deployment: most of them. */
import type { EventInput, Execution } from '../domain/entities.ts';
import { executionTransitions, isExecutionEnded, sourcesOf } from '../domain/states.ts';
import { latestClauses } from './deployment-status.ts';
import { selection, toEntities } from './entity-rows.ts';
import { eventClauses, eventParameters } from './events.ts';
import { executionResource } from './executions.ts';
import type { Session } from './session.ts';

/** One execution to be moved. */
export interface PlainMove {
  readonly execution: Execution;
  /** sha256 hex of its new token; undefined = it keeps the one it has. */
  readonly tokenHash?: string | undefined;
  /** Told when it is moved. */
  readonly event: EventInput;
}

const firstEventParameter = 7;

const moveStatement = `
  with given_moves as (
    select * from unnest($1::text[], $2::text[]) as move (id, token_hash)
  ), driven as materialized (
    select execution.storage_id, move.token_hash
    from given_moves move join executions execution using (id)
    where execution.executor = $3 and execution.status = any($4)
      and not exists (select from execution_groups_executions where execution_id = execution.storage_id)
      and not exists (
        select from deployment_labels_dependencies where source_deployment_id = execution.deployment_id)
      and not ($6::boolean and exists (
        select from inter_deployment_dependencies
        where source_deployment_id = execution.deployment_id and target_deployment_func is not null))
    order by execution.storage_id for no key update of execution
  ), changed as (
    update executions execution set status = $5::text, status_changed_at = now(),
      error = case when $6 then '' else execution.error end,
      started_at = case when $6 then execution.started_at else coalesce(execution.started_at, now()) end,
      ended_at = case when $6 then coalesce(execution.ended_at, now()) else execution.ended_at end,
      executor = case when $6 then null else execution.executor end,
      token_hash = coalesce(driven.token_hash, execution.token_hash)
    from driven where driven.storage_id = execution.storage_id
    returning execution.*
  ), ${latestClauses('changed')}, ${eventClauses(firstEventParameter, { executions: 'changed' })}
  select ${selection(executionResource, () => true)}
  from ${executionResource.from.replace('executions execution', 'changed execution')} cross join notified`;

/**
 * Starts executions, or ends those that succeeded, together with what follows for their deployments and with their
 * events, in one statement. Left out are those that `executor` does not drive, whose status does not allow it, and those
 * that concern others as well: members of groups, deployments that are part of others or (at an end) depend on others in
 * a way that has to be evaluated.
 * @param moves at most one of each deployment
 * @returns the moved executions by id
 */
export async function moveExecutions(
  session: Session,
  executor: string,
  event: 'start' | 'succeed',
  moves: readonly PlainMove[],
): Promise<ReadonlyMap<string, Execution>> {
  const { from, to } = sourcesOf(executionTransitions, event);
  const rows = await session.prepared(moveStatement, [
    moves.map(({ execution }) => execution.id),
    moves.map(({ tokenHash }) => tokenHash ?? null),
    ...[executor, [...from], to, isExecutionEnded(to)],
    ...eventParameters(moves.map((move) => move.event)),
  ]);
  const executions = await toEntities(session, executionResource, rows, () => true);
  return new Map(executions.map((execution) => [execution.id, execution]));
}
