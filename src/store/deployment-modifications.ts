import type { DeploymentModification } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { ModificationStatus } from '../domain/states.ts';
import { isUniqueViolation } from './database-errors.ts';
import { findResources, getResource, listResources, returnResources } from './list-query.ts';
import type { ReadOptions } from './list-query.ts';
import type { Resource } from './resource.ts';
import { heavy, integer, json, resourceJoins, scopeFields, scopeOf, text, timestamp } from './resource.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters, toJson } from './values.ts';

const modificationResource: Resource<DeploymentModification> = {
  kind: 'DeploymentModification',
  table: 'deployment_modifications',
  alias: 'modification',
  from: `deployment_modifications modification
    join deployments deployment on deployment.storage_id = modification.deployment_id
    ${resourceJoins('deployment', 'modification')}`,
  scope: scopeOf('deployment', 'modification'),
  fields: {
    storageId: integer('modification.storage_id'),
    id: text('modification.id'),
    ...scopeFields('deployment', 'modification'),
    createdAt: timestamp('modification.created_at'),
    endedAt: timestamp('modification.ended_at'),
    status: text('modification.status'),
    context: json('modification.context'),
    modifiedNodes: json('modification.modified_nodes'),
    nodeInstances: heavy(json('modification.node_instances')),
    deploymentId: text('deployment.id'),
    deploymentStorageId: integer('modification.deployment_id'),
  },
  defaultOrder: 'modification.created_at, modification.storage_id',
  attributes: { id: 'modification.id' },
  defaults: { nodeInstances: {} },
};

export interface NewDeploymentModification {
  id: string;
  deploymentStorageId: number;
  creatorId: number;
  context?: Json | undefined;
  modifiedNodes: JsonObject;
  nodeInstances: JsonObject;
}

/**
 * Stores a modification as started.
 * @throws GantryError existing_started_deployment_modification_error: a deployment has one at a time
 */
export async function createDeploymentModification(
  session: Session,
  modification: NewDeploymentModification,
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
    const [created] = await returnResources(
      session,
      modificationResource,
      `insert into deployment_modifications (id, deployment_id, creator_id, context, modified_nodes, node_instances, status)
       values (${values.join(', ')}, 'started')`,
      parameters,
    );
    if (!created) {
      throw new Error('The modification was not stored');
    }
    return created;
  } catch (error) {
    throw isUniqueViolation(error, 'deployment_modifications_started')
      ? new GantryError(
          'existing_started_deployment_modification_error',
          'Cannot start deployment modification while there are existing started deployment modifications',
          { cause: error },
        )
      : error;
  }
}

/** Modifications of a deployment that are started, oldest first. */
export async function findStartedModifications(
  session: Session,
  deploymentStorageId: number,
): Promise<DeploymentModification[]> {
  return findResources(
    session,
    modificationResource,
    (parameters) =>
      `modification.deployment_id = ${parameters.add(deploymentStorageId)} and modification.status = 'started'`,
  );
}

/** @throws GantryError not_found_error */
export async function getDeploymentModification(
  session: Session,
  scope: Scope,
  id: string,
  options?: ReadOptions,
): Promise<DeploymentModification> {
  return getResource(session, modificationResource, scope, { id }, options);
}

export async function listDeploymentModifications(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<DeploymentModification>> {
  return listResources(session, modificationResource, scope, query);
}

/** started -> `status`. @returns the modification, or undefined when it was not started */
export async function endDeploymentModification(
  session: Session,
  storageId: number,
  status: Exclude<ModificationStatus, 'started'>,
): Promise<DeploymentModification | undefined> {
  const parameters = new Parameters();
  const id = parameters.add(storageId);
  const [ended] = await returnResources(
    session,
    modificationResource,
    `update deployment_modifications modification set status = ${parameters.add(status)}, ended_at = now()
     where modification.storage_id = ${id} and modification.status = 'started'`,
    parameters,
  );
  return ended;
}

/** The instances of a deployment as they are, in the shape clients know: kept with a modification. */
export async function snapshotInstances(session: Session, deploymentStorageId: number): Promise<JsonObject[]> {
  const rows = await session.prepared<{ instance: JsonObject }>(
    `select jsonb_build_object('id', instance.id, 'node_id', node.id, 'index', instance.index,
       'host_id', instance.host_id, 'state', instance.state, 'version', instance.version,
       'relationships', instance.relationships, 'runtime_properties', instance.runtime_properties,
       'system_properties', instance.system_properties, 'scaling_groups', instance.scaling_groups) as instance
     from node_instances instance join nodes node on node.storage_id = instance.node_id
     where instance.deployment_id = $1 order by instance.storage_id`,
    [deploymentStorageId],
  );
  return rows.map((row) => row.instance);
}
