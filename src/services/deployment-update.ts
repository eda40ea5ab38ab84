import type { Deployment } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { getBlueprint } from '../store/blueprints.ts';
import { refreshAncestors } from '../store/deployment-status.ts';
import { getDeployment, updateDeployment } from '../store/deployments.ts';
import type { DeploymentUpdate } from '../store/deployments.ts';
import { replaceLabels } from '../store/labels.ts';
import type { Transaction } from '../store/session.ts';
import { isDeploymentUpdate, scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { requireOwnTenant } from './identifiers.ts';
import type { NewLabel } from './labels.ts';
import { newOwnerId } from './ownership.ts';
import { consumerKey, linkParents, unlinkParents } from './parent-links.ts';

/** What a client changes of a deployment; undefined = nothing. */
export interface DeploymentChange {
  readonly displayName: string | undefined;
  readonly description: string | undefined;
  readonly documents: Pick<DeploymentUpdate, DocumentName>;
  readonly runtimeOnlyEvaluation: boolean | undefined;
  readonly blueprintId: string | undefined;
  readonly labels: readonly NewLabel[] | undefined;
  /** Name of the new owner. */
  readonly creator: string | undefined;
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
): Promise<void> {
  const { added, removed } = await replaceLabels(
    transaction,
    'deployments',
    deployment.storageId,
    labels.map((label) => ({ ...label, creatorId: caller.user.id })),
    [consumerKey],
  );
  await unlinkParents(transaction, caller, [deployment.storageId], removed);
  await linkParents(transaction, caller, [deployment.storageId], added);
  // whether it counts as environment or service is a label, too
  await refreshAncestors(transaction, [deployment.storageId]);
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
  };
  if (change.labels) {
    const isCreation = caller.execution?.id === deployment.createExecutionId && caller.execution !== undefined;
    const kept = isCreation ? deployment.labels.map(({ key, value }) => ({ key, value })) : [];
    const all = new Map([...kept, ...change.labels].map((label) => [`${label.key}\0${label.value}`, label]));
    await replace(transaction, caller, deployment, [...all.values()]);
  }
  return updateDeployment(transaction, deployment.storageId, update);
}
