import type { Deployment } from '../../../domain/entities.ts';
import { GantryError } from '../../../domain/errors.ts';
import type { DeploymentPlan, JsonObject, PlanScalingGroup } from '../../../domain/plan.ts';
import type { DeploymentUpdate } from '../../../domain/resources.ts';
import type { Node } from '../../../domain/topology.ts';
import { getBlueprint } from '../../../store/blueprints.ts';
import { removeConsumers } from '../../../store/consumers.ts';
import { refreshSubDeployments } from '../../../store/deployment-status.ts';
import { lockDeploymentUpdate, moveDeploymentUpdate } from '../../../store/deployment-updates.ts';
import { getDeployment, changeDeployment } from '../../../store/deployments.ts';
import {
  deleteDependenciesOfFunctions,
  findBySource,
  findCircularTargets,
} from '../../../store/inter-deployment-dependencies.ts';
import { addLabels } from '../../../store/labels.ts';
import { createNodeInstances, loadNodeInstances, replaceRelationships } from '../../../store/node-instances.ts';
import { createNodes, loadNodes, updateNodes } from '../../../store/nodes.ts';
import type { NodeChange } from '../../../store/nodes.ts';
import type { Transaction } from '../../../store/session.ts';
import { extendRelationships, pluginsDuringUpdate, relationshipsDuringUpdate } from '../../../topology/index.ts';
import { instanceRelationshipOnTheWire } from '../../relationship-changes.ts';
import type { SystemWorkflowContext } from '../../system-workflow.ts';
import { addDependencies, addParents } from '../deployment-links.ts';
import { newNodeOf, relationshipOnTheWire } from '../deployment-plan.ts';
import { planLabels } from '../upload-blueprint.ts';
import { asObject, nodesOf, ownInstances, textsOf } from './documents.ts';

/**
 * Takes the plan of an update over into the deployment, which from then on holds both what comes and what goes, so that
 * operations can run for either. All of it in one transaction.
 */
export async function applyUpdate(context: SystemWorkflowContext, update: DeploymentUpdate): Promise<void> {
  await context.transaction(async (transaction) => {
    const locked = await lockDeploymentUpdate(transaction, update.storageId);
    if (locked.phase !== 'new') {
      return;
    }
    const deployment = await getDeployment(transaction, { tenantId: locked.tenantId }, locked.deploymentId, {
      lock: true,
    });
    const plan = planOf(locked);
    await storeAttributes(transaction, deployment, locked, plan);
    await addPlanLabels(transaction, context, deployment, plan);
    await storeNodes(transaction, deployment, locked, plan);
    const renamed = await storeInstances(transaction, deployment, locked, plan);
    await replaceDependencies(transaction, deployment, plan, renamed);
    const moved = await moveDeploymentUpdate(transaction, update.storageId, 'apply', {
      phase: 'applied',
      ...(renamed.size === 0
        ? {}
        : {
            nodeInstances: rename(locked.nodeInstances, renamed),
            deploymentPlan: rename(locked.deploymentPlan, renamed),
          }),
    });
    if (!moved) {
      throw new GantryError('conflict_error', `Deployment update ${update.id} was ended from outside`);
    }
  });
}

/** The plan stored with an update. @throws GantryError when it has none */
export function planOf(update: DeploymentUpdate): DeploymentPlan {
  if (update.deploymentPlan === undefined) {
    throw new GantryError('not_found_error', `Deployment update ${update.id} has no plan`);
  }
  return update.deploymentPlan as unknown as DeploymentPlan;
}

async function storeAttributes(
  transaction: Transaction,
  deployment: Deployment,
  update: DeploymentUpdate,
  plan: DeploymentPlan,
): Promise<void> {
  const scope = { tenantId: deployment.tenantId };
  const { storageId } = await getBlueprint(transaction, scope, update.newBlueprintId ?? '', { fields: ['id'] });
  await changeDeployment(transaction, deployment.storageId, {
    blueprintStorageId: storageId,
    description: plan.description,
    workflows: plan.workflows,
    inputs: plan.inputs,
    outputs: plan.outputs,
    capabilities: plan.capabilities,
    policyTypes: plan.policy_types,
    policyTriggers: plan.policy_triggers,
    resourceTags: plan.resource_tags,
    runtimeOnlyEvaluation: update.runtimeOnlyEvaluation,
    scalingGroups: withPlannedLimits(deployment.scalingGroups ?? {}, plan.scaling_groups),
  });
}

/** Scaling groups keep their members and their numbers of instances; the limits are those of the plan. */
function withPlannedLimits(
  stored: Readonly<Record<string, PlanScalingGroup>>,
  planned: DeploymentPlan['scaling_groups'],
): Record<string, PlanScalingGroup> {
  return Object.fromEntries(
    Object.entries(stored).map(([name, group]) => {
      const properties = planned[name]?.properties;
      const { current_instances, planned_instances } = group.properties;
      return [
        name,
        properties ? { ...group, properties: { ...properties, current_instances, planned_instances } } : group,
      ];
    }),
  );
}

/** Labels are only added: it is unknown which of the others a person has set. */
async function addPlanLabels(
  transaction: Transaction,
  { execution }: SystemWorkflowContext,
  deployment: Deployment,
  plan: DeploymentPlan,
): Promise<void> {
  const { storageId } = deployment;
  const labels = planLabels(plan.labels).map((label) => ({ ...label, creatorId: execution.creatorId }));
  const added = await addLabels(transaction, 'deployments', [storageId], labels);
  const parents = await addParents(transaction, deployment, added);
  await refreshSubDeployments(
    transaction,
    parents.map((parent) => parent.storageId),
  );
}

