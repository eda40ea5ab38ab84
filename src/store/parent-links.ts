import type { Deployment } from '../domain/entities.ts';
import type { Session } from './session.ts';

/** Takes a deployment away from parents named by id. @returns storage ids of those it had */
export async function removeParentLinks(
  session: Session,
  deployment: Pick<Deployment, 'storageId'>,
  parentIds: readonly string[],
): Promise<number[]> {
  if (parentIds.length === 0) {
    return [];
  }
  const rows = await session.prepared<{ id: number }>(
    `delete from deployment_labels_dependencies edge using deployments parent
      where edge.source_deployment_id = $1 and parent.storage_id = edge.target_deployment_id and parent.id = any($2)
      returning parent.storage_id as id`,
    [deployment.storageId, [...parentIds]],
  );
  return rows.map(({ id }) => id);
}

/** Whether a deployment is its own ancestor. */
export async function isInCycle(session: Session, deployment: Pick<Deployment, 'storageId'>): Promise<boolean> {
  const rows = await session.prepared(
    `with recursive ancestors (id) as (
       select target_deployment_id from deployment_labels_dependencies where source_deployment_id = $1
       union
       select edge.target_deployment_id from deployment_labels_dependencies edge
       join ancestors on ancestors.id = edge.source_deployment_id
     ) select from ancestors where id = $1`,
    [deployment.storageId],
  );
  return rows.length > 0;
}
