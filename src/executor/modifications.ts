import type { IdGenerator, RandomSource } from '../domain/clock.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import type { Deployment, DeploymentModification, Execution } from '../domain/entities.ts';
import type { Json, JsonObject, PlanScalingGroup } from '../domain/plan.ts';
import type { Node, NodeInstance } from '../domain/topology.ts';
import {
  createModification,
  endModification,
  getModification,
  listModifications,
} from '../store/deployment-modifications.ts';
import { getDeployment, updateDeployment } from '../store/deployments.ts';
import { snapshotInstances } from '../store/driving.ts';
import {
  createNodeInstances,
  deleteNodeInstances,
  loadNodeInstances,
  replaceRelationships,
} from '../store/node-instances.ts';
import { loadNodes, updateNodeNumbers } from '../store/nodes.ts';
import type { Session, Transaction } from '../store/session.ts';
import { groupsOfPlan, modifyTopology, nodesOfDeployment } from '../topology/index.ts';
import type { Modification as TopologyChange, ModifiedInstance } from '../topology/index.ts';
import type { Modification, ModificationRequest, Modifications } from '../workflows/context.ts';
import type { RunDependencies } from './executor.ts';
import { withAddedRelationships, withoutRelationshipsTo } from './relationship-changes.ts';

export interface ModificationStart {
  readonly deployment: Pick<Deployment, 'id' | 'tenantId' | 'storageId'>;
  readonly request: ModificationRequest;
  readonly creatorId: number;
  readonly context?: Json;
  readonly newId: IdGenerator;
  readonly random: RandomSource;
}

/**
 * Begins a change of the number of instances: works out which come and go, stores the new ones and the relationships
 * they bring, and keeps what was before.
 *
 * Compatibility: Cloudify 7 deployment modifications.
 *
 * @throws GantryError existing_started_deployment_modification_error, not_found_error for an unknown node or group
 */
export async function startModification(
  transaction: Transaction,
  start: ModificationStart,
): Promise<DeploymentModification> {
  const { deployment, request, newId, random } = start;
  const { storageId } = deployment;
  const locked = await getDeployment(transaction, { tenantId: deployment.tenantId }, deployment.id, {
    fields: ['id', 'scalingGroups'],
    lock: true,
  });
  await refuseSecond(transaction, deployment);
  const groups = locked.scalingGroups ?? {};
  const nodes = await loadNodes(transaction, storageId);
  const instances = await loadNodeInstances(transaction, storageId);
  requireKnown(request, nodes, groups);
  const topologyNodes = nodesOfDeployment(nodes);
  const change = modifyTopology({
    nodes: topologyNodes,
    previousNodes: topologyNodes,
    groups: groupsOfPlan(Object.entries(groups)),
    previousInstances: instances,
    changes: new Map(Object.entries(request)),
    random,
  });
  const before = await snapshotInstances(transaction, storageId);
  await storeNumbers(transaction, storageId, groups, request, 'planned');
  const renamed = await createNodeInstances(transaction, storageId, newInstances(change));
  const stored = renameInstances(change, renamed);
  await replaceRelationships(
    transaction,
    storageId,
    withAddedRelationships(nodes, instances, [...stored.addedAndRelated, ...stored.extendedAndRelated]),
  );
  return createModification(transaction, {
    id: newId(),
    deploymentStorageId: storageId,
    creatorId: start.creatorId,
    context: start.context,
    modifiedNodes: requestOnTheWire(request),
    nodeInstances: {
      before_modification: before,
      added_and_related: stored.addedAndRelated.map(onTheWire),
      removed_and_related: stored.removedAndRelated.map(onTheWire),
      extended_and_related: stored.extendedAndRelated.map(onTheWire),
      reduced_and_related: stored.reducedAndRelated.map(onTheWire),
    },
  });
}

/**
 * Ends a modification as done: the planned numbers become the current ones, removed instances and the relationships to
 * them go.
 * @throws GantryError deployment_modification_already_ended_error
 */
export async function finishModification(
  transaction: Transaction,
  modification: DeploymentModification,
): Promise<DeploymentModification> {
  const ended = await endModification(transaction, modification, 'finished');
  const { deploymentStorageId: storageId } = modification;
  const groups = await lockGroups(transaction, modification);
  await storeNumbers(transaction, storageId, groups, readRequest(modification.modifiedNodes), 'current');
  const removed = idsOf(modification.nodeInstances['removed_and_related'], 'removed');
  await deleteNodeInstances(transaction, storageId, removed);
  const instances = await loadNodeInstances(transaction, storageId);
  await replaceRelationships(transaction, storageId, withoutRelationshipsTo(instances, new Set(removed)));
  return ended;
}

/**
 * Ends a modification as undone: added instances and the relationships to them go, the planned numbers are the current
 * ones again.
 *
 * Unlike Cloudify, instances that were there before keep their state and runtime properties.
 *
 * @throws GantryError deployment_modification_already_ended_error
 */
