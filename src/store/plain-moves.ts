/** Beginnings and ends of executions of which other deployments need not hear: most of them. */
import type { EventInput, Execution } from '../domain/entities.ts';
import { executionTransitions, isExecutionEnded, sourcesOf } from '../domain/states.ts';
import { latestClauses } from './deployment-status.ts';
import { selection, toEntities } from './entity-rows.ts';
import { eventClauses, eventParameters } from './events.ts';
import { orderingWorkflows, stateChange } from './execution-effects.ts';
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

const firstEventParameter = 9;

const moveStatement = `
  with given_moves as (
    select * from unnest($1::text[], $2::text[], $7::text[]) as move (id, token_hash, change)
  ), driven as materialized (
    select execution.storage_id, move.token_hash, move.change
    from given_moves move join executions execution using (id)
    where execution.executor = $3 and execution.status = any($4)
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
    returning execution.*, driven.change
  ), ${latestClauses('changed')}, members as materialized (
    select execution_group.id, execution_group.storage_id as group_id, execution_group.tenant_id,
      execution_group.creator_id, execution_group.visibility, execution_group.success_group_id,
      changed.storage_id as execution_id, changed.deployment_id, changed.workflow_id, changed.change
    from changed
    join execution_groups_executions member on member.execution_id = changed.storage_id
    join execution_groups execution_group on execution_group.storage_id = member.execution_group_id
    for key share of execution_group
  ), told as (
    insert into events (kind, reported_timestamp, tenant_id, creator_id, visibility, execution_group_id, message,
      event_type)
    select 'event', now(), tenant_id, creator_id, visibility, group_id, change, 'execution_state_change'
    from members order by execution_id
  ), joined as (
    insert into deployment_groups_deployments (deployment_group_id, deployment_id)
    select success_group_id, deployment_id from members
    where $6 and success_group_id is not null and deployment_id is not null and workflow_id <> all($8)
    on conflict do nothing
  ), groups_notified as materialized (
    select count(pg_notify('gantry_events', id)) from (select distinct id from members) told_group
  ), ${eventClauses(firstEventParameter, { executions: 'changed' })}
  select ${selection(executionResource, () => true)}
  from ${executionResource.from.replace('executions execution', 'changed execution')} cross join notified cross join groups_notified`;

/**
 * Starts executions, or ends those that succeeded, together with what follows for their deployments and with their
 * events, in one statement. Left out are those that `executor` does not drive, whose status does not allow it, and those
 * of deployments that are part of others or (at an end) depend on others in a way that has to be evaluated.
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
    moves.map(({ execution: { id } }) => stateChange({ id, status: to, error: undefined })),
    orderingWorkflows,
    ...eventParameters(moves.map((move) => move.event)),
  ]);
  const executions = await toEntities(session, executionResource, rows, () => true);
  return new Map(executions.map((execution) => [execution.id, execution]));
}
