/** The label `csys-consumer-id`, which tells of a deployment who uses it: by a dependency, or as a part of it. */
import type { HierarchyEdge } from './deployment-hierarchy.ts';
import type { Session } from './session.ts';

/** Whether `child` still uses `parent`. The owner of a component is no consumer of it. */
const isUsed = (child: string, parent: string): string => `(
  exists (select from deployment_labels_dependencies
    where source_deployment_id = ${child} and target_deployment_id = ${parent})
  or exists (select from inter_deployment_dependencies
    where source_deployment_id = ${child} and target_deployment_id = ${parent}
      and not starts_with(dependency_creator, 'component.')))`;

function parametersOf(edges: readonly HierarchyEdge[]): unknown[] {
  return [edges.map(({ childId }) => childId), edges.map(({ parentId }) => parentId)];
}

/** Labels every parent with the children that use it; none is a consumer of itself. */
export async function addConsumers(session: Session, edges: readonly HierarchyEdge[]): Promise<void> {
  await session.prepared(
    `insert into deployments_labels (resource_id, key, value, creator_id)
     select edge.parent, 'csys-consumer-id', child.id, child.creator_id
     from unnest($1::bigint[], $2::bigint[]) as edge (child, parent)
     join deployments child on child.storage_id = edge.child
     where edge.parent <> edge.child on conflict do nothing`,
    parametersOf(edges),
  );
}

/** Takes the labels away from parents that the children do not use in any way any more. */
export async function removeConsumers(session: Session, edges: readonly HierarchyEdge[]): Promise<void> {
  await session.prepared(
    `delete from deployments_labels label using unnest($1::bigint[], $2::bigint[]) as edge (child, parent),
       deployments child
     where child.storage_id = edge.child and label.resource_id = edge.parent and label.key = 'csys-consumer-id'
       and label.value = child.id and not ${isUsed('edge.child', 'edge.parent')}`,
    parametersOf(edges),
  );
}

/** Takes the labels away from all that deployments use; they are about to go. */
export async function removeLeavingConsumers(session: Session, storageIds: readonly number[]): Promise<void> {
  await session.prepared(
    `delete from deployments_labels label using deployments consumer
     where consumer.storage_id = any($1) and label.key = 'csys-consumer-id' and label.value = consumer.id
       and label.resource_id in (
         select target_deployment_id from inter_deployment_dependencies where source_deployment_id = consumer.storage_id
         union
         select target_deployment_id from deployment_labels_dependencies where source_deployment_id = consumer.storage_id)`,
    [[...storageIds]],
  );
}
