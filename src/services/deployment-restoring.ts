/** Storing a deployment that was there before: nothing is created, everything is told. */
import type { Blueprint, Deployment } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { withStorage } from '../executor/storage-quota.ts';
import type { Book } from '../executor/storage-quota.ts';
import type { StagedDirectory } from '../files/working-directory.ts';
import { stageWorkingDirectory } from '../files/working-directory.ts';
import { addConsumers } from '../store/consumers.ts';
import { addParents, findInCycle, findLabelledEdges } from '../store/deployment-hierarchy.ts';
import { refreshSubDeployments } from '../store/deployment-status.ts';
import { createDeployment, lockDeploymentFiles } from '../store/deployments.ts';
import type { DeploymentUpdate } from '../store/deployments.ts';
import { addLabels } from '../store/labels.ts';
import type { Transaction } from '../store/session.ts';
import { requireQuota } from '../store/tenant-quotas.ts';
import type { TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import type { DeploymentRequest } from './deployment-creation.ts';
import type { DocumentName } from './deployment-update.ts';
import { labelsToStore } from './labels.ts';
import { creationTime, ownerId } from './ownership.ts';

/** What somebody who restores a deployment tells of it. */
export interface RestoredParts {
  /** Its working directory as a zip archive. */
  readonly workdir: Buffer;
  readonly attributes: Pick<
    DeploymentUpdate,
    | DocumentName
    | 'description'
    | 'deploymentStatus'
    | 'installationStatus'
    | 'subServicesStatus'
    | 'subEnvironmentsStatus'
    | 'subServicesCount'
    | 'subEnvironmentsCount'
  >;
}

/** What a deployment refers to. */
export interface RestoredReferences {
  readonly blueprint: Pick<Blueprint, 'storageId'>;
  readonly siteStorageId: number | undefined;
}

/**
 * Links a deployment with its parents, and with children that were restored before it. Parents that are not there yet
 * find it when they are restored.
 */
async function link(transaction: Transaction, { storageId, id }: Deployment): Promise<void> {
  const edges = await findLabelledEdges(transaction, storageId);
  if (edges.length === 0) {
    return;
  }
  await addParents(transaction, edges);
  if ((await findInCycle(transaction, [storageId])).length > 0) {
    throw new GantryError('conflict_error', `cyclic dependencies: the labels make deployment ${id} its own parent`);
  }
  await addConsumers(transaction, edges);
  await refreshSubDeployments(transaction, [...new Set(edges.map(({ parentId }) => parentId))]);
}

async function store(
  caller: TenantCaller,
  request: DeploymentRequest,
  attributes: RestoredParts['attributes'],
  { blueprint, siteStorageId }: RestoredReferences,
  directory: StagedDirectory,
  transaction: Transaction,
  book: Book,
): Promise<Deployment> {
  await requireQuota(transaction, caller.tenant, 'deployments');
  await lockDeploymentFiles(transaction, caller.tenant.id, request.id);
  const deployment = await createDeployment(transaction, {
    ...attributes,
    id: request.id,
    tenantId: caller.tenant.id,
    creatorId: await ownerId(transaction, caller, request.origin.creator),
    createdAt: creationTime(caller, request.origin.createdAt),
    visibility: request.visibility,
    blueprintStorageId: blueprint.storageId,
    displayName: request.displayName ?? request.id,
    siteStorageId,
    runtimeOnlyEvaluation: request.runtimeOnlyEvaluation ?? false,
    deploymentStatus: attributes.deploymentStatus ?? 'requires_attention',
  });
  const labels = await labelsToStore(transaction, caller, request.labels);
  await addLabels(transaction, 'deployments', [deployment.storageId], labels);
  await link(transaction, deployment);
  await book(await directory.growth());
  await directory.publish();
  return deployment;
}

/**
 * Stores a deployment as it was, with its working directory; its nodes, instances and executions follow.
 * @param prepare what has to be out of the way, in the same transaction
 * @throws GantryError bad_parameters_error for an archive that is refused; conflict_error for an id that is taken;
 *   forbidden_error without set_owner or set_timestamp where they are needed; quota_exceeded_error
 */
export async function restoreDeployment(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  request: DeploymentRequest,
  { workdir, attributes }: RestoredParts,
  references: RestoredReferences,
  prepare: (transaction: Transaction) => Promise<void>,
): Promise<Deployment> {
  const { database, files } = dependencies;
  const directory = await stageWorkingDirectory(files, caller.tenant.name, request.id, workdir);
  try {
    const session = database.actingAs(actorOf(caller));
    return await withStorage({ session, files }, caller.tenant, async (transaction, book) => {
      await prepare(transaction);
      return store(caller, request, attributes, references, directory, transaction, book);
    });
  } finally {
    await directory.discard();
  }
}