export async function rollBackModification(
  transaction: Transaction,
  modification: DeploymentModification,
): Promise<DeploymentModification> {
  const ended = await endModification(transaction, modification, 'rolledback');
  const { deploymentStorageId: storageId } = modification;
  const groups = await lockGroups(transaction, modification);
  await resetPlanned(transaction, storageId, groups, readRequest(modification.modifiedNodes));
  const added = idsOf(modification.nodeInstances['added_and_related'], 'added');
  await deleteNodeInstances(transaction, storageId, added);
  const instances = await loadNodeInstances(transaction, storageId);
  await replaceRelationships(transaction, storageId, withoutRelationshipsTo(instances, new Set(added)));
  return ended;
}

/** Modifications as the workflows of one execution use them. */
export function makeModifications(
  { database, newId, random }: RunDependencies,
  execution: Execution,
  deployment: Pick<Deployment, 'id' | 'tenantId' | 'storageId'>,
): Modifications {
  const { tenantId } = deployment;
  return {
    listStarted: async () => (await findStarted(database, deployment)).map(toModification),
    start: async (request) =>
      toModification(
        await database.transaction((transaction) =>
          startModification(transaction, { deployment, request, creatorId: execution.creatorId, newId, random }),
        ),
      ),
    finish: (id) =>
      database.transaction(async (transaction) => {
        await finishModification(transaction, await getModification(transaction, { tenantId }, id));
      }),
    rollback: (id) =>
      database.transaction(async (transaction) => {
        await rollBackModification(transaction, await getModification(transaction, { tenantId }, id));
      }),
  };
}

function toModification({ id, nodeInstances }: DeploymentModification): Modification {
  return {
    id,
    added: split(nodeInstances['added_and_related'], 'added'),
    removed: split(nodeInstances['removed_and_related'], 'removed'),
  };
}

/** Instances that were changed themselves, and those only related to them. */
function split(list: Json | undefined, kind: string): { instanceIds: string[]; relatedIds: string[] } {
  const entries = objectsOf(list);
  const isOwn = (entry: JsonObject): boolean => entry['modification'] === kind;
  return {
    instanceIds: entries.filter(isOwn).map((entry) => idOf(entry)),
    relatedIds: entries.filter((entry) => !isOwn(entry)).map((entry) => idOf(entry)),
  };
}

function idOf(entry: JsonObject): string {
  return typeof entry['id'] === 'string' ? entry['id'] : '';
}

function idsOf(list: Json | undefined, kind: string): string[] {
  return split(list, kind).instanceIds;
}

function objectsOf(list: Json | undefined): JsonObject[] {
  return Array.isArray(list) ? list.filter((entry): entry is JsonObject => isObject(entry)) : [];
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Modifications of a deployment that are started, oldest first. */
async function findStarted(
  session: Session,
  deployment: Pick<Deployment, 'id' | 'tenantId' | 'storageId'>,
): Promise<DeploymentModification[]> {
  const filters = { deploymentId: [deployment.id], status: ['started'] };
  const { items } = await listModifications(session, { tenantId: deployment.tenantId }, { all: true, filters });
  return items.filter(({ deploymentStorageId }) => deploymentStorageId === deployment.storageId);
}

async function refuseSecond(
  transaction: Transaction,
  deployment: Pick<Deployment, 'id' | 'tenantId' | 'storageId'>,
): Promise<void> {
  const started = await findStarted(transaction, deployment);
  if (started.length > 0) {
    throw new GantryError(
      'existing_started_deployment_modification_error',
      'Cannot start deployment modification while there are existing started deployment modifications. ' +
        `Currently started deployment modifications: [${started.map(({ id }) => id).join(', ')}]`,
    );
  }
}

function requireKnown(
  request: ModificationRequest,
  nodes: readonly Node[],
  groups: Readonly<Record<string, PlanScalingGroup>>,
): void {
  const known = new Set([...nodes.map(({ id }) => id), ...Object.keys(groups)]);
  const unknown = Object.keys(request).find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw notFound('Node', unknown);
  }
}

async function lockGroups(
  transaction: Transaction,
  modification: DeploymentModification,
): Promise<Readonly<Record<string, PlanScalingGroup>>> {
  const { tenantId, deploymentId } = modification;
  const options = { fields: ['id', 'scalingGroups'], lock: true };
  return (await getDeployment(transaction, { tenantId }, deploymentId, options)).scalingGroups ?? {};
}

