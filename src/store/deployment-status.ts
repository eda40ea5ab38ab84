import type { Deployment } from '../domain/entities.ts';
import type { DeploymentStatus } from '../domain/states.ts';
import type { Session } from './session.ts';
import { onlyRow } from './values.ts';

/** The order of deployment statuses is not that of the alphabet. */
const rank = (status: string): string =>
  `case ${status} when 'requires_attention' then 2 when 'in_progress' then 1 when 'good' then 0 end`;
const named = (ranked: string): string =>
  `case ${ranked} when 2 then 'requires_attention' when 1 then 'in_progress' when 0 then 'good' end`;

/**
 * Recomputes installation and deployment status of deployments from their node instances, their latest execution and
 * what is known about their sub-deployments.
 *
 * Compatibility: Cloudify 7 status rules; a cancelled execution alone needs no attention.
 */
export async function refreshDeploymentStatuses(session: Session, storageIds: readonly number[]): Promise<void> {
  await session.prepared(refreshStatement, [storageIds]);
  await refreshAncestors(session, storageIds);
}

/** What the columns follow from: `current` has storage_id, is_inactive and the status of the latest execution. */
const refreshedColumns = `
  installation_status = case when current.is_inactive then 'inactive' else 'active' end,
  deployment_status = ${named(`greatest(
    case
      when current.status in ('pending', 'started', 'paused', 'cancelling', 'force_cancelling', 'kill_cancelling', 'queued') then 1
      when current.status = 'failed' or current.is_inactive then 2
      else 0
    end,
    ${rank('sub_services_status')}, ${rank('sub_environments_status')})`)}`;

const isInactive = `exists (
  select from node_instances where deployment_id = deployments.storage_id and state <> 'started')`;

/** Columns of `current`, besides those of the executions that are the latest from now on. */
const currentColumns = `deployments.storage_id, ${isInactive} as is_inactive`;

const refreshStatement = `
  with current as (
    select ${currentColumns}, executions.status
    from deployments left join executions on executions.storage_id = deployments.latest_execution_id
    where deployments.storage_id = any($1)
  )
  update deployments set ${refreshedColumns} from current where current.storage_id = deployments.storage_id`;

const updateLatest = `
  update deployments set latest_execution_id = current.execution_id, ${refreshedColumns}
  from current where current.storage_id = deployments.storage_id`;

/**
 * The `with` clauses that make executions the latest of their deployments, for statements that do more than that.
 * Ancestors are left to the caller.
 * @param executions a clause with storage_id, deployment_id and the new status of these executions, at most one for
 *   each deployment
 */
export function latestClauses(executions: string): string {
  return `current as (
    select ${currentColumns}, execution.storage_id as execution_id, execution.status
    from ${executions} execution join deployments on deployments.storage_id = execution.deployment_id
  ), updated as (
    ${updateLatest}
  )`;
}

const latestStatement = `
  with given as (
    select * from unnest($1::bigint[], $2::bigint[]) as given (deployment_id, execution_id)
  ), current as (
    select ${currentColumns}, given.execution_id, executions.status
    from given join deployments on deployments.storage_id = given.deployment_id
    join executions on executions.storage_id = given.execution_id
  ), updated as (
    ${updateLatest}
  )
  select exists (select from deployment_labels_dependencies where source_deployment_id = any($1)) as "hasParents",
    exists (select from execution_groups_executions where execution_id = any($2)) as "isGrouped"`;

/**
 * Makes executions the latest of their deployments, whose statuses follow (those of ancestors included).
 * @param latest storage ids; a deployment is in it once
 * @returns whether one of the executions is a member of a group
 */
export async function setLatestExecutions(
  session: Session,
  latest: readonly { deploymentStorageId: number; executionStorageId: number }[],
): Promise<boolean> {
  const deployments = latest.map(({ deploymentStorageId }) => deploymentStorageId);
  const executions = latest.map(({ executionStorageId }) => executionStorageId);
  const [row] = await session.prepared<{ hasParents: boolean; isGrouped: boolean }>(latestStatement, [
    deployments,
    executions,
  ]);
  if (row?.hasParents) {
    await refreshAncestors(session, deployments);
  }
  return row?.isGrouped ?? true;
}

/** Shows deployments as busy until they are gone. */
export async function markDeploymentsLeaving(session: Session, storageIds: readonly number[]): Promise<void> {
  await session.prepared(`update deployments set deployment_status = 'in_progress' where storage_id = any($1)`, [
    [...storageIds],
  ]);
}

const deepestHierarchy = 64;

