import type { Dependent } from '../domain/dependents.ts';
import type { Session } from './session.ts';
import { groupRows, isAmong, isOneOf, Parameters } from './values.ts';

interface Row {
  target: number;
  deployment_id: string;
  dependency_creator: string | null;
  installation_status: string;
  is_component: boolean;
  is_leaving: boolean;
}

function kindOf(creator: string | null): Dependent['kind'] {
  const first = creator?.split('.', 1)[0];
  if (first === undefined) {
    return 'parent';
  }
  return first === 'component' || first === 'sharedresource' ? first : 'other';
}

/** Workflows that take a deployment away from those who depend on it. */
export const disruptiveWorkflows: ReadonlySet<string> = new Set([
  'stop',
  'uninstall',
  'update',
  'csys_new_deployment_update',
  'heal',
]);

/**
 * Deployments that need the given ones: their children by label, and those that use them from their nodes, by storage
 * id of what they need. Those that nothing depends on are left out.
 */
export async function findDependentsOf(
  session: Session,
  deploymentStorageIds: readonly number[],
): Promise<ReadonlyMap<number, readonly Dependent[]>> {
  const parameters = new Parameters();
  const isTarget = (column: string): string => isOneOf(column, deploymentStorageIds, 'bigint', parameters);
  const rows = await session.prepared<Row>(
    `with leaving as (
       select deployment_id from executions
       where status in ('pending', 'started', 'queued') and ${isAmong('workflow_id', disruptiveWorkflows)}
     )
     select edge.target_deployment_id as target, child.id as deployment_id, null as dependency_creator,
       child.installation_status, child.storage_id in (select deployment_id from leaving) as is_leaving,
       exists (select from inter_deployment_dependencies component
         where component.source_deployment_id = edge.target_deployment_id
           and component.target_deployment_id = child.storage_id
           and component.dependency_creator like 'component.%') as is_component
     from deployment_labels_dependencies edge join deployments child on child.storage_id = edge.source_deployment_id
     where ${isTarget('edge.target_deployment_id')}
     union all
     select dependency.target_deployment_id, source.id, dependency.dependency_creator, source.installation_status,
       source.storage_id in (select deployment_id from leaving), false
     from inter_deployment_dependencies dependency
     join deployments source on source.storage_id = dependency.source_deployment_id
     where ${isTarget('dependency.target_deployment_id')} and source.storage_id <> dependency.target_deployment_id
     order by 1, 3 nulls first, 2`,
    parameters.values,
  );
  const dependents = rows.map(({ target, deployment_id, dependency_creator, ...row }) => ({
    target,
    deploymentId: deployment_id,
    kind: kindOf(dependency_creator),
    nodeId: dependency_creator?.split('.')[1],
    isActive: row.installation_status === 'active',
    isComponent: row.is_component,
    isLeaving: row.is_leaving,
  }));
  return groupRows(dependents, ({ target }) => target);
}

/** Deployments that need this one, see `findDependentsOf`. */
export async function findDependents(session: Session, deploymentStorageId: number): Promise<readonly Dependent[]> {
  return (await findDependentsOf(session, [deploymentStorageId])).get(deploymentStorageId) ?? [];
}

/** A deployment that depends on another one, directly or through others. */
export interface RecursiveDependent extends Pick<Dependent, 'deploymentId' | 'kind' | 'nodeId'> {
  tenantName: string;
}

/** Every deployment that needs this one, or one that does; each with what it needs the next one for. */
export async function findRecursiveDependents(
  session: Session,
  deploymentStorageId: number,
): Promise<RecursiveDependent[]> {
  const rows = await session.prepared<Pick<Row, 'deployment_id' | 'dependency_creator'> & { tenant_name: string }>(
    `with recursive edges as (
       select source_deployment_id as source, target_deployment_id as target, null as creator
       from deployment_labels_dependencies
       union all
       select source_deployment_id, target_deployment_id, dependency_creator from inter_deployment_dependencies
       where source_deployment_id is not null
     ), needing (id) as (
       select $1::bigint
       union
       select edges.source from edges join needing on needing.id = edges.target
     )
     select distinct deployment.id as deployment_id, edges.creator as dependency_creator, tenant.name as tenant_name
     from needing join edges on edges.target = needing.id
     join deployments deployment on deployment.storage_id = edges.source
     join tenants tenant on tenant.id = deployment.tenant_id
     where edges.source <> $1 order by 1, 2 nulls first`,
    [deploymentStorageId],
  );
  return rows.map(({ deployment_id, dependency_creator, tenant_name }) => ({
    deploymentId: deployment_id,
    kind: kindOf(dependency_creator),
    nodeId: dependency_creator?.split('.')[1],
    tenantName: tenant_name,
  }));
}
