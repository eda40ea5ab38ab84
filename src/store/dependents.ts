import type { Session } from './session.ts';

/** A deployment that another one needs. */
export interface Dependent {
  deploymentId: string;
  /** `parent`: it is a service of the other (label); otherwise the first part of the dependency's creator. */
  kind: 'parent' | 'component' | 'sharedresource' | 'other';
  /** Node of the dependent that uses the other deployment. */
  nodeId: string | undefined;
  isActive: boolean;
}

interface Row {
  deployment_id: string;
  dependency_creator: string | null;
  installation_status: string;
}

function kindOf(creator: string | null): Dependent['kind'] {
  const first = creator?.split('.', 1)[0];
  if (first === undefined) {
    return 'parent';
  }
  return first === 'component' || first === 'sharedresource' ? first : 'other';
}

/** Deployments that need this one: its children by label, and those that use it from their nodes. */
export async function findDependents(session: Session, deploymentStorageId: number): Promise<Dependent[]> {
  const rows = await session.prepared<Row>(
    `select child.id as deployment_id, null as dependency_creator, child.installation_status
      from deployment_labels_dependencies edge join deployments child on child.storage_id = edge.source_deployment_id
      where edge.target_deployment_id = $1
      union all
      select source.id, dependency.dependency_creator, source.installation_status
      from inter_deployment_dependencies dependency
      join deployments source on source.storage_id = dependency.source_deployment_id
      where dependency.target_deployment_id = $1 and source.storage_id <> $1
      order by 2 nulls first, 1`,
    [deploymentStorageId],
  );
  return rows.map(({ deployment_id, dependency_creator, installation_status }) => ({
    deploymentId: deployment_id,
    kind: kindOf(dependency_creator),
    nodeId: dependency_creator?.split('.')[1],
    isActive: installation_status === 'active',
  }));
}
