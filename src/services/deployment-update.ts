import type { Deployment } from '../domain/entities.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import { getBlueprint } from '../store/blueprints.ts';
import { refreshAncestors, setLatestExecutions } from '../store/deployment-status.ts';
import { getDeployment, updateDeployment } from '../store/deployments.ts';
import type { DeploymentUpdate } from '../store/deployments.ts';
import { findExecution } from '../store/executions.ts';
import { replaceLabels } from '../store/labels.ts';
import type { Transaction } from '../store/session.ts';
import { isDeploymentUpdate, scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { requireOwnTenant } from './identifiers.ts';
import { labelsToStore } from './labels.ts';
import type { NewLabel } from './labels.ts';
import { creationTime, newOwnerId } from './ownership.ts';
import type { Origin } from './ownership.ts';
import { consumerKey, linkParents, unlinkParents } from './parent-links.ts';

/** What a client changes of a deployment; undefined = nothing. */
export interface DeploymentChange {
  readonly displayName: string | undefined;
  readonly description: string | undefined;
  readonly documents: Pick<DeploymentUpdate, DocumentName>;
  readonly runtimeOnlyEvaluation: boolean | undefined;
  readonly blueprintId: string | undefined;
  readonly labels: readonly NewLabel[] | undefined;
  /** Name of the new owner, also of labels that tell none. */
  readonly creator: string | undefined;
  /** Time of labels that tell none. */
  readonly createdAt: Date | undefined;
  /** Ids of executions of the deployment. */
  readonly createExecutionId: string | undefined;
  readonly latestExecutionId: string | undefined;
}

/** Documents that the creation of a deployment fills; afterwards only a deployment update changes them. */
const documentNames = [
  'inputs',
  'groups',
  'policyTriggers',
  'policyTypes',
  'outputs',
  'capabilities',
  'scalingGroups',
  'workflows',
  'resourceTags',
] as const;
export type DocumentName = (typeof documentNames)[number];

function requireUnset(caller: TenantCaller, deployment: Deployment, change: DeploymentChange): void {
  if (isDeploymentUpdate(caller)) {
    return;
  }
  for (const name of documentNames) {
    if (change.documents[name] !== undefined && deployment[name] !== undefined) {
      throw new GantryError('conflict_error', `${name} is already set`);
    }
  }
  if (change.description !== undefined && deployment.description !== undefined) {
    throw new GantryError('conflict_error', 'description is already set');
  }
  if (change.blueprintId !== undefined) {
    throw new GantryError('only_deployment_update', 'Only a deployment update may change the blueprint');
  }
}

async function replace(
  transaction: Transaction,
  caller: TenantCaller,
  deployment: Deployment,
  labels: readonly NewLabel[],
  origin: Origin,
): Promise<void> {
  const { added, removed } = await replaceLabels(
    transaction,
    'deployments',
    deployment.storageId,
    await labelsToStore(transaction, caller, labels, origin, deployment.labels),
    [consumerKey],
  );
  await unlinkParents(transaction, caller, [deployment.storageId], removed);
  await linkParents(transaction, caller, [deployment.storageId], added);
  // whether it counts as environment or service is a label, too
  await refreshAncestors(transaction, [deployment.storageId]);
}

/** Storage id of an execution of the deployment. @throws GantryError not_found_error */
async function executionOf(
  transaction: Transaction,
  deployment: Deployment,
  id: string | undefined,
): Promise<number | undefined> {
  const execution = id === undefined ? undefined : await findExecution(transaction, id);
  if (id !== undefined && execution?.deploymentStorageId !== deployment.storageId) {
    throw notFound('Execution', id);
  }
  return execution?.storageId;
}

/** Changes a deployment in the transaction. @throws GantryError conflict_error for what is set already */
export async function changeDeployment(
  transaction: Transaction,
  caller: TenantCaller,
  id: string,
  change: DeploymentChange,
): Promise<Deployment> {
  const deployment = await getDeployment(transaction, scopeOf(caller), id, { lock: true });
  requireOwnTenant(caller, deployment);
  requireUnset(caller, deployment, change);
  creationTime(caller, change.createdAt);
  const blueprint =
    change.blueprintId === undefined
      ? undefined
      : await getBlueprint(transaction, scopeOf(caller), change.blueprintId, { fields: ['id'] });
  const update: DeploymentUpdate = {
    ...change.documents,
    displayName: change.displayName,
    description: change.description,
    runtimeOnlyEvaluation: change.runtimeOnlyEvaluation,
    blueprintStorageId: blueprint?.storageId,
    creatorId: await newOwnerId(transaction, caller, change.creator),
    createExecutionStorageId: await executionOf(transaction, deployment, change.createExecutionId),
  };
  if (change.labels) {
    const isCreation = caller.execution?.id === deployment.createExecutionId && caller.execution !== undefined;
    const kept = isCreation ? deployment.labels.map(({ key, value }) => ({ key, value })) : [];
    const all = new Map([...kept, ...change.labels].map((label) => [`${label.key}\0${label.value}`, label]));
    await replace(transaction, caller, deployment, [...all.values()], {
      creator: change.creator,
      createdAt: change.createdAt,
    });
  }
  const latestExecution = await executionOf(transaction, deployment, change.latestExecutionId);
  if (latestExecution !== undefined) {
    await setLatestExecutions(transaction, [
      { deploymentStorageId: deployment.storageId, executionStorageId: latestExecution },
    ]);
  }
  return updateDeployment(transaction, deployment.storageId, update);
}
