import { endedExecutionStatuses } from '../domain/states.ts';
import type { Session } from './session.ts';

/** Ids of the deployments that are components of a deployment itself. */
export async function findComponentDeployments(session: Session, deploymentStorageId: number): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    `select target.id from inter_deployment_dependencies dependency
     join deployments target on target.storage_id = dependency.target_deployment_id
     where dependency.source_deployment_id = $1 and dependency.dependency_creator like 'component.%'
     order by dependency.created_at, dependency.storage_id`,
    [deploymentStorageId],
  );
  return rows.map(({ id }) => id);
}

/**
 * Ids of the executions that run, or wait to run, on components of the deployments of the given executions, and on
 * components of those.
 */
export async function findComponentExecutions(session: Session, executionIds: readonly string[]): Promise<string[]> {
  if (executionIds.length === 0) {
    return [];
  }
  const rows = await session.prepared<{ id: string }>(
    `with recursive parts (id) as (
       select dependency.target_deployment_id from executions execution
       join inter_deployment_dependencies dependency on dependency.source_deployment_id = execution.deployment_id
       where execution.id = any($1) and dependency.dependency_creator like 'component.%'
         and dependency.target_deployment_id is not null
       union
       select dependency.target_deployment_id from parts
       join inter_deployment_dependencies dependency on dependency.source_deployment_id = parts.id
       where dependency.dependency_creator like 'component.%' and dependency.target_deployment_id is not null
     )
     select execution.id from executions execution join parts on parts.id = execution.deployment_id
     where execution.status <> all($2) and execution.id <> all($1) order by execution.storage_id`,
    [[...executionIds], [...endedExecutionStatuses]],
  );
  return rows.map(({ id }) => id);
}
