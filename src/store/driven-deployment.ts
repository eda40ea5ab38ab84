import type { Deployment } from '../domain/entities.ts';
import type { PlanPlugin } from '../domain/plan.ts';
import type { Session } from './session.ts';

type Members =
  | 'storageId'
  | 'id'
  | 'tenantId'
  | 'displayName'
  | 'createdBy'
  | 'blueprintId'
  | 'workflows'
  | 'scalingGroups'
  | 'resourceTags';

/** A deployment as far as the engine needs it to drive an execution. */
export interface DrivenDeployment extends Pick<Deployment, Members> {
  /** Plugins its blueprint names: those of the deployment, of workflows and of host agents. */
  readonly plugins: readonly PlanPlugin[];
}

interface Row {
  storageId: number;
  id: string;
  tenantId: number;
  displayName: string;
  createdBy: string;
  blueprintId: string;
  workflows: Deployment['workflows'] | null;
  scalingGroups: Deployment['scalingGroups'] | null;
  resourceTags: Deployment['resourceTags'] | null;
  central: readonly PlanPlugin[] | null;
  workflow: readonly PlanPlugin[] | null;
  host: readonly PlanPlugin[] | null;
}

/**
 * Reads what driving an execution needs in one statement of three tables.
 * @param blueprintStorageId blueprint to work with; default: that of the deployment
 * @returns undefined when the deployment is gone
 */
export async function findDrivenDeployment(
  session: Session,
  storageId: number,
  blueprintStorageId?: number,
): Promise<DrivenDeployment | undefined> {
  const [row] = await session.prepared<Row>(
    `select deployment.storage_id as "storageId", deployment.id, deployment.tenant_id as "tenantId",
       deployment.display_name as "displayName", creator.username as "createdBy", blueprint.id as "blueprintId",
       deployment.workflows, deployment.scaling_groups as "scalingGroups", deployment.resource_tags as "resourceTags",
       blueprint.plan -> 'deployment_plugins_to_install' as central,
       blueprint.plan -> 'workflow_plugins_to_install' as workflow,
       blueprint.plan -> 'host_agent_plugins_to_install' as host
     from deployments deployment join blueprints blueprint on blueprint.storage_id = coalesce($2, deployment.blueprint_id)
     join users creator on creator.id = deployment.creator_id
     where deployment.storage_id = $1`,
    [storageId, blueprintStorageId ?? null],
  );
  if (!row) {
    return undefined;
  }
  const { central, workflow, host, ...deployment } = row;
  return {
    ...deployment,
    workflows: row.workflows ?? undefined,
    scalingGroups: row.scalingGroups ?? undefined,
    resourceTags: row.resourceTags ?? undefined,
    plugins: [...(central ?? []), ...(workflow ?? []), ...(host ?? [])],
  };
}

/** The scaling groups of a deployment as they are now; none when it is gone. */
export async function loadScalingGroups(
  session: Session,
  storageId: number,
): Promise<NonNullable<Deployment['scalingGroups']>> {
  const [row] = await session.prepared<{ groups: Deployment['scalingGroups'] | null }>(
    'select scaling_groups as groups from deployments where storage_id = $1',
    [storageId],
  );
  return row?.groups ?? {};
}
