import type { NodeRow } from '../domain/entities.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import type { JsonObject, PlanOperations, PlanPlugin } from '../domain/plan.ts';
import type { Node, NodeRelationship } from '../domain/topology.ts';
import { isUniqueViolation } from './database-errors.ts';
import { listResources } from './list-query.ts';
import type { Resource } from './resource.ts';
import { heavy, integer, json, resourceJoins, scopeFields, scopeOf, text } from './resource.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters, assignments, jsonChange, toJson } from './values.ts';

export interface NewNode {
  id: string;
  type: string;
  typeHierarchy: readonly string[];
  hostId?: string | undefined;
  properties: JsonObject;
  operations: JsonObject;
  relationships: readonly JsonObject[];
  plugins: readonly JsonObject[];
  pluginsToInstall?: readonly JsonObject[] | undefined;
  deployNumberOfInstances: number;
  numberOfInstances: number;
  plannedNumberOfInstances: number;
  minNumberOfInstances: number;
  maxNumberOfInstances: number;
  creatorId?: number | undefined;
}

export interface NodeUpdate {
  plugins?: readonly JsonObject[];
  pluginsToInstall?: readonly JsonObject[];
  operations?: JsonObject;
  relationships?: readonly JsonObject[];
  properties?: JsonObject;
  deployNumberOfInstances?: number;
  numberOfInstances?: number;
  plannedNumberOfInstances?: number;
  minNumberOfInstances?: number;
  maxNumberOfInstances?: number;
}

export const nodeResource: Resource<NodeRow> = {
  kind: 'Node',
  table: 'nodes',
  alias: 'node',
  from: `nodes node join deployments deployment on deployment.storage_id = node.deployment_id
    left join blueprints blueprint on blueprint.storage_id = deployment.blueprint_id ${resourceJoins('deployment', 'node')}`,
  scope: scopeOf('deployment', 'node'),
  fields: {
    storageId: integer('node.storage_id'),
    id: text('node.id'),
    ...scopeFields('deployment', 'node'),
    deploymentId: text('deployment.id'),
    deploymentStorageId: integer('node.deployment_id'),
    deploymentDisplayName: text('deployment.display_name'),
    blueprintId: text('blueprint.id'),
    type: text('node.type'),
    typeHierarchy: json('node.type_hierarchy'),
    hostId: text('node.host_id'),
    properties: heavy(json('node.properties')),
    operations: heavy(json('node.operations')),
    relationships: heavy(json('node.relationships')),
    plugins: heavy(json('node.plugins')),
    pluginsToInstall: heavy(json('node.plugins_to_install')),
    deployNumberOfInstances: integer('node.deploy_number_of_instances'),
    numberOfInstances: integer('node.number_of_instances'),
    plannedNumberOfInstances: integer('node.planned_number_of_instances'),
    minNumberOfInstances: integer('node.min_number_of_instances'),
    maxNumberOfInstances: integer('node.max_number_of_instances'),
    driftedInstances: integer('node.drifted_instances'),
    unavailableInstances: integer('node.unavailable_instances'),
    actualNumberOfInstances: integer(
      '(select count(*) from node_instances instance where instance.node_id = node.storage_id)',
    ),
  },
  defaultOrder: 'node.storage_id',
  attributes: { id: 'node.id', type: 'node.type', operation_name: 'null::text' },
  defaults: { properties: {}, operations: {}, relationships: [], plugins: [] },
};

/**
 * Stores nodes of a deployment in one statement. Their creator is that of the deployment unless one is given.
 * @throws GantryError conflict_error for a known node id
 */
