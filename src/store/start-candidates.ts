import type { PlanWorkflow } from '../domain/plan.ts';
import type { ExecutionStatus, Visibility } from '../domain/states.ts';
import type { Session } from './session.ts';
import { withoutNulls } from './values.ts';

/** A deployment on which a workflow is to be started, with what decides whether it can be. */
export interface StartCandidate {
  storageId: number;
  id: string;
  tenantId: number;
  tenantName: string;
  visibility: Visibility;
  blueprintId: string;
  /** Undefined when the deployment does not have it. */
  workflow: PlanWorkflow | undefined;
  /** Of the execution that creates the deployment; undefined when that is gone. */
  creationStatus: ExecutionStatus | undefined;
  creationError: string | undefined;
}

/** The deployments of a group, in the order they were created, locked. */
export async function findStartCandidates(
  session: Session,
  groupStorageId: number,
  workflowId: string,
): Promise<StartCandidate[]> {
  const rows = await session.prepared<StartCandidate>(
    `select deployment.storage_id as "storageId", deployment.id, deployment.tenant_id as "tenantId", tenant.name as "tenantName",
       deployment.visibility, blueprint.id as "blueprintId", deployment.workflows -> $2 as workflow,
       creation.status as "creationStatus", creation.error as "creationError"
     from deployment_groups_deployments member
     join deployments deployment on deployment.storage_id = member.deployment_id
     join tenants tenant on tenant.id = deployment.tenant_id
     join blueprints blueprint on blueprint.storage_id = deployment.blueprint_id
     left join executions creation on creation.storage_id = deployment.create_execution_id
     where member.deployment_group_id = $1
     order by deployment.created_at, deployment.storage_id for no key update of deployment`,
    [groupStorageId, workflowId],
  );
  return rows.map(withoutNulls);
}