/** Writes the requested numbers as planned or current ones of nodes and groups. */
async function storeNumbers(
  transaction: Transaction,
  storageId: number,
  groups: Readonly<Record<string, PlanScalingGroup>>,
  request: ModificationRequest,
  which: 'planned' | 'current',
): Promise<void> {
  const changedGroups = { ...groups };
  const numbers: Parameters<typeof updateNodeNumbers>[2][number][] = [];
  for (const [name, { instances }] of Object.entries(request)) {
    const group = groups[name];
    if (group) {
      const key = which === 'planned' ? 'planned_instances' : 'current_instances';
      changedGroups[name] = { ...group, properties: { ...group.properties, [key]: instances } };
    } else {
      numbers.push({
        nodeId: name,
        ...(which === 'planned' ? { plannedNumberOfInstances: instances } : { numberOfInstances: instances }),
      });
    }
  }
  await storeGroupsAndNumbers(transaction, storageId, changedGroups, numbers);
}

async function resetPlanned(
  transaction: Transaction,
  storageId: number,
  groups: Readonly<Record<string, PlanScalingGroup>>,
  request: ModificationRequest,
): Promise<void> {
  const changedGroups = { ...groups };
  const current = new Map((await loadNodes(transaction, storageId)).map((node) => [node.id, node.numberOfInstances]));
  const numbers: Parameters<typeof updateNodeNumbers>[2][number][] = [];
  for (const name of Object.keys(request)) {
    const group = groups[name];
    const number = current.get(name);
    if (group) {
      const { current_instances: planned } = group.properties;
      changedGroups[name] = { ...group, properties: { ...group.properties, planned_instances: planned } };
    } else if (number !== undefined) {
      numbers.push({ nodeId: name, plannedNumberOfInstances: number });
    }
  }
  await storeGroupsAndNumbers(transaction, storageId, changedGroups, numbers);
}

async function storeGroupsAndNumbers(
  transaction: Transaction,
  storageId: number,
  scalingGroups: { [name: string]: PlanScalingGroup },
  numbers: Parameters<typeof updateNodeNumbers>[2],
): Promise<void> {
  await updateDeployment(transaction, storageId, { scalingGroups });
  if (numbers.length > 0) {
    await updateNodeNumbers(transaction, storageId, numbers);
  }
}

/** The new instances of a change, as they are stored. */
function newInstances(change: TopologyChange): Parameters<typeof createNodeInstances>[2] {
  return change.addedAndRelated
    .filter(({ modification }) => modification === 'added')
    .map((instance) => ({
      id: instance.id,
      nodeId: instance.nodeId,
      hostId: instance.hostId,
      scalingGroups: instance.scalingGroups,
      relationships: instance.relationships.map(relationshipOnTheWire),
    }));
}

/** Ids that were taken elsewhere have been replaced: the change speaks of the new ones from now on. */
function renameInstances(change: TopologyChange, renamed: ReadonlyMap<string, string>): TopologyChange {
  const current = (id: string): string => renamed.get(id) ?? id;
  const rename = (instance: ModifiedInstance): ModifiedInstance => ({
    ...instance,
    id: current(instance.id),
    hostId: instance.hostId === undefined ? undefined : current(instance.hostId),
    relationships: instance.relationships.map((relationship) => ({
      ...relationship,
      targetId: current(relationship.targetId),
    })),
  });
  return {
    addedAndRelated: change.addedAndRelated.map(rename),
    removedAndRelated: change.removedAndRelated.map(rename),
    extendedAndRelated: change.extendedAndRelated.map(rename),
    reducedAndRelated: change.reducedAndRelated.map(rename),
  };
}

function relationshipOnTheWire({ type, targetName, targetId }: NodeInstance['relationships'][number]): JsonObject {
  return { type, target_name: targetName, target_id: targetId };
}

/** An instance of a change as clients read it. */
export function onTheWire(instance: ModifiedInstance): JsonObject {
  return {
    id: instance.id,
    name: instance.nodeId,
    node_id: instance.nodeId,
    host_id: instance.hostId ?? null,
    scaling_groups: instance.scalingGroups.map(({ name, id }) => ({ name, id })),
    relationships: instance.relationships.map(relationshipOnTheWire),
    ...(instance.modification === undefined ? {} : { modification: instance.modification }),
  };
}

function requestOnTheWire(request: ModificationRequest): JsonObject {
  return Object.fromEntries(
    Object.entries(request).map(([name, { instances, removedIdsIncludeHint, removedIdsExcludeHint }]) => [
      name,
      {
        instances,
        removed_ids_include_hint: [...removedIdsIncludeHint],
        removed_ids_exclude_hint: [...removedIdsExcludeHint],
      },
    ]),
  );
}

function readRequest(modifiedNodes: JsonObject): ModificationRequest {
  return Object.fromEntries(
    Object.entries(modifiedNodes).flatMap(([name, change]) =>
      isObject(change) && typeof change['instances'] === 'number'
        ? [[name, { instances: change['instances'], removedIdsIncludeHint: [], removedIdsExcludeHint: [] }]]
        : [],
    ),
  );
}
