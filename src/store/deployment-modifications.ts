import type { DeploymentModification } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import { isUniqueViolation } from './database-errors.ts';
import { listResources, returnResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { heavy, integer, json, resourceJoins, scopeFields, scopeOf, text, timestamp } from './resource.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters, onlyRow, toJson } from './values.ts';

const deploymentModificationResource: Resource<DeploymentModification> = {
  kind: 'DeploymentModification',
  table: 'deployment_modifications',
  alias: 'modification',
  from: `deployment_modifications modification
    join deployments deployment on deployment.storage_id = modification.deployment_id ${resourceJoins('deployment', 'modification')}`,
  scope: scopeOf('deployment', 'modification'),
  fields: {
    storageId: integer('modification.storage_id'),
    id: text('modification.id'),
    ...scopeFields('deployment', 'modification'),
    deploymentId: text('deployment.id'),
    deploymentStorageId: integer('modification.deployment_id'),
    createdAt: timestamp('modification.created_at'),
    endedAt: timestamp('modification.ended_at'),
    status: text('modification.status'),
    context: heavy(json('modification.context')),
    modifiedNodes: heavy(json('modification.modified_nodes')),
    nodeInstances: heavy(json('modification.node_instances')),
  },
  defaultOrder: 'modification.created_at, modification.storage_id',
  defaults: { modifiedNodes: {}, nodeInstances: {} },
};

/** @throws GantryError existing_started_deployment_modification_error while another one of the deployment is started */
export async function createModification(
  session: Session,
  modification: {
    id: string;
    deploymentStorageId: number;
    creatorId: number;
    context: Json | undefined;
    modifiedNodes: JsonObject;
    nodeInstances: JsonObject;
  },
): Promise<DeploymentModification> {
  const parameters = new Parameters();
  const values = [
    modification.id,
    modification.deploymentStorageId,
    modification.creatorId,
    toJson(modification.context),
    toJson(modification.modifiedNodes),
    toJson(modification.nodeInstances),
  ].map((value) => parameters.add(value));
  try {
    const rows = await returnResources(
      session,
      deploymentModificationResource,
      `insert into deployment_modifications (id, deployment_id, creator_id, context, modified_nodes, node_instances, status)
       values (${values.join(', ')}, 'started')`,
      parameters,
    );
    return onlyRow(rows);
  } catch (error) {
    throw isUniqueViolation(error, 'deployment_modifications_started')
      ? new GantryError(
          'existing_started_deployment_modification_error',
          'Cannot start deployment modification while there is an existing started deployment modification; finish it or roll it back first',
          { cause: error },
        )
      : error;
  }
}

/**
 * Ends a started modification.
 * @param nodeInstances stored instead of what it has
 * @throws GantryError deployment_modification_already_ended_error
 */
export async function endModification(
  session: Session,
  modification: Pick<DeploymentModification, 'id' | 'storageId'>,
  status: 'finished' | 'rolledback',
  nodeInstances?: JsonObject,
): Promise<DeploymentModification> {
  const parameters = new Parameters();
  const [ended] = await returnResources(
    session,
    deploymentModificationResource,
    `update deployment_modifications modification set status = ${parameters.add(status)}, ended_at = now(),
       node_instances = coalesce(${parameters.add(toJson(nodeInstances))}::jsonb, modification.node_instances)
     where modification.storage_id = ${parameters.add(modification.storageId)} and modification.status = 'started'`,
    parameters,
  );
  if (!ended) {
    const [row] = await session.prepared<{ status: string }>(
      'select status from deployment_modifications where storage_id = $1',
      [modification.storageId],
    );
    const verb = status === 'finished' ? 'finish' : 'rollback';
    throw new GantryError(
      'deployment_modification_already_ended_error',
      `Cannot ${verb} deployment modification: ${modification.id}. It is already in ${row?.status ?? 'an ended'} status.`,
    );
  }
  return ended;
}

/** @throws GantryError not_found_error */
export async function getModification(
  session: Session,
  scope: Scope,
  id: string,
  options?: { lock?: boolean },
): Promise<DeploymentModification> {
  return getResource(session, deploymentModificationResource, scope, { id }, options);
}

export async function listModifications(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<DeploymentModification>> {
  return listResources(session, deploymentModificationResource, scope, query);
}
