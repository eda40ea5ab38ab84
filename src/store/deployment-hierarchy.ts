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

export async function removeParents(session: Session, edges: readonly HierarchyEdge[]): Promise<void> {
  await session.prepared(
    `delete from deployment_labels_dependencies edge using unnest($1::bigint[], $2::bigint[]) as gone (child, parent)
     where edge.source_deployment_id = gone.child and edge.target_deployment_id = gone.parent`,
    [edges.map(({ childId }) => childId), edges.map(({ parentId }) => parentId)],
  );
}

async function climb(session: Session, storageIds: readonly number[], from: string, to: string): Promise<number[]> {
  const rows = await session.prepared<{ id: number }>(
    `with recursive found (id) as (
       select ${to} from deployment_labels_dependencies where ${from} = any($1)
       union
       select edge.${to} from deployment_labels_dependencies edge join found on found.id = edge.${from}
     )
     select id from found order by id`,
    [[...storageIds]],
  );
  return rows.map(({ id }) => id);
}

/** Storage ids of everything above the given deployments. */
export async function findAncestors(session: Session, storageIds: readonly number[]): Promise<number[]> {
  return climb(session, storageIds, 'source_deployment_id', 'target_deployment_id');
}

/** Storage ids of everything below the given deployments. */
export async function findDescendants(session: Session, storageIds: readonly number[]): Promise<number[]> {
  return climb(session, storageIds, 'target_deployment_id', 'source_deployment_id');
}

/** Storage ids of the direct children. */
export async function findChildren(session: Session, storageId: number): Promise<number[]> {
  const rows = await session.prepared<{ id: number }>(
    `select source_deployment_id as id from deployment_labels_dependencies where target_deployment_id = $1 order by 1`,
    [storageId],
  );
  return rows.map(({ id }) => id);
}
