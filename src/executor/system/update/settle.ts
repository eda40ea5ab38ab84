import type { Deployment } from '../../../domain/entities.ts';
import type { DeploymentPlan } from '../../../domain/plan.ts';
import type { DeploymentUpdate } from '../../../domain/resources.ts';
import { changeDeploymentUpdate, lockDeploymentUpdate } from '../../../store/deployment-updates.ts';
import { getDeployment, changeDeployment } from '../../../store/deployments.ts';
import { loadViewer } from '../../../store/execution-viewer.ts';
import { deleteNodeInstances, loadNodeInstances, replaceRelationships } from '../../../store/node-instances.ts';
import { deleteNodes, updateNodes } from '../../../store/nodes.ts';
import type { Session, Transaction } from '../../../store/session.ts';
import { settleRelationships } from '../../../topology/index.ts';
import { instanceRelationshipOnTheWire } from '../../relationship-changes.ts';
import type { SystemWorkflowContext } from '../../system-workflow.ts';
import { putDefaultSchedules } from '../default-settings.ts';
import type { SystemDependencies } from '../dependencies.ts';
import { evaluateSettings, newNodeOf } from '../deployment-plan.ts';
import { planOf } from './apply.ts';
import { nodesOf, nodesWithRelationshipsChanged, ownInstances } from './documents.ts';
import { refreshStoredOperations } from './stored-operations.ts';

/**
 * Ends an update whose operations have run: what goes is removed, and what was kept for it. All of it in one
 * transaction.
 */
export async function settleUpdate(
  dependencies: SystemDependencies,
  context: SystemWorkflowContext,
  update: DeploymentUpdate,
): Promise<void> {
  const now = context.clock.now();
  await context.transaction(async (transaction) => {
    const locked = await lockDeploymentUpdate(transaction, update.storageId);
    if (locked.phase !== 'carried_out') {
      return;
    }
    const deployment = await getDeployment(transaction, { tenantId: locked.tenantId }, locked.deploymentId, {
      lock: true,
    });
    const plan = planOf(locked);
    await dropInstances(transaction, deployment.storageId, locked, plan);
    await settleNodes(transaction, deployment.storageId, locked, plan);
    await putSchedules(transaction, dependencies, context, deployment, plan);
    await refreshStoredOperations(transaction, deployment.storageId, locked.steps, plan);
    await changeDeployment(transaction, deployment.storageId, { updatedAt: new Date(now) });
    await changeDeploymentUpdate(transaction, update.storageId, { phase: 'settled' });
  });
}

async function dropInstances(
  transaction: Transaction,
  storageId: number,
  update: DeploymentUpdate,
  plan: DeploymentPlan,
): Promise<void> {
  const changedNodes = new Set(nodesWithRelationshipsChanged(update.nodeInstances));
  const removedIds = new Set(ownInstances(update.nodeInstances, 'removed').map(({ id }) => id));
  const changes = settleRelationships(await loadNodeInstances(transaction, storageId), {
    reduced: ownInstances(update.nodeInstances, 'reduced'),
    removedIds,
    planned: new Map(
      plan.nodes
        .filter(({ id }) => changedNodes.has(id))
        .map(({ id, relationships }) => [
          id,
          relationships.map(({ type, target_id: targetId }) => ({ type, targetId })),
        ]),
    ),
  });
  await replaceRelationships(
    transaction,
    storageId,
    changes.map(({ id, relationships }) => ({
      id,
      relationships: relationships.map(instanceRelationshipOnTheWire),
    })),
  );
  await deleteNodeInstances(transaction, storageId, [...removedIds]);
}

/** Nodes are as the plan has them now, without what was kept for the way. */
async function settleNodes(
  transaction: Transaction,
  storageId: number,
  update: DeploymentUpdate,
  plan: DeploymentPlan,
): Promise<void> {
  const added = new Set(nodesOf(update.nodes, 'add'));
  await updateNodes(
    transaction,
    storageId,
    plan.nodes
      .filter(({ id }) => !added.has(id))
      .map((node) => {
        const { relationships, plugins, pluginsToInstall } = newNodeOf(node);
        return {
          nodeId: node.id,
          relationships,
          plugins,
          ...(pluginsToInstall ? { pluginsToInstall } : {}),
          numberOfInstances: node.capabilities.scalable.properties.planned_instances,
        };
      }),
  );
  await deleteNodes(transaction, storageId, nodesOf(update.nodes, 'remove'));
}

async function putSchedules(
  transaction: Session,
  dependencies: SystemDependencies,
  context: SystemWorkflowContext,
  deployment: Deployment,
  plan: DeploymentPlan,
): Promise<void> {
  const { execution, clock } = context;
  const viewer = await loadViewer(transaction, execution.creatorId);
  const settings = await evaluateSettings(dependencies, { session: transaction, deployment, viewer }, plan);
  const owner = { deployment, creatorId: execution.creatorId, now: clock.now() };
  await putDefaultSchedules(transaction, owner, settings['default_schedules'] ?? null);
}
