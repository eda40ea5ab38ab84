/** Which deployment is part of which: the edges that the label csys-obj-parent makes. */
import type { Session } from './session.ts';

/** An edge by storage ids. */
export interface HierarchyEdge {
  childId: number;
  parentId: number;
}

/** Adds edges; those that are there stay. */
export async function addParents(session: Session, edges: readonly HierarchyEdge[]): Promise<void> {
  await session.prepared(
    `insert into deployment_labels_dependencies (source_deployment_id, target_deployment_id)
     select * from unnest($1::bigint[], $2::bigint[]) on conflict do nothing`,
    [edges.map(({ childId }) => childId), edges.map(({ parentId }) => parentId)],
  );
}

/**
 * The edges that labels of a deployment and its children ask for: to parents of its tenant (or global ones) that are
 * there, and from deployments of its tenant that name it as their parent.
 */
export async function findLabelledEdges(session: Session, storageId: number): Promise<HierarchyEdge[]> {
  return session.prepared<HierarchyEdge>(
    `select deployment.storage_id as "childId", parent.storage_id as "parentId"
     from deployments deployment
     join deployments_labels label on label.resource_id = deployment.storage_id and label.key = 'csys-obj-parent'
     join deployments parent on parent.id = label.value
       and (parent.tenant_id = deployment.tenant_id or parent.visibility = 'global')
     where deployment.storage_id = $1
     union
     select child.storage_id, deployment.storage_id
     from deployments deployment
     join deployments_labels label on label.key = 'csys-obj-parent' and label.value = deployment.id
     join deployments child on child.storage_id = label.resource_id and child.tenant_id = deployment.tenant_id
     where deployment.storage_id = $1`,
    [storageId],
  );
}

export async function removeParents(session: Session, edges: readonly HierarchyEdge[]): Promise<void> {
  await session.prepared(
    `delete from deployment_labels_dependencies edge using unnest($1::bigint[], $2::bigint[]) as gone (child, parent)
     where edge.source_deployment_id = gone.child and edge.target_deployment_id = gone.parent`,
    [edges.map(({ childId }) => childId), edges.map(({ parentId }) => parentId)],
  );
}

/** Of the given deployments, those that are their own ancestors. */
export async function findInCycle(session: Session, storageIds: readonly number[]): Promise<number[]> {
  const rows = await session.prepared<{ id: number }>(
    `with recursive ancestors (start, id) as (
       select source_deployment_id, target_deployment_id from deployment_labels_dependencies
       where source_deployment_id = any($1)
       union
       select ancestors.start, edge.target_deployment_id from deployment_labels_dependencies edge
       join ancestors on ancestors.id = edge.source_deployment_id
     )
     select distinct start as id from ancestors where start = id order by 1`,
    [[...storageIds]],
  );
  return rows.map(({ id }) => id);
}

/** Storage ids of the direct children. */
export async function findChildren(session: Session, storageId: number): Promise<number[]> {
  const rows = await session.prepared<{ id: number }>(
    `select source_deployment_id as id from deployment_labels_dependencies where target_deployment_id = $1 order by 1`,
    [storageId],
  );
  return rows.map(({ id }) => id);
}