async function storeNodes(
  transaction: Transaction,
  { storageId }: Deployment,
  update: DeploymentUpdate,
  plan: DeploymentPlan,
): Promise<void> {
  const planned = new Map(plan.nodes.map((node) => [node.id, node]));
  const stored = new Map((await loadNodes(transaction, storageId)).map((node) => [node.id, node]));
  const changes = Object.entries(asObject(asObject(update.nodes)['modify_attributes'])).flatMap(
    ([id, attributes]): NodeChange[] => {
      const [next, before] = [planned.get(id), stored.get(id)];
      return next && before ? [changeOf(newNodeOf(next), next, before, new Set(textsOf(attributes)))] : [];
    },
  );
  await updateNodes(transaction, storageId, changes);
  const added = nodesOf(update.nodes, 'add').flatMap((id) => planned.get(id) ?? []);
  if (added.length > 0) {
    await createNodes(transaction, storageId, added.map(newNodeOf));
  }
}

function changeOf(
  wanted: ReturnType<typeof newNodeOf>,
  next: DeploymentPlan['nodes'][number],
  before: Node,
  attributes: ReadonlySet<string>,
): NodeChange {
  const { pluginsToInstall } = wanted;
  return {
    nodeId: before.id,
    ...(attributes.has('properties') ? { properties: wanted.properties } : {}),
    ...(attributes.has('operations') ? { operations: wanted.operations } : {}),
    ...(attributes.has('plugins') || attributes.has('operations')
      ? {
          plugins: pluginsDuringUpdate(next.plugins, before.plugins) as unknown as JsonObject[],
          ...(pluginsToInstall ? { pluginsToInstall } : {}),
        }
      : {}),
    ...(attributes.has('relationships')
      ? {
          relationships: relationshipsDuringUpdate(next.relationships, before.relationships).map(relationshipOnTheWire),
        }
      : {}),
    ...(attributes.has('capabilities')
      ? {
          deployNumberOfInstances: wanted.deployNumberOfInstances,
          minNumberOfInstances: wanted.minNumberOfInstances,
          maxNumberOfInstances: wanted.maxNumberOfInstances,
          plannedNumberOfInstances: next.capabilities.scalable.properties.planned_instances,
        }
      : {}),
  };
}

/** @returns planned id -> stored id of new instances that got another one */
async function storeInstances(
  transaction: Transaction,
  { storageId }: Deployment,
  update: DeploymentUpdate,
  plan: DeploymentPlan,
): Promise<ReadonlyMap<string, string>> {
  const addedIds = new Set(ownInstances(update.nodeInstances, 'added').map(({ id }) => id));
  const added = plan.node_instances.filter(({ id }) => addedIds.has(id));
  const renamed = await createNodeInstances(
    transaction,
    storageId,
    added.map((instance) => ({
      id: instance.id,
      nodeId: instance.node_id,
      hostId: instance.host_id,
      relationships: instance.relationships as unknown as JsonObject[],
      scalingGroups: instance.scaling_groups ?? [],
    })),
  );
  const extended = ownInstances(update.nodeInstances, 'extended').map(({ id, relationships }) => ({
    id,
    relationships: relationships.map((relationship) => ({
      ...relationship,
      targetId: renamed.get(relationship.targetId) ?? relationship.targetId,
    })),
  }));
  const instances = await loadNodeInstances(
    transaction,
    storageId,
    extended.map(({ id }) => id),
  );
  await replaceRelationships(
    transaction,
    storageId,
    extendRelationships(instances, extended).map(({ id, relationships }) => ({
      id,
      relationships: relationships.map(instanceRelationshipOnTheWire),
    })),
  );
  return renamed;
}

/** A document in which instances have their stored ids. */
function rename<Document>(document: Document, renamed: ReadonlyMap<string, string>): Document {
  return JSON.parse(JSON.stringify(document), (_key, value: unknown) =>
    typeof value === 'string' ? (renamed.get(value) ?? value) : value,
  ) as Document;
}

/** What the functions of the blueprint make it depend on; components, shared resources and users' own ones stay. */
async function replaceDependencies(
  transaction: Transaction,
  deployment: Deployment,
  plan: DeploymentPlan,
  renamed: ReadonlyMap<string, string>,
): Promise<void> {
  const { storageId } = deployment;
  const targets = async (): Promise<Set<number>> =>
    new Set(
      (await findBySource(transaction, storageId)).flatMap(({ targetDeploymentStorageId: target }) => target ?? []),
    );
  const before = await targets();
  await deleteDependenciesOfFunctions(transaction, storageId);
  await addDependencies(transaction, deployment, plan.inter_deployment_functions, renamed);
  const after = await targets();
  const circular = await findCircularTargets(transaction, storageId, [...after]);
  if (circular.length > 0) {
    throw new GantryError(
      'conflict_error',
      `Cannot update: deployment ${deployment.id} would depend on a deployment that depends on it`,
    );
  }
  await removeConsumers(
    transaction,
    [...before].map((parentId) => ({ childId: storageId, parentId })),
  );
}
