/** What decides whether an execution may run now, and which of the waiting ones is next. */
import type { Execution } from '../domain/entities.ts';
import type { Json } from '../domain/plan.ts';
import { activeExecutionStatuses, endedExecutionStatuses } from '../domain/states.ts';
import { findResources } from './list-query.ts';
import { executionResource } from './executions.ts';
import type { Session } from './session.ts';
import { isCountedExecution } from './tenant-quotas.ts';
import { isAmong, isOneOf, onlyRow } from './values.ts';

/** Any number nobody else uses. */
const queueLock = 7_163_002;

/**
 * Serialises decisions about what runs: of two transactions that call this, the second waits until the first has
 * ended and then sees what it decided. To be taken before anything else is locked: who holds the rows of a deployment
 * and waits here is waited for by those who are in.
 */
export async function lockQueue(session: Session): Promise<void> {
  await session.prepared('select pg_advisory_xact_lock($1)', [queueLock]);
}

const unfinishedStatuses = [...activeExecutionStatuses, 'queued'] as const;

/** What decides how many executions may begin, and which. */
export interface QueueState {
  /** Executions that are active in the whole system. */
  active: number;
  activeSystemWorkflows: number;
  /** Whether plugins are being updated, which others run for. */
  isUpdatingPlugins: boolean;
  /** Whether a system workflow waits. */
  isSystemWorkflowQueued: boolean;
  /** How many may be active; undefined = not set. */
  limit: Json | undefined;
}

/** Reads what decides how many executions may begin. */
export async function readQueueState(session: Session): Promise<QueueState> {
  const rows = await session.prepared<QueueState & { limit: Json }>(
    `select count(*) as active, count(*) filter (where is_system_workflow) as "activeSystemWorkflows",
       coalesce(bool_or(workflow_id = 'update_plugin'), false) as "isUpdatingPlugins",
       exists (select from executions where status = 'queued' and is_system_workflow) as "isSystemWorkflowQueued",
       (select value from config where scope = 'rest' and name = 'max_concurrent_workflows') as limit
     from executions where ${isAmong('status', activeExecutionStatuses)}`,
  );
  const { limit, ...state } = onlyRow(rows);
  return { ...state, limit: limit ?? undefined };
}

/** Whether any execution waits for its turn and may have it. */
export async function isAnythingStartable(session: Session): Promise<boolean> {
  const [row] = await session.prepared<{ any: boolean }>(
    `select exists (select from executions where status = 'queued')
       and not exists (select from maintenance_mode where status = 'activated') as any`,
  );
  return row?.any ?? false;
}

/** Whether a system-wide workflow runs or waits anywhere: then everything else waits. */
export async function isSystemWorkflowUnfinished(session: Session): Promise<boolean> {
  const rows = await session.prepared(
    `select from executions where ${isAmong('status', unfinishedStatuses)} and is_system_workflow limit 1`,
  );
  return rows.length > 0;
}

/** Active executions of any tenant, oldest first, of the kinds asked for. */
export async function findBlockingExecutions(
  session: Session,
  which: {
    isSystemWorkflow?: boolean;
    deploymentStorageIds?: readonly number[];
    withQueued?: boolean;
    exceptId?: string;
  },
): Promise<Execution[]> {
  return findResources(
    session,
    executionResource,
    (parameters) => {
      const statuses = which.withQueued ? unfinishedStatuses : activeExecutionStatuses;
      const conditions = [isAmong('execution.status', statuses)];
      if (which.isSystemWorkflow !== undefined) {
        conditions.push(`execution.is_system_workflow = ${which.isSystemWorkflow}`);
      }
      if (which.deploymentStorageIds !== undefined) {
        conditions.push(isOneOf('execution.deployment_id', which.deploymentStorageIds, 'bigint', parameters));
      }
      if (which.exceptId !== undefined) {
        conditions.push(`execution.id <> ${parameters.add(which.exceptId)}`);
      }
      return conditions.join(' and ');
    },
    { fields: [], limit: 1000 },
  );
}

/** The oldest queued system workflow, locked; it runs alone. */
export async function takeQueuedSystemWorkflow(session: Session): Promise<Execution | undefined> {
  const [execution] = await findResources(
    session,
    executionResource,
    () => `execution.status = 'queued' and execution.is_system_workflow`,
    { limit: 1, lock: true },
  );
  return execution;
}

const runnableStatement = `
  with active as materialized (
    select storage_id, deployment_id, tenant_id, ${isCountedExecution} as is_counted
    from executions where ${isAmong('status', activeExecutionStatuses)}
  ), queued as materialized (
    select * from executions where status = 'queued' and not is_system_workflow
    order by created_at, storage_id limit $2
  ), waiting as (
    select distinct on (coalesce(case when not execution.is_forced then execution.deployment_id end, -execution.storage_id))
      execution.storage_id, execution.id, execution.created_at, execution.tenant_id,
      ${isCountedExecution} as is_counted
    from queued execution
    where execution.deployment_id is null or execution.workflow_id = 'create_deployment_environment'
      or (execution.is_forced or not exists (select from active where active.deployment_id = execution.deployment_id))
        and not exists (select from executions creation where creation.deployment_id = execution.deployment_id
          and creation.status = 'queued' and creation.workflow_id = 'create_deployment_environment')
    order by coalesce(case when not execution.is_forced then execution.deployment_id end, -execution.storage_id),
      execution.created_at, execution.storage_id
  ), occupied as (
    select member.execution_group_id, count(*) as running from active
    join execution_groups_executions member on member.execution_id = active.storage_id
    group by member.execution_group_id
  ), grouped as (
    select waiting.*, execution_group.concurrency, coalesce(occupied.running, 0) as running,
      row_number() over (partition by execution_group.storage_id order by waiting.created_at, waiting.storage_id) as place
    from waiting
    left join execution_groups_executions member on member.execution_id = waiting.storage_id
    left join execution_groups execution_group on execution_group.storage_id = member.execution_group_id
    left join occupied on occupied.execution_group_id = execution_group.storage_id
  ), admitted as (
    select id, created_at, storage_id, tenant_id, is_counted,
      row_number() over (partition by tenant_id, is_counted order by created_at, storage_id) as place
    from grouped group by id, created_at, storage_id, tenant_id, is_counted
    having bool_and(concurrency is null or running + place <= concurrency)
  ), runnable as (
    select admitted.* from admitted
    left join tenant_quotas quota on quota.tenant_id = admitted.tenant_id
    where not is_counted or quota.executions is null or place <= quota.executions - (
      select count(*) from active where active.tenant_id = admitted.tenant_id and active.is_counted)
    order by created_at, storage_id limit $1
  )
  select array(select id from runnable order by created_at, storage_id) as ids,
    (select count(*) from queued) as looked`;

