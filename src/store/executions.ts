import type { Breakpoint } from '../domain/control.ts';
import type { Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { ExecutionStatus, Visibility } from '../domain/states.ts';
import {
  activeExecutionStatuses,
  endedExecutionStatuses,
  executionTransitions,
  isExecutionEnded,
  sourcesOf,
} from '../domain/states.ts';
import { isUniqueViolation } from './database-errors.ts';
import type { Condition } from './list-query.ts';
import type { ReadOptions } from './entity-rows.ts';
import { findResources, listResources, returnResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import { isAlive } from './processes.ts';
import type { Resource } from './resource.ts';
import {
  boolean,
  heavy,
  hidden,
  integer,
  json,
  resourceFields,
  resourceJoins,
  scopeOf,
  text,
  timestamp,
} from './resource.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { isAmong, Parameters, toJson } from './values.ts';

export interface NewExecution {
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  workflowId: string;
  status: ExecutionStatus;
  parameters: JsonObject;
  deploymentStorageId?: number | undefined;
  blueprintId?: string | undefined;
  isSystemWorkflow?: boolean | undefined;
  isDryRun?: boolean | undefined;
  allowCustomParameters?: boolean | undefined;
  /** Seconds; default 600. */
  waitAfterFail?: number | undefined;
  scheduledFor?: Date | undefined;
  createdAt?: Date | undefined;
  startedAt?: Date | undefined;
  endedAt?: Date | undefined;
  error?: string | undefined;
  /** sha256 hex of the execution token. */
  tokenHash?: string | undefined;
  breakpoints?: readonly Breakpoint[] | undefined;
  /** Runs beside others, whatever the state of its deployment; also when it has waited. */
  isForced?: boolean | undefined;
  /** Of one that waits: parameters as they were given; what is left out gets its default when it begins. */
  requestedParameters?: JsonObject | undefined;
}

/** What a status change may write besides the status. */
export interface ExecutionChange {
  /** Event of `executionTransitions`, e.g. `start`, `succeed`, `fail`, `cancel`, `stopped`, `resume`. */
  event: string;
  /** Stored as given; '' clears. */
  error?: string;
}

export const executionResource: Resource<Execution> = {
  kind: 'Execution',
  table: 'executions',
  alias: 'execution',
  from: `executions execution ${resourceJoins('execution')} left join deployments deployment on deployment.storage_id = execution.deployment_id`,
  scope: scopeOf('execution'),
  fields: {
    ...resourceFields('execution'),
    createdAt: timestamp('execution.created_at'),
    startedAt: timestamp('execution.started_at'),
    endedAt: timestamp('execution.ended_at'),
    scheduledFor: timestamp('execution.scheduled_for'),
    status: text('execution.status'),
    error: text('execution.error'),
    workflowId: text('execution.workflow_id'),
    parameters: heavy(json('execution.parameters')),
    isSystemWorkflow: boolean('execution.is_system_workflow'),
    isDryRun: boolean('execution.is_dry_run'),
    resume: boolean('execution.resume'),
    allowCustomParameters: boolean('execution.allow_custom_parameters'),
    waitAfterFail: integer('execution.wait_after_fail'),
    totalOperations: integer('execution.total_operations'),
    finishedOperations: integer('execution.finished_operations'),
    blueprintId: text('execution.blueprint_id'),
    deploymentId: text('deployment.id'),
    deploymentStorageId: integer('execution.deployment_id'),
    deploymentDisplayName: text('deployment.display_name'),
    executor: text('execution.executor'),
    breakpoints: json('execution.breakpoints'),
    controlVersion: integer('execution.control_version'),
    executionGroupId: hidden(
      text(
        '(select execution_group.id from execution_groups_executions member join execution_groups execution_group on execution_group.storage_id = member.execution_group_id where member.execution_id = execution.storage_id limit 1)',
      ),
    ),
  },
  defaultOrder: 'execution.created_at, execution.storage_id',
  defaults: { parameters: {} },
};

function toRow(execution: NewExecution): Record<string, unknown> {
  const { status } = execution;
  return {
    ...execution,
    // an ended execution that was not told when has ended now
    endedAt: execution.endedAt ?? (isExecutionEnded(status) ? new Date() : undefined),
  };
}

/** Stores executions in one statement. @throws GantryError conflict_error for a known id */
export async function createExecutions(session: Session, executions: readonly NewExecution[]): Promise<Execution[]> {
  const parameters = new Parameters();
  const rows = parameters.add(toJson(executions.map(toRow)));
  try {
    return await returnResources(
      session,
      executionResource,
      `insert into executions (id, tenant_id, creator_id, visibility, created_at, started_at, ended_at, scheduled_for,
         status, error, workflow_id, parameters, is_system_workflow, is_dry_run, allow_custom_parameters,
         wait_after_fail, blueprint_id, deployment_id, token_hash, breakpoints, is_forced, requested_parameters)
       select id, "tenantId", "creatorId", visibility, coalesce("createdAt", now()), "startedAt", "endedAt",
         "scheduledFor", status, error, "workflowId", parameters, coalesce("isSystemWorkflow", false),
         coalesce("isDryRun", false), coalesce("allowCustomParameters", false), coalesce("waitAfterFail", 600),
         "blueprintId", "deploymentStorageId", "tokenHash", coalesce(breakpoints, '[]'), coalesce("isForced", false),
         "requestedParameters"
       from json_to_recordset(${rows}::json) as execution (id text, "tenantId" integer, "creatorId" integer,
         visibility text, "createdAt" timestamptz, "startedAt" timestamptz, "endedAt" timestamptz,
         "scheduledFor" timestamptz, status text, error text, "workflowId" text, parameters jsonb,
         "isSystemWorkflow" boolean, "isDryRun" boolean, "allowCustomParameters" boolean, "waitAfterFail" integer,
         "blueprintId" text, "deploymentStorageId" bigint, "tokenHash" text, breakpoints jsonb, "isForced" boolean,
         "requestedParameters" jsonb)`,
      parameters,
    );
  } catch (error) {
    throw isUniqueViolation(error, 'executions_id')
      ? new GantryError('conflict_error', 'An execution with one of these ids already exists', { cause: error })
      : error;
  }
}

/** The execution `id` as visible in `scope`. @throws GantryError not_found_error */
export async function getExecution(
  session: Session,
  scope: Scope,
  id: string,
  options?: ReadOptions,
): Promise<Execution> {
  return getResource(session, executionResource, scope, { id }, options);
}

/** The execution `id` of any tenant: how the engine reads. */
export async function findExecution(
  session: Session,
  id: string,
  options?: ReadOptions,
): Promise<Execution | undefined> {
  const [execution] = await findResources(
    session,
    executionResource,
    (parameters) => `execution.id = ${parameters.add(id)}`,
    options,
  );
  return execution;
}

/** Executions of any tenant by id, oldest first; unknown ids are left out. */
export async function findExecutions(session: Session, ids: readonly string[]): Promise<Execution[]> {
  return findResources(session, executionResource, (parameters) => `execution.id = any(${parameters.add([...ids])})`);
}

/** Executions of deployments that have not ended, oldest first. */
export async function findUnended(session: Session, deploymentStorageIds: readonly number[]): Promise<Execution[]> {
  return findResources(session, executionResource, (parameters) => {
    const deployments = parameters.add([...deploymentStorageIds]);
    return `execution.deployment_id = any(${deployments}) and execution.status <> all(${parameters.add([...endedExecutionStatuses])})`;
  });
}

/** What a list of executions can be narrowed by besides the common query. */
export interface ExecutionListOptions {
  /** Id of an execution group they are members of. */
  groupId?: string | undefined;
}

/** Chooses the members of an execution group. */
export function inExecutionGroup(groupId: string): Condition {
  return (parameters) => `exists (select from execution_groups_executions member
    join execution_groups execution_group on execution_group.storage_id = member.execution_group_id
    where member.execution_id = execution.storage_id and execution_group.id = ${parameters.add(groupId)})`;
}

export async function listExecutions(
  session: Session,
  scope: Scope,
  query: ListQuery,
  options: ExecutionListOptions = {},
): Promise<Page<Execution>> {
  const { groupId } = options;
  const conditions = groupId === undefined ? [] : [inExecutionGroup(groupId)];
  return listResources(session, executionResource, scope, query, conditions);
}

/**
 * Compare-and-set of the status by a transition of the state table; sets started_at (start), ended_at (terminal
 * states; the driver is let go) and clears ended_at and sets resume (resume). Notifies `gantry_executions` with the id.
 * @returns the execution after the change, or undefined when its status did not allow it (or it is gone)
 */
export async function changeExecutionStatus(
  session: Session,
  id: string,
  change: ExecutionChange,
): Promise<Execution | undefined> {
  const [changed] = await changeExecutionStatuses(session, [id], change);
  return changed;
}

/** Like `changeExecutionStatus` for many executions, in one statement. @returns those whose status allowed it */
export async function changeExecutionStatuses(
  session: Session,
  ids: readonly string[],
  change: ExecutionChange,
): Promise<Execution[]> {
  const { from, to } = sourcesOf(executionTransitions, change.event);
  const isResume = resumeEvents.includes(change.event);
  return setExecutionStatuses(session, ids, { from, to, error: change.error, isResume });
}

const resumeEvents = ['resume', 'queue-resume'];

export interface ExecutionStatusChange {
  /** Statuses it is changed from; undefined = whatever it is. */
  from?: readonly ExecutionStatus[] | undefined;
  to: ExecutionStatus;
  /** undefined leaves it. */
  error?: string | undefined;
  /** Marks the execution as resumed and as not driven. */
  isResume?: boolean;
}

/**
 * Like `changeExecutionStatuses` with statuses instead of an event, for what clients report and restore.
 * @returns those whose status allowed it
 */
export async function setExecutionStatuses(
  session: Session,
  ids: readonly string[],
  change: ExecutionStatusChange,
): Promise<Execution[]> {
  const parameters = new Parameters();
  const executions = parameters.add([...ids]);
  const status = parameters.add(change.to);
  const error = parameters.add(change.error ?? null);
  const from = parameters.add(change.from ? [...change.from] : null);
  const isEnd = parameters.add(isExecutionEnded(change.to));
  const isResume = parameters.add(change.isResume === true);
  return returnResources(
    session,
    executionResource,
    `update executions execution set status = ${status}::text, status_changed_at = now(),
       error = coalesce(${error}::text, execution.error),
       started_at = case when ${status}::text = 'started' then coalesce(execution.started_at, now()) else execution.started_at end,
       ended_at = case when ${isEnd}::boolean then coalesce(execution.ended_at, now())
         when ${isResume}::boolean then null else execution.ended_at end,
       resume = execution.resume or ${isResume}::boolean,
       executor = case when ${isEnd}::boolean or ${isResume}::boolean then null else execution.executor end
     where execution.id = any(${executions}) and (${from}::text[] is null or execution.status = any(${from}))`,
    parameters,
  );
}

/**
 * Makes the process `executor` the driver of an execution that is active and that no other live process drives.
 * @param staleAfter seconds without heartbeat after which another process counts as dead
 * @returns the execution, or undefined when it has ended, is gone, waits, or another live process drives it
 */
export async function claimExecution(
  session: Session,
  id: string,
  executor: string,
  staleAfter: number,
): Promise<Execution | undefined> {
  const [claimed] = await claimExecutions(session, [id], executor, staleAfter);
  return claimed;
}

/** Like `claimExecution` for many executions, in one statement. @returns those that were claimed */
export async function claimExecutions(
  session: Session,
  ids: readonly string[],
  executor: string,
  staleAfter: number,
): Promise<Execution[]> {
  const parameters = new Parameters();
  const executions = parameters.add([...ids]);
  const name = parameters.add(executor);
  const seconds = parameters.add(staleAfter);
  const active = parameters.add([...activeExecutionStatuses]);
  return returnResources(
    session,
    executionResource,
    `update executions execution set executor = ${name}, claimed_at = now()
     where execution.id = any(${executions}) and execution.status = any(${active})
       and (execution.executor is null or execution.executor = ${name}
         or not ${isAlive('execution.executor', 'execution.claimed_at', seconds)})`,
    parameters,
  );
}

/** Gives executions back, e.g. when a process stops: other processes may claim them. Undefined `ids` = all it has. */
export async function releaseExecutions(session: Session, executor: string, ids?: readonly string[]): Promise<void> {
  await session.prepared(
    `update executions set executor = null where executor = $1 and ($2::text[] is null or id = any($2))
       and status <> all($3)`,
    [executor, ids ? [...ids] : null, [...endedExecutionStatuses]],
  );
}

/**
 * Executions that are active but whose driver is dead, or that have had none for `staleAfter` seconds; oldest first.
 */
export async function findOrphanedExecutions(session: Session, staleAfter: number): Promise<Execution[]> {
  return findResources(session, executionResource, (parameters) => {
    const seconds = parameters.add(staleAfter);
    return `${isAmong('execution.status', activeExecutionStatuses)}
      and case when execution.executor is null
        then greatest(execution.status_changed_at, execution.claimed_at) < now() - make_interval(secs => ${seconds})
        else not ${isAlive('execution.executor', 'execution.claimed_at', seconds)} end`;
  });
}

/** Replaces the execution token. */
export async function setExecutionToken(session: Session, id: string, tokenHash: string): Promise<void> {
  await setExecutionTokens(session, [{ id, tokenHash }]);
}

/** Replaces the tokens of executions, in one statement. */
export async function setExecutionTokens(
  session: Session,
  tokens: readonly { id: string; tokenHash: string }[],
): Promise<void> {
  await session.prepared(
    `update executions execution set token_hash = given.token_hash
     from unnest($1::text[], $2::text[]) as given (id, token_hash) where execution.id = given.id`,
    [tokens.map(({ id }) => id), tokens.map(({ tokenHash }) => tokenHash)],
  );
}

/** Makes the tokens of executions worthless: whatever still runs loses its access. */
export async function revokeExecutionTokens(session: Session, ids: readonly string[]): Promise<void> {
  await session.prepared('update executions set token_hash = null where id = any($1)', [[...ids]]);
}

/** The execution whose token has this sha256; whether it may still be used is for the caller to decide. */
export async function findExecutionByToken(session: Session, tokenHash: string): Promise<Execution | undefined> {
  const [execution] = await findResources(
    session,
    executionResource,
    (parameters) => `execution.token_hash = ${parameters.add(tokenHash)}`,
    { limit: 1, fields: [] },
  );
  return execution;
}
