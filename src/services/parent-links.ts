/** What the label csys-obj-parent means: who is a part of whom. */
import { GantryError } from '../domain/errors.ts';
import { addParents, findInCycle, removeParents } from '../store/deployment-hierarchy.ts';
import { addConsumers, removeConsumers } from '../store/consumers.ts';
import type { HierarchyEdge } from '../store/deployment-hierarchy.ts';
import { findTargets } from '../store/deployment-links.ts';
import { refreshSubDeployments } from '../store/deployment-status.ts';
import { addLabels, removeLabels } from '../store/labels.ts';
import type { Transaction } from '../store/session.ts';
import type { TenantCaller } from './caller.ts';
import type { NewLabel } from './labels.ts';

const parentKey = 'csys-obj-parent';
export const consumerKey = 'csys-consumer-id';

function parentsIn(labels: readonly NewLabel[]): string[] {
  return labels.filter(({ key }) => key === parentKey).map(({ value }) => value);
}

function edgesOf(children: readonly number[], parents: Iterable<number>): HierarchyEdge[] {
  return [...parents].flatMap((parentId) => children.map((childId) => ({ childId, parentId })));
}

/**
 * Makes deployments parts of the parents that added labels name, and counts them there.
 * @param children storage ids
 * @throws GantryError deployment_parent_not_found_error; conflict_error when one would be its own ancestor
 */
export async function linkParents(
  transaction: Transaction,
  caller: TenantCaller,
  children: readonly number[],
  labels: readonly NewLabel[],
): Promise<void> {
  const names = parentsIn(labels);
  if (names.length === 0 || children.length === 0) {
    return;
  }
  const parents = await findTargets(transaction, caller.tenant.id, names);
  const missing = names.filter((name) => !parents.has(name));
  if (missing.length > 0) {
    throw new GantryError(
      'deployment_parent_not_found_error',
      `Deployment(s) referenced by \`${parentKey}\` not found: ${missing.join(', ')}`,
    );
  }
  const edges = edgesOf(children, parents.values());
  await addParents(transaction, edges);
  if ((await findInCycle(transaction, children)).length > 0) {
    throw new GantryError('conflict_error', `cyclic dependencies: ${names.join(', ')}`);
  }
  await addConsumers(transaction, edges);
  await refreshSubDeployments(transaction, [...parents.values()]);
}

/** Takes deployments away from the parents that removed labels name. Parents that are gone are left out. */
export async function unlinkParents(
  transaction: Transaction,
  caller: TenantCaller,
  children: readonly number[],
  labels: readonly NewLabel[],
): Promise<void> {
  const names = parentsIn(labels);
  if (names.length === 0 || children.length === 0) {
    return;
  }
  const parents = await findTargets(transaction, caller.tenant.id, names);
  const edges = edgesOf(children, parents.values());
  await removeParents(transaction, edges);
  await removeConsumers(transaction, edges);
  await refreshSubDeployments(transaction, [...parents.values()]);
}

/** Adds labels to deployments, with what they mean. @param storageIds of deployments @throws see `linkParents` */
export async function addDeploymentLabels(
  transaction: Transaction,
  caller: TenantCaller,
  storageIds: readonly number[],
  labels: readonly NewLabel[],
): Promise<void> {
  await addLabels(
    transaction,
    'deployments',
    storageIds,
    labels.map(({ key, value }) => ({ key, value, creatorId: caller.user.id })),
  );
  await linkParents(transaction, caller, storageIds, labels);
}

/** Removes labels from deployments, with what they mean. */
export async function removeDeploymentLabels(
  transaction: Transaction,
  caller: TenantCaller,
  storageIds: readonly number[],
  labels: readonly NewLabel[],
): Promise<void> {
  await removeLabels(transaction, 'deployments', storageIds, labels);
  await unlinkParents(transaction, caller, storageIds, labels);
}
