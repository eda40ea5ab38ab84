/** How a new deployment is tied to others: as a child by label, and by the functions that read from them. */
import type { Deployment } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Session } from './session.ts';
import { toJson } from './values.ts';

export interface ParentDeployment {
  storageId: number;
  id: string;
  displayName: string;
  capabilities: JsonObject | undefined;
}

/** Links a deployment to its parents of the same tenant (or global ones) by id. @returns those that exist */
export async function addParentLinks(
  session: Session,
  deployment: Pick<Deployment, 'storageId' | 'tenantId'>,
  parentIds: readonly string[],
): Promise<ParentDeployment[]> {
  return session.prepared<ParentDeployment>(
    `with parents as (
       select storage_id, id, display_name, capabilities from deployments
       where id = any($3) and (tenant_id = $2 or visibility = 'global') and storage_id <> $1
     ), linked as (
       insert into deployment_labels_dependencies (source_deployment_id, target_deployment_id)
       select $1, storage_id from parents on conflict do nothing
     )
     select storage_id as "storageId", id, display_name as "displayName", capabilities from parents`,
    [deployment.storageId, deployment.tenantId, [...parentIds]],
  );
}

export interface NewDeploymentDependency {
  id: string;
  dependencyCreator: string;
  /** Of the same tenant or global; an unknown one is stored as none. */
  targetDeploymentId: string | undefined;
  /** What gives the target when it is not known yet. */
  targetFunction: JsonObject | undefined;
}

/** Stores on which other deployments a deployment depends, in one statement. */
export async function addDeploymentDependencies(
  session: Session,
  deployment: Pick<Deployment, 'storageId'>,
  dependencies: readonly NewDeploymentDependency[],
): Promise<void> {
  if (dependencies.length === 0) {
    return;
  }
  await session.prepared(
    `insert into inter_deployment_dependencies (id, tenant_id, creator_id, visibility, dependency_creator,
       source_deployment_id, target_deployment_id, target_deployment_func)
     select dependency.id, source.tenant_id, source.creator_id, source.visibility, dependency."dependencyCreator",
       source.storage_id,
       (select target.storage_id from deployments target
        where target.id = dependency."targetDeploymentId"
          and (target.tenant_id = source.tenant_id or target.visibility = 'global')
        order by target.tenant_id = source.tenant_id desc limit 1),
       dependency."targetFunction"
     from deployments source, json_to_recordset($2::json) as dependency (id text, "dependencyCreator" text,
       "targetDeploymentId" text, "targetFunction" jsonb)
     where source.storage_id = $1`,
    [deployment.storageId, toJson(dependencies)],
  );
}

/** Storage ids of deployments by id, the tenant's own before global ones. */
export async function findTargets(
  session: Session,
  tenantId: number,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await session.prepared<{ id: string; storageId: number }>(
    `select distinct on (id) id, storage_id as "storageId" from deployments
     where id = any($2) and (tenant_id = $1 or visibility = 'global')
     order by id, (tenant_id = $1) desc`,
    [tenantId, [...ids]],
  );
  return new Map(rows.map((row) => [row.id, row.storageId]));
}
