import type { NodeInstanceRow } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { NodeInstance, NodeInstanceRelationship } from '../domain/topology.ts';
import { randomSuffix } from '../security/random.ts';
import { isUniqueViolation } from './database-errors.ts';
import { hasDrift, isStatusOk } from './instance-status.ts';
import type { ReadOptions } from './entity-rows.ts';
import { listResources, returnResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import { scopeCondition } from './scope-condition.ts';
import type { Resource } from './resource.ts';
import { boolean, heavy, integer, json, resourceJoins, scopeFields, scopeOf, text } from './resource.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters, jsonChange, toJson } from './values.ts';

export { changeInstanceStates } from './instance-states.ts';
export type { InstanceStateChange } from './instance-states.ts';

export interface NewNodeInstance {
  id: string;
  nodeId: string;
  /** Default: one more than the highest of the node. */
  index?: number | undefined;
  hostId?: string | undefined;
  /** Default uninitialized. */
  state?: string;
  /** Default 1. */
  version?: number;
  relationships?: readonly JsonObject[];
  runtimeProperties?: JsonObject;
  systemProperties?: JsonObject;
  scalingGroups?: readonly { name: string; id: string }[];
  creatorId?: number | undefined;
  /** Default: what systemProperties say. */
  hasConfigurationDrift?: boolean | undefined;
  isStatusCheckOk?: boolean | undefined;
}

export interface NodeInstanceUpdate {
  /** The version the caller read. */
  version: number;
  state?: string | undefined;
  runtimeProperties?: JsonObject | undefined;
  systemProperties?: JsonObject | undefined;
  relationships?: readonly JsonObject[] | undefined;
}

export const nodeInstanceResource: Resource<NodeInstanceRow> = {
  kind: 'NodeInstance',
  table: 'node_instances',
  alias: 'instance',
  from: `node_instances instance join deployments deployment on deployment.storage_id = instance.deployment_id
    left join nodes node on node.storage_id = instance.node_id ${resourceJoins('deployment', 'instance')}`,
  scope: scopeOf('deployment', 'instance'),
  fields: {
    storageId: integer('instance.storage_id'),
    id: text('instance.id'),
    ...scopeFields('deployment', 'instance'),
    deploymentId: text('deployment.id'),
    deploymentStorageId: integer('instance.deployment_id'),
    nodeId: text('node.id'),
    index: integer('instance.index'),
    hostId: text('instance.host_id'),
    state: text('instance.state'),
    version: integer('instance.version'),
    relationships: heavy(json('instance.relationships')),
    runtimeProperties: heavy(json('instance.runtime_properties')),
    systemProperties: heavy(json('instance.system_properties')),
    scalingGroups: json('instance.scaling_groups'),
    hasConfigurationDrift: boolean('instance.has_configuration_drift'),
    isStatusCheckOk: boolean('instance.is_status_check_ok'),
  },
  defaultOrder: 'instance.storage_id',
  attributes: { id: 'instance.id' },
  defaults: { relationships: [], runtimeProperties: {}, systemProperties: {} },
};

/** Gives new ids to instances whose id exists, everywhere they are mentioned. */
async function renameTaken(
  session: Session,
  instances: readonly NewNodeInstance[],
): Promise<{ renamed: Map<string, string>; instances: readonly NewNodeInstance[] }> {
  const rows = await session.prepared<{ id: string }>('select id from node_instances where id = any($1)', [
    instances.map(({ id }) => id),
  ]);
  if (rows.length === 0) {
    return { renamed: new Map(), instances };
  }
  const taken = new Set(rows.map(({ id }) => id));
  const renamed = new Map(
    instances.filter(({ id }) => taken.has(id)).map(({ id, nodeId }) => [id, `${nodeId}_${randomSuffix(10)}`]),
  );
  const current = (id: string): string => renamed.get(id) ?? id;
  return {
    renamed,
    instances: instances.map((instance) => ({
      ...instance,
      id: current(instance.id),
      hostId: instance.hostId === undefined ? undefined : current(instance.hostId),
      relationships: (instance.relationships ?? []).map((relationship) => {
        const target = relationship['target_id'];
        return typeof target === 'string' ? { ...relationship, target_id: current(target) } : relationship;
      }),
    })),
  };
}

/**
 * Stores instances of a deployment in one statement. Ids that exist anywhere get a new suffix, also where other
 * given instances refer to them.
 * @returns given id -> stored id for those that were renamed
 * @throws GantryError conflict_error when somebody stored one of the ids at the same time; not_found_error when a node
 *   is missing
 */
export async function createNodeInstances(
  session: Session,
  deploymentStorageId: number,
  given: readonly NewNodeInstance[],
): Promise<ReadonlyMap<string, string>> {
  if (given.length === 0) {
    return new Map();
  }
  const { renamed, instances } = await renameTaken(session, given);
  const rows = instances.map((instance) => ({
    ...instance,
    isStatusCheckOk: instance.isStatusCheckOk ?? isStatusOk(instance.systemProperties ?? {}),
    hasConfigurationDrift: instance.hasConfigurationDrift ?? hasDrift(instance.systemProperties ?? {}),
  }));
  try {
    const stored = await session.prepared(
      `insert into node_instances (id, node_id, deployment_id, creator_id, index, host_id, state, version, relationships,
         runtime_properties, system_properties, scaling_groups, is_status_check_ok, has_configuration_drift)
       select instance.id, node.storage_id, node.deployment_id, coalesce(instance."creatorId", node.creator_id),
         coalesce(instance.index,
           (select coalesce(max(other.index), 0) from node_instances other where other.node_id = node.storage_id)
             + row_number() over (partition by node.storage_id order by instance.position)),
         instance."hostId", coalesce(instance.state, 'uninitialized'), coalesce(instance.version, 1),
         coalesce(instance.relationships, '[]'), coalesce(instance."runtimeProperties", '{}'),
         coalesce(instance."systemProperties", '{}'), coalesce(instance."scalingGroups", '[]'),
         instance."isStatusCheckOk", instance."hasConfigurationDrift"
       from rows from (json_to_recordset($2::json) as (id text, "nodeId" text, "creatorId" integer, index integer,
           "hostId" text, state text, version integer, relationships jsonb, "runtimeProperties" jsonb,
           "systemProperties" jsonb, "scalingGroups" jsonb, "isStatusCheckOk" boolean, "hasConfigurationDrift" boolean))
         with ordinality as instance (id, "nodeId", "creatorId", index, "hostId", state, version, relationships,
           "runtimeProperties", "systemProperties", "scalingGroups", "isStatusCheckOk", "hasConfigurationDrift", position)
       join nodes node on node.deployment_id = $1 and node.id = instance."nodeId"
       order by instance.position
       returning id`,
      [deploymentStorageId, toJson(rows)],
    );
    if (stored.length !== instances.length) {
      throw new GantryError(
        'not_found_error',
        'Some node instances belong to nodes the deployment does not have; create its nodes first',
      );
    }
  } catch (error) {
    throw isUniqueViolation(error, 'node_instances_id')
      ? new GantryError('conflict_error', 'A node instance with one of these ids was stored meanwhile; try again', {
          cause: error,
        })
      : error;
  }
  return renamed;
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getNodeInstance(
  session: Session,
  scope: Scope,
  id: string,
  options?: ReadOptions,
): Promise<NodeInstanceRow> {
  return getResource(session, nodeInstanceResource, scope, { id }, options);
}

export async function listNodeInstances(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<NodeInstanceRow>> {
  return listResources(session, nodeInstanceResource, scope, query);
}

interface EngineRow extends Omit<NodeInstance, 'hostId' | 'relationships'> {
  hostId: string | null;
  relationships: { type: string; target_name: string; target_id: string }[];
}

function toRelationship(stored: EngineRow['relationships'][number]): NodeInstanceRelationship {
  return { type: stored.type, targetName: stored.target_name, targetId: stored.target_id };
}

/** Instances of a deployment as the engine needs them, in the order they were stored; all of them without `ids`. */
export async function loadNodeInstances(
  session: Session,
  deploymentStorageId: number,
  ids?: readonly string[],
): Promise<NodeInstance[]> {
  const rows = await session.prepared<EngineRow>(
    `select instance.id, node.id as "nodeId", instance.index, instance.host_id as "hostId", instance.state,
       instance.version, instance.relationships, instance.runtime_properties as "runtimeProperties",
       instance.system_properties as "systemProperties", instance.scaling_groups as "scalingGroups"
     from node_instances instance join nodes node on node.storage_id = instance.node_id
     where instance.deployment_id = $1 and ($2::text[] is null or instance.id = any($2)) order by instance.storage_id`,
    [deploymentStorageId, ids ? [...ids] : null],
  );
  return rows.map((row) => ({
    ...row,
    hostId: row.hostId ?? undefined,
    relationships: row.relationships.map(toRelationship),
  }));
}

/**
 * Replaces the given attributes whole when the stored version is not newer than the given one (`force` skips the
 * check). The version grows by one if anything differs. Recomputes the status and drift flags from systemProperties.
 * @throws GantryError conflict_error on a version conflict; not_found_error
 */
export async function updateNodeInstance(
  session: Session,
  scope: Scope,
  id: string,
  update: NodeInstanceUpdate,
  options: { force?: boolean } = {},
): Promise<NodeInstanceRow> {
  const { systemProperties } = update;
  const parameters = new Parameters();
  const instanceId = parameters.add(id);
  const version = parameters.add(update.version);
  const isForced = parameters.add(options.force === true);
  const state = parameters.add(update.state ?? null);
  const runtime = parameters.add(jsonChange(update.runtimeProperties) ?? null);
  const system = parameters.add(jsonChange(systemProperties) ?? null);
  const relationships = parameters.add(jsonChange(update.relationships) ?? null);
  const isOk = parameters.add(systemProperties ? isStatusOk(systemProperties) : null);
  const drifts = parameters.add(systemProperties ? hasDrift(systemProperties) : null);
  const visible = scopeCondition(nodeInstanceResource.scope, scope, parameters);
  const [changed] = await returnResources(
    session,
    nodeInstanceResource,
    `update node_instances instance set
       state = coalesce(${state}::text, instance.state),
       runtime_properties = coalesce(${runtime}::jsonb, instance.runtime_properties),
       system_properties = coalesce(${system}::jsonb, instance.system_properties),
       relationships = coalesce(${relationships}::jsonb, instance.relationships),
       is_status_check_ok = coalesce(${isOk}::boolean, instance.is_status_check_ok),
       has_configuration_drift = coalesce(${drifts}::boolean, instance.has_configuration_drift),
       version = instance.version + 1
     from deployments deployment
     where instance.id = ${instanceId} and deployment.storage_id = instance.deployment_id and ${visible}
       and (instance.version <= ${version} or ${isForced}::boolean)
       and (coalesce(${state}::text, instance.state), coalesce(${runtime}::jsonb, instance.runtime_properties),
           coalesce(${system}::jsonb, instance.system_properties),
           coalesce(${relationships}::jsonb, instance.relationships))
         is distinct from (instance.state, instance.runtime_properties, instance.system_properties,
           instance.relationships)`,
    parameters,
    'instance.*',
  );
  if (changed) {
    return changed;
  }
  const stored = await getNodeInstance(session, scope, id);
  if (stored.version > update.version && !options.force) {
    throw new GantryError(
      'conflict_error',
      `Node instance update conflict [current version=${stored.version}, update version=${update.version}]`,
    );
  }
  return stored;
}

/** Removes instances of a deployment. @returns how many were there */
export async function deleteNodeInstances(
  session: Session,
  deploymentStorageId: number,
  ids: readonly string[],
): Promise<number> {
  const rows = await session.prepared(
    'delete from node_instances where deployment_id = $1 and id = any($2) returning storage_id',
    [deploymentStorageId, [...ids]],
  );
  return rows.length;
}

/** Replaces the relationships of many instances in one statement; versions grow by one. */
export async function replaceRelationships(
  session: Session,
  deploymentStorageId: number,
  changes: readonly { id: string; relationships: readonly JsonObject[] }[],
): Promise<void> {
  await session.prepared(
    `update node_instances instance set relationships = change.relationships::jsonb, version = instance.version + 1
     from unnest($2::text[], $3::text[]) as change (id, relationships)
     where instance.deployment_id = $1 and instance.id = change.id`,
    [deploymentStorageId, changes.map(({ id }) => id), changes.map(({ relationships }) => toJson(relationships))],
  );
}