/** Of those that wait, how many are looked at first: mostly the oldest may run, and there can be very many. */
const firstLook = 200;

/**
 * Queued executions that may run now, oldest first, at most one per deployment: their deployment has no active
 * execution and no environment waiting to be created (unless that is the execution itself), and their execution
 * groups and tenants are below what they may run at once, counting what is taken here. Forced ones run beside others of
 * their deployment.
 */
export async function findRunnableExecutions(session: Session, limit: number): Promise<Execution[]> {
  const look = async (most: number | null): Promise<{ ids: string[]; looked: number }> =>
    onlyRow(await session.prepared<{ ids: string[]; looked: number }>(runnableStatement, [limit, most]));
  const first = await look(firstLook);
  const isEnough = first.ids.length >= limit || first.looked < firstLook;
  return takeFree(session, isEnough ? first.ids : (await look(null)).ids);
}

/**
 * Queued updates of deployments that belong to an update of plugins under way, at most one per deployment: those whose
 * deployment has no active execution any more.
 */
export async function findRunnableParts(session: Session): Promise<Execution[]> {
  const rows = await session.prepared<{ id: string }>(
    `select distinct on (part.deployment_id) part.id from executions part
     join deployment_updates change on change.execution_id = part.storage_id
     join plugins_updates whole on whole.temp_blueprint_id = change.new_blueprint_id
     join executions orderer on orderer.storage_id = whole.execution_id and orderer.status = any($1)
     where part.status = 'queued' and not exists (
       select from executions active where active.deployment_id = part.deployment_id and active.status = any($1))
     order by part.deployment_id, part.created_at, part.storage_id`,
    [[...activeExecutionStatuses]],
  );
  return takeFree(
    session,
    rows.map(({ id }) => id),
  );
}

/** Those that nobody holds: whoever holds one of them is about to change it, and tells when that is done. */
async function takeFree(session: Session, ids: readonly string[]): Promise<Execution[]> {
  return ids.length === 0
    ? []
    : findResources(
        session,
        executionResource,
        (parameters) => `execution.id = any(${parameters.add([...ids])}) and execution.status = 'queued'`,
        { lock: 'free' },
      );
}

/** Scheduled executions whose time has come, oldest first, locked; others skip them. */
export async function takeDueExecutions(session: Session, limit: number): Promise<Execution[]> {
  const rows = await session.prepared<{ id: string }>(
    `select id from executions where status = 'scheduled' and scheduled_for <= now()
     order by scheduled_for limit $1 for update skip locked`,
    [limit],
  );
  return findResources(
    session,
    executionResource,
    (parameters) => `execution.id = any(${parameters.add(rows.map(({ id }) => id))})`,
  );
}

/** The time the next scheduled execution is due; undefined when none is. */
export async function nextScheduledTime(session: Session): Promise<Date | undefined> {
  const [row] = await session.prepared<{ next: Date | null }>(
    `select min(scheduled_for) as next from executions where status = 'scheduled'`,
  );
  return row?.next ?? undefined;
}

/** What `deleteEndedExecutions` removes. */
export interface EndedExecutionsFilter {
  /** Storage ids of executions that may be removed at all (a list drawn in the caller's scope). */
  among: readonly number[];
  /** Keep the newest so many of them. */
  keepLast?: number | undefined;
  /** Only those created before. */
  before?: Date | undefined;
}

/**
 * Removes ended executions, oldest first; never the last terminated creation of a deployment's environment.
 * @returns how many
 */
export async function deleteEndedExecutions(session: Session, filter: EndedExecutionsFilter): Promise<number> {
  const rows = await session.prepared(
    `with candidates as (
       select execution.storage_id, row_number() over (order by execution.created_at desc, execution.storage_id desc) as place
       from executions execution
       where execution.storage_id = any($1) and execution.status = any($2)
         and ($3::timestamptz is null or execution.created_at < $3)
         and execution.storage_id not in (
           select max(creation.storage_id) from executions creation
           where creation.workflow_id = 'create_deployment_environment' and creation.status = 'terminated'
             and creation.deployment_id is not null
           group by creation.deployment_id)
     )
     delete from executions using candidates
     where executions.storage_id = candidates.storage_id and candidates.place > coalesce($4::integer, 0)
     returning executions.storage_id`,
    [[...filter.among], [...endedExecutionStatuses], filter.before ?? null, filter.keepLast ?? null],
  );
  return rows.length;
}
