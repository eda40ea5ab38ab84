import type { JsonObject } from '../domain/plan.ts';
import type { ExecutionSchedule } from '../domain/resources.ts';
import { findResources, listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { boolean, hidden, integer, json, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import type { NewResource } from './resource-writes.ts';
import { createResource, deleteResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { jsonChange } from './values.ts';

/** undefined = leave, null = clear. */
export interface ExecutionScheduleUpdate {
  workflowId?: string | undefined;
  rule?: JsonObject | undefined;
  since?: Date | undefined;
  until?: Date | null | undefined;
  nextOccurrence?: Date | null | undefined;
  /** Minutes. */
  slip?: number | undefined;
  parameters?: JsonObject | undefined;
  executionArguments?: JsonObject | undefined;
  stopOnFail?: boolean | undefined;
  isEnabled?: boolean | undefined;
  latestExecutionStorageId?: number | undefined;
}

export interface NewExecutionSchedule extends NewResource, ExecutionScheduleUpdate {
  deploymentStorageId: number;
  workflowId: string;
  rule: JsonObject;
}

/** Rules that fire more than once: a recurrence without count 1, an rrule that repeats. */
const recurring = `case
  when schedule.rule ? 'rrule' and schedule.rule ->> 'rrule' is not null
    then case when schedule.rule ->> 'rrule' ~* 'COUNT=1(;|$)' then 'single' else 'recurring' end
  when schedule.rule ->> 'recurrence' is not null and coalesce(schedule.rule ->> 'count', '') <> '1' then 'recurring'
  else 'single' end`;

export const executionScheduleResource: Resource<ExecutionSchedule> = {
  kind: 'ExecutionSchedule',
  table: 'execution_schedules',
  alias: 'schedule',
  from: `execution_schedules schedule ${resourceJoins('schedule')}
    left join deployments deployment on deployment.storage_id = schedule.deployment_id
    left join executions latest on latest.storage_id = schedule.latest_execution_id`,
  scope: scopeOf('schedule'),
  fields: {
    ...resourceFields('schedule'),
    createdAt: timestamp('schedule.created_at'),
    deploymentId: text('deployment.id'),
    deploymentStorageId: integer('schedule.deployment_id'),
    workflowId: text('schedule.workflow_id'),
    rule: json('schedule.rule'),
    since: timestamp('schedule.since'),
    until: timestamp('schedule.until'),
    nextOccurrence: timestamp('schedule.next_occurrence'),
    slip: integer('schedule.slip'),
    parameters: json('schedule.parameters'),
    executionArguments: json('schedule.execution_arguments'),
    stopOnFail: boolean('schedule.stop_on_fail'),
    isEnabled: boolean('schedule.enabled'),
    latestExecutionId: text('latest.id'),
    latestExecutionStatus: text('latest.status'),
    recurrence: hidden(text(recurring)),
  },
  defaultOrder: 'schedule.created_at, schedule.storage_id',
};

function columnsOf(update: ExecutionScheduleUpdate): Record<string, unknown> {
  return {
    workflow_id: update.workflowId,
    rule: jsonChange(update.rule),
    since: update.since,
    until: update.until,
    next_occurrence: update.nextOccurrence,
    slip: update.slip,
    parameters: jsonChange(update.parameters),
    execution_arguments: jsonChange(update.executionArguments),
    stop_on_fail: update.stopOnFail,
    enabled: update.isEnabled,
    latest_execution_id: update.latestExecutionStorageId,
  };
}

/** @throws GantryError conflict_error when the deployment has a schedule of that id */
export async function createExecutionSchedule(
  session: Session,
  schedule: NewExecutionSchedule,
): Promise<ExecutionSchedule> {
  return createResource(session, executionScheduleResource, schedule, columnsOf(schedule), {
    deployment_id: schedule.deploymentStorageId,
  });
}

/** @throws GantryError not_found_error */
export async function getExecutionSchedule(
  session: Session,
  scope: Scope,
  deploymentStorageId: number,
  id: string,
): Promise<ExecutionSchedule> {
  return getResource(session, executionScheduleResource, scope, { id, deploymentStorageId });
}

export async function listExecutionSchedules(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<ExecutionSchedule>> {
  return listResources(session, executionScheduleResource, scope, query);
}

/** @throws GantryError not_found_error */
export async function updateExecutionSchedule(
  session: Session,
  storageId: number,
  update: ExecutionScheduleUpdate,
): Promise<ExecutionSchedule> {
  return updateResource(session, executionScheduleResource, storageId, columnsOf(update));
}

/** @returns whether it was there */
export async function deleteExecutionSchedule(session: Session, storageId: number): Promise<boolean> {
  return deleteResource(session, executionScheduleResource, storageId);
}

/** Enabled schedules whose next occurrence has come, locked until the transaction ends; others skip them. */
export async function takeDueSchedules(session: Session, limit: number): Promise<ExecutionSchedule[]> {
  const rows = await session.prepared<{ id: number }>(
    `select storage_id as id from execution_schedules where enabled and next_occurrence <= now()
     order by next_occurrence limit $1 for update skip locked`,
    [limit],
  );
  return findResources(
    session,
    executionScheduleResource,
    (parameters) => `schedule.storage_id = any(${parameters.add(rows.map(({ id }) => id))})`,
    { order: 'schedule.next_occurrence, schedule.storage_id' },
  );
}

/** When the next schedule is due; undefined when none is. */
export async function nextScheduleTime(session: Session): Promise<Date | undefined> {
  const [row] = await session.prepared<{ next: Date | null }>(
    'select min(next_occurrence) as next from execution_schedules where enabled',
  );
  return row?.next ?? undefined;
}
