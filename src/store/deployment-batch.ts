/** Creating many deployments at once: as many statements as for one. */
import { duplicateId, tenantNameOf } from './unique-ids.ts';
import type { Visibility } from '../domain/states.ts';
import { removeLeavingConsumers } from './consumers.ts';
import { isUniqueViolation } from './database-errors.ts';
import type { Session } from './session.ts';
import { isOneOf, Parameters, toJson } from './values.ts';

/** What all deployments of a batch have in common. */
export interface DeploymentBatch {
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  blueprintStorageId: number;
}

/** What one deployment of a batch has of its own. */
export interface BatchedDeployment {
  id: string;
  displayName: string;
  siteStorageId: number | undefined;
  runtimeOnlyEvaluation: boolean;
  /** Undefined = now. */
  createdAt?: Date | undefined;
}

/**
 * Removes deployments of a tenant of which there is nothing but a failed attempt to create them.
 * @param ids of deployments that are about to be created
 */
export async function removeFailedCreations(session: Session, tenantId: number, ids: readonly string[]): Promise<void> {
  const parameters = new Parameters();
  const failed = await session.prepared<{ storageId: number }>(
    `select deployment.storage_id as "storageId" from deployments deployment join executions creation
       on creation.storage_id = deployment.create_execution_id
     where deployment.tenant_id = ${parameters.add(tenantId)} and ${isOneOf('deployment.id', ids, 'text', parameters)}
       and creation.status = 'failed'
       and creation.workflow_id = 'create_deployment_environment'
       and not exists (select from executions other
         where other.deployment_id = deployment.storage_id and other.storage_id <> creation.storage_id)
     order by deployment.storage_id for update of deployment`,
    parameters.values,
  );
  if (failed.length > 0) {
    const storageIds = failed.map(({ storageId }) => storageId);
    await removeLeavingConsumers(session, storageIds);
    await session.prepared('delete from deployments where storage_id = any($1)', [storageIds]);
  }
}

/**
 * Stores deployments whose environment is still to be created.
 * @returns their storage ids, in the order given
 * @throws GantryError conflict_error when an id is taken in the tenant, by a global deployment or within the batch
 */
export async function createDeployments(
  session: Session,
  batch: DeploymentBatch,
  deployments: readonly BatchedDeployment[],
): Promise<number[]> {
  const ids = deployments.map(({ id }) => id);
  const taken = (await findTaken(session, batch, ids)) ?? firstRepeated(ids);
  // read now: when the store refuses, nothing can be read in this transaction any more
  const tenantName = await tenantNameOf(session, batch.tenantId);
  if (taken !== undefined) {
    throw duplicateId('deployment', taken, tenantName);
  }
  try {
    const rows = await session.prepared<{ storageId: number }>(
      `with stored as (
         insert into deployments (id, tenant_id, creator_id, visibility, blueprint_id, display_name, site_id,
           runtime_only_evaluation, created_at, deployment_status)
         select deployment.id, $1, $2, $3, $4, deployment."displayName", deployment."siteStorageId",
           deployment."runtimeOnlyEvaluation", coalesce(deployment."createdAt", now()), 'requires_attention'
         from json_to_recordset($5::json) as deployment (id text, "displayName" text, "siteStorageId" bigint,
           "runtimeOnlyEvaluation" boolean, "createdAt" timestamptz)
         returning storage_id, id
       )
       select stored.storage_id as "storageId" from stored
       join unnest($6::text[]) with ordinality as given (id, place) using (id) order by given.place`,
      [batch.tenantId, batch.creatorId, batch.visibility, batch.blueprintStorageId, toJson(deployments), ids],
    );
    return rows.map(({ storageId }) => storageId);
  } catch (error) {
    throw isUniqueViolation(error) ? duplicateId('deployment', ids.join(', '), tenantName, error) : error;
  }
}

function firstRepeated(ids: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (const id of ids) {
    if (seen.has(id)) {
      return id;
    }
    seen.add(id);
  }
  return undefined;
}

async function findTaken(
  session: Session,
  batch: DeploymentBatch,
  ids: readonly string[],
): Promise<string | undefined> {
  const parameters = new Parameters();
  const tenant = parameters.add(batch.tenantId);
  const isGlobal = parameters.add(batch.visibility === 'global');
  const [taken] = await session.prepared<{ id: string }>(
    `select id from deployments where ${isOneOf('id', ids, 'text', parameters)}
       and (tenant_id = ${tenant} or visibility = 'global' or ${isGlobal}::boolean) order by id limit 1`,
    parameters.values,
  );
  return taken?.id;
}

/** Makes executions the creation of their deployments, and the latest of them. */
export async function setCreateExecutions(session: Session, executionIds: readonly string[]): Promise<void> {
  const parameters = new Parameters();
  await session.prepared(
    `update deployments deployment set create_execution_id = execution.storage_id,
       latest_execution_id = execution.storage_id
     from executions execution
     where ${isOneOf('execution.id', executionIds, 'text', parameters)}
       and deployment.storage_id = execution.deployment_id`,
    parameters.values,
  );
}