export async function createNodes(
  session: Session,
  deploymentStorageId: number,
  nodes: readonly NewNode[],
): Promise<void> {
  try {
    await session.prepared(
      `insert into nodes (deployment_id, creator_id, id, type, type_hierarchy, host_id, properties, operations,
         relationships, plugins, plugins_to_install, deploy_number_of_instances, number_of_instances,
         planned_number_of_instances, min_number_of_instances, max_number_of_instances)
       select deployment.storage_id, coalesce(node."creatorId", deployment.creator_id), node.id, node.type,
         node."typeHierarchy", node."hostId", node.properties, node.operations, node.relationships, node.plugins,
         node."pluginsToInstall", node."deployNumberOfInstances", node."numberOfInstances",
         node."plannedNumberOfInstances", node."minNumberOfInstances", node."maxNumberOfInstances"
       from deployments deployment, json_to_recordset($2::json) as node (id text, type text, "typeHierarchy" jsonb,
         "hostId" text, properties jsonb, operations jsonb, relationships jsonb, plugins jsonb, "pluginsToInstall" jsonb,
         "deployNumberOfInstances" integer, "numberOfInstances" integer, "plannedNumberOfInstances" integer,
         "minNumberOfInstances" integer, "maxNumberOfInstances" integer, "creatorId" integer)
       where deployment.storage_id = $1`,
      [deploymentStorageId, toJson(nodes)],
    );
  } catch (error) {
    throw isUniqueViolation(error)
      ? new GantryError('conflict_error', 'The deployment already has a node with one of these ids', { cause: error })
      : error;
  }
}

export async function listNodes(
  session: Session,
  scope: Scope,
  query: ListQuery,
  options: { deploymentStorageId?: number } = {},
): Promise<Page<NodeRow>> {
  const { deploymentStorageId } = options;
  return listResources(
    session,
    nodeResource,
    scope,
    query,
    deploymentStorageId === undefined
      ? []
      : [(parameters) => `node.deployment_id = ${parameters.add(deploymentStorageId)}`],
  );
}

interface StoredRelationship {
  target_id: string;
  type: string;
  type_hierarchy: string[];
  properties: JsonObject;
  source_operations: PlanOperations;
  target_operations: PlanOperations;
}

interface EngineRow extends Omit<Node, 'hostId' | 'relationships' | 'pluginsToInstall'> {
  hostId: string | null;
  relationships: StoredRelationship[];
  pluginsToInstall: PlanPlugin[] | null;
}

function toRelationship(stored: StoredRelationship): NodeRelationship {
  return {
    targetId: stored.target_id,
    type: stored.type,
    typeHierarchy: stored.type_hierarchy,
    properties: stored.properties,
    sourceOperations: stored.source_operations,
    targetOperations: stored.target_operations,
  };
}

/** Nodes of a deployment as the engine needs them, in the order they were stored; all of them without `ids`. */
export async function loadNodes(
  session: Session,
  deploymentStorageId: number,
  ids?: readonly string[],
): Promise<Node[]> {
  const rows = await session.prepared<EngineRow>(
    `select id, type, type_hierarchy as "typeHierarchy", host_id as "hostId", properties, operations, relationships,
       plugins, plugins_to_install as "pluginsToInstall", deploy_number_of_instances as "deployNumberOfInstances",
       number_of_instances as "numberOfInstances", planned_number_of_instances as "plannedNumberOfInstances",
       min_number_of_instances as "minNumberOfInstances", max_number_of_instances as "maxNumberOfInstances"
     from nodes where deployment_id = $1 and ($2::text[] is null or id = any($2)) order by storage_id`,
    [deploymentStorageId, ids ? [...ids] : null],
  );
  return rows.map((row) => ({
    ...row,
    hostId: row.hostId ?? undefined,
    relationships: row.relationships.map(toRelationship),
    pluginsToInstall: row.pluginsToInstall ?? undefined,
  }));
}