/** The deployments whose services or environments the given ones are. */
export async function findParents(session: Session, storageIds: readonly number[]): Promise<number[]> {
  const rows = await session.prepared<{ id: number }>(
    'select distinct target_deployment_id as id from deployment_labels_dependencies where source_deployment_id = any($1)',
    [storageIds],
  );
  return rows.map((row) => row.id);
}

/** Recomputes what the ancestors of deployments know about their sub-deployments, as far up as anything changes. */
export async function refreshAncestors(session: Session, storageIds: readonly number[]): Promise<void> {
  await refreshSubDeployments(session, await findParents(session, storageIds));
}

/** Recomputes what `parents` and their ancestors know about their sub-deployments, level by level upwards. */
export async function refreshSubDeployments(session: Session, parents: readonly number[]): Promise<void> {
  let level = parents;
  for (let depth = 0; depth < deepestHierarchy && level.length > 0; depth += 1) {
    const changed = await session.prepared<{ storage_id: number }>(parentsStatement, [level]);
    const ids = changed.map((row) => row.storage_id);
    level = ids.length > 0 ? await findParents(session, ids) : [];
  }
}

/** What is known about the direct children of a deployment, without what is below them. */
export async function readDirectChildren(
  session: Session,
  storageId: number,
): Promise<
  Pick<Deployment, 'subServicesCount' | 'subEnvironmentsCount' | 'subServicesStatus' | 'subEnvironmentsStatus'>
> {
  const rows = await session.prepared<{
    services: number;
    environments: number;
    services_status: DeploymentStatus | null;
    environments_status: DeploymentStatus | null;
  }>(
    `select count(*) filter (where not is_environment) as services, count(*) filter (where is_environment) as environments,
       ${named(`max(${rank('deployment_status')}) filter (where not is_environment)`)} as services_status,
       ${named(`max(${rank('deployment_status')}) filter (where is_environment)`)} as environments_status
     from (
       select child.deployment_status, exists (
         select from deployments_labels
         where resource_id = child.storage_id and key = 'csys-obj-type' and value = 'environment'
       ) as is_environment
       from deployment_labels_dependencies join deployments child on child.storage_id = source_deployment_id
       where target_deployment_id = $1
     ) children`,
    [storageId],
  );
  const { services, environments, services_status: servicesStatus, environments_status: status } = onlyRow(rows);
  return {
    subServicesCount: services,
    subEnvironmentsCount: environments,
    subServicesStatus: servicesStatus ?? undefined,
    subEnvironmentsStatus: status ?? undefined,
  };
}

const parentsStatement = `
  with parents as (
    select unnest($1::bigint[]) as id
  ), children as (
    select parents.id as parent_id, child.*,
      exists (
        select from deployments_labels
        where resource_id = child.storage_id and key = 'csys-obj-type' and value = 'environment'
      ) as is_environment
    from parents
    left join deployment_labels_dependencies on target_deployment_id = parents.id
    left join deployments child on child.storage_id = source_deployment_id
  ), totals as (
    select parent_id,
      count(storage_id) filter (where not is_environment) + coalesce(sum(sub_services_count), 0) as services,
      count(storage_id) filter (where is_environment) + coalesce(sum(sub_environments_count), 0) as environments,
      greatest(max(${rank('deployment_status')}) filter (where not is_environment),
        max(${rank('sub_services_status')})) as services_rank,
      greatest(max(${rank('deployment_status')}) filter (where is_environment),
        max(${rank('sub_environments_status')})) as environments_rank
    from children group by parent_id
  ), changed as (
    select deployments.storage_id, totals.*, executions.status as latest
    from totals
    join deployments on deployments.storage_id = totals.parent_id
    left join executions on executions.storage_id = deployments.latest_execution_id
  )
  update deployments set
    sub_services_count = changed.services,
    sub_environments_count = changed.environments,
    sub_services_status = ${named('changed.services_rank')},
    sub_environments_status = ${named('changed.environments_rank')},
    deployment_status = ${named(`greatest(
      case
        when changed.latest in
          ('pending', 'started', 'paused', 'cancelling', 'force_cancelling', 'kill_cancelling', 'queued') then 1
        when changed.latest = 'failed' or deployments.installation_status = 'inactive' then 2
        else 0
      end,
      changed.services_rank, changed.environments_rank)`)}
  from changed
  where changed.storage_id = deployments.storage_id
    and (deployments.sub_services_count, deployments.sub_environments_count,
      ${rank('deployments.sub_services_status')}, ${rank('deployments.sub_environments_status')})
      is distinct from (changed.services, changed.environments, changed.services_rank, changed.environments_rank)
  returning deployments.storage_id`;
