/** Which deployments a client means when it changes a group, and what joining and leaving means for them. */
import { notFound } from '../domain/errors.ts';
import type { Json } from '../domain/plan.ts';
import type { DeploymentGroup } from '../domain/resources.ts';
import {
  addGroupMembers,
  getDeploymentGroup,
  loadGroupMembers,
  removeGroupMembers,
  replaceGroupMembers,
} from '../store/deployment-groups.ts';
import { listDeployments } from '../store/deployments.ts';
import { getFilter } from '../store/filters.ts';
import { replaceLabels } from '../store/labels.ts';
import type { ListQuery } from '../store/scope.ts';
import type { Transaction } from '../store/session.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { parseFilterRules } from './filter-rules.ts';
import { labelsToStore } from './labels.ts';
import type { NewLabel } from './labels.ts';
import { addDeploymentLabels, removeDeploymentLabels } from './parent-links.ts';

/** Ways to name deployments; all that are given count. */
export interface MemberSelection {
  readonly deploymentIds: readonly string[] | undefined;
  readonly filterId: string | undefined;
  readonly filterRules: Json | undefined;
  /** Id of a group whose members are meant. */
  readonly fromGroup: string | undefined;
}

async function findIds(
  transaction: Transaction,
  caller: TenantCaller,
  query: ListQuery,
): Promise<{ id: string; storageId: number }[]> {
  const { items } = await listDeployments(transaction, scopeOf(caller), { ...query, all: true, fields: ['id'] });
  return items;
}

async function findNamed(transaction: Transaction, caller: TenantCaller, ids: readonly string[]): Promise<number[]> {
  const found = await findIds(transaction, caller, { filters: { id: ids } });
  const known = new Set(found.map(({ id }) => id));
  const missing = ids.find((id) => !known.has(id));
  if (missing !== undefined) {
    throw notFound('Deployment', missing);
  }
  return found.map(({ storageId }) => storageId);
}

/** Storage ids of the deployments meant. @throws GantryError not_found_error, invalid_filter_rule */
async function findSelected(
  transaction: Transaction,
  caller: TenantCaller,
  selection: MemberSelection,
): Promise<number[]> {
  const { deploymentIds, filterId, filterRules, fromGroup } = selection;
  const selected: number[] = [];
  if (deploymentIds !== undefined && deploymentIds.length > 0) {
    selected.push(...(await findNamed(transaction, caller, deploymentIds)));
  }
  if (filterId !== undefined) {
    const { rules } = await getFilter(transaction, scopeOf(caller), 'deployments', filterId);
    selected.push(...(await findIds(transaction, caller, { rules })).map(({ storageId }) => storageId));
  }
  if (filterRules !== undefined) {
    const rules = parseFilterRules(filterRules, 'deployments');
    selected.push(...(await findIds(transaction, caller, { rules })).map(({ storageId }) => storageId));
  }
  if (fromGroup !== undefined) {
    const { storageId } = await getDeploymentGroup(transaction, scopeOf(caller), fromGroup, { fields: ['id'] });
    selected.push(...(await loadGroupMembers(transaction, storageId)));
  }
  return [...new Set(selected)];
}

/** Adds the selected deployments; they get the labels of the group. @param group with its labels */
export async function addMembers(
  transaction: Transaction,
  caller: TenantCaller,
  group: DeploymentGroup,
  selection: MemberSelection,
): Promise<void> {
  const selected = await findSelected(transaction, caller, selection);
  const added = await addGroupMembers(transaction, group.storageId, selected);
  await addDeploymentLabels(transaction, caller, added, group.labels);
}

/** Takes the selected deployments out of the group; those that are no members are ignored. Their labels stay. */
export async function removeMembers(
  transaction: Transaction,
  caller: TenantCaller,
  group: DeploymentGroup,
  selection: MemberSelection,
): Promise<void> {
  const selected = await findSelected(transaction, caller, selection);
  await removeGroupMembers(transaction, group.storageId, selected);
}

/**
 * Makes the selected deployments the members of the group.
 *
 * Compatibility: Cloudify 7: ids, a filter and another group replace the members, filter rules alone add to them.
 */
export async function setMembers(
  transaction: Transaction,
  caller: TenantCaller,
  group: DeploymentGroup,
  selection: MemberSelection,
): Promise<void> {
  const { deploymentIds, filterId, fromGroup } = selection;
  if (deploymentIds === undefined && filterId === undefined && fromGroup === undefined) {
    return addMembers(transaction, caller, group, selection);
  }
  const selected = await findSelected(transaction, caller, selection);
  const { added } = await replaceGroupMembers(transaction, group.storageId, selected);
  await addDeploymentLabels(transaction, caller, added, group.labels);
}

/** Makes `labels` those of the group (`group` has those of before); what is added and removed is added to and removed from every member. */
export async function setGroupLabels(
  transaction: Transaction,
  caller: TenantCaller,
  group: Pick<DeploymentGroup, 'storageId' | 'labels'>,
  labels: readonly NewLabel[],
): Promise<void> {
  const { added, removed } = await replaceLabels(
    transaction,
    'deploymentGroups',
    group.storageId,
    await labelsToStore(transaction, caller, labels, {}, group.labels),
  );
  const members = await loadGroupMembers(transaction, group.storageId);
  await removeDeploymentLabels(transaction, caller, members, removed);
  await addDeploymentLabels(transaction, caller, members, added);
}