/** @throws GantryError not_found_error */
export async function updateNode(
  session: Session,
  deploymentStorageId: number,
  nodeId: string,
  update: NodeUpdate,
): Promise<void> {
  const parameters = new Parameters();
  const set = assignments(
    {
      plugins: jsonChange(update.plugins),
      plugins_to_install: jsonChange(update.pluginsToInstall),
      operations: jsonChange(update.operations),
      relationships: jsonChange(update.relationships),
      properties: jsonChange(update.properties),
      deploy_number_of_instances: update.deployNumberOfInstances,
      number_of_instances: update.numberOfInstances,
      planned_number_of_instances: update.plannedNumberOfInstances,
      min_number_of_instances: update.minNumberOfInstances,
      max_number_of_instances: update.maxNumberOfInstances,
    },
    parameters,
  );
  const rows = await session.query(
    `${set ? `update nodes set ${set}` : 'select from nodes'} where deployment_id = ${parameters.add(deploymentStorageId)} and id = ${parameters.add(nodeId)} ${set ? 'returning storage_id' : ''}`,
    parameters.values,
  );
  if (rows.length === 0) {
    throw notFound('Node', nodeId);
  }
}

/** What an update writes into one of many nodes; undefined = leave as it is. */
export interface NodeChange extends NodeUpdate {
  nodeId: string;
}

/** Changes many nodes of a deployment, in one statement. */
export async function updateNodes(
  session: Session,
  deploymentStorageId: number,
  changes: readonly NodeChange[],
): Promise<void> {
  if (changes.length === 0) {
    return;
  }
  await session.prepared(
    `update nodes node set plugins = coalesce(change.plugins, node.plugins),
       plugins_to_install = coalesce(change."pluginsToInstall", node.plugins_to_install),
       operations = coalesce(change.operations, node.operations),
       relationships = coalesce(change.relationships, node.relationships),
       properties = coalesce(change.properties, node.properties),
       deploy_number_of_instances = coalesce(change."deployNumberOfInstances", node.deploy_number_of_instances),
       number_of_instances = coalesce(change."numberOfInstances", node.number_of_instances),
       planned_number_of_instances = coalesce(change."plannedNumberOfInstances", node.planned_number_of_instances),
       min_number_of_instances = coalesce(change."minNumberOfInstances", node.min_number_of_instances),
       max_number_of_instances = coalesce(change."maxNumberOfInstances", node.max_number_of_instances)
     from json_to_recordset($2::json) as change ("nodeId" text, plugins jsonb, "pluginsToInstall" jsonb,
       operations jsonb, relationships jsonb, properties jsonb, "deployNumberOfInstances" integer,
       "numberOfInstances" integer, "plannedNumberOfInstances" integer, "minNumberOfInstances" integer,
       "maxNumberOfInstances" integer)
     where node.deployment_id = $1 and node.id = change."nodeId"`,
    [deploymentStorageId, toJson(changes)],
  );
}

/** The numbers of instances of many nodes of a deployment, in one statement. */
export async function updateNodeNumbers(
  session: Session,
  deploymentStorageId: number,
  numbers: readonly { nodeId: string; numberOfInstances?: number; plannedNumberOfInstances?: number }[],
): Promise<void> {
  await session.prepared(
    `update nodes node set number_of_instances = coalesce(change.number, node.number_of_instances),
       planned_number_of_instances = coalesce(change.planned, node.planned_number_of_instances)
     from unnest($2::text[], $3::integer[], $4::integer[]) as change (id, number, planned)
     where node.deployment_id = $1 and node.id = change.id`,
    [
      deploymentStorageId,
      numbers.map(({ nodeId }) => nodeId),
      numbers.map(({ numberOfInstances }) => numberOfInstances ?? null),
      numbers.map(({ plannedNumberOfInstances }) => plannedNumberOfInstances ?? null),
    ],
  );
}

/** Removes nodes with their instances. @returns how many were there */
export async function deleteNodes(
  session: Session,
  deploymentStorageId: number,
  nodeIds: readonly string[],
): Promise<number> {
  const rows = await session.prepared('delete from nodes where deployment_id = $1 and id = any($2) returning id', [
    deploymentStorageId,
    [...nodeIds],
  ]);
  return rows.length;
}
