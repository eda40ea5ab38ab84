import { ifFound } from '../domain/errors.ts';
import { deletionWorkflow, newDeletions, requireRemovable } from '../executor/system/deletion.ts';
import type { DeletionRequest } from '../executor/system/deletion.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { DeploymentGroup } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { getBlueprint } from '../store/blueprints.ts';
import {
  createDeploymentGroup,
  deleteDeploymentGroup,
  getDeploymentGroup,
  listDeploymentGroups,
  loadGroupMembers,
  updateDeploymentGroup,
} from '../store/deployment-groups.ts';
import type { DeploymentGroupUpdate } from '../store/deployment-groups.ts';
import { findDeployments } from '../store/deployments.ts';
import { lockQueue } from '../store/execution-queue.ts';
import type { Transaction } from '../store/session.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import type { CreationLookups } from './deployment-creation.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { startReady, storeExecutionGroup } from './execution-batches.ts';
import { createGroupDeployments } from './group-deployments.ts';
import type { GroupDeployment } from './group-deployments.ts';
import { addMembers, removeMembers, setGroupLabels, setMembers } from './group-members.ts';
import type { MemberSelection } from './group-members.ts';
import { checkIdentifier, everywhere, requireFreeGlobally, requireOwnTenant } from './identifiers.ts';
import type { NewLabel } from './labels.ts';
import { creationTime, newOwnerId, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';

/** What a client says of a group; undefined leaves it as it is. */
export interface DeploymentGroupRequest {
  readonly visibility: Visibility | undefined;
  readonly description: string | undefined;
  /** Default of deployments that are created in the group. */
  readonly blueprintId: string | undefined;
  readonly defaultInputs: JsonObject | undefined;
  /** Replace those of the group. */
  readonly labels: readonly NewLabel[] | undefined;
  readonly members: MemberSelection;
  readonly newDeployments: readonly GroupDeployment[];
  /** For groups that are restored. */
  readonly origin: Origin;
  readonly creationCounter: number | undefined;
}

/** Deployments to put into a group and to take out of it. */
export interface MembershipChange {
  readonly add: (MemberSelection & { readonly newDeployments: readonly GroupDeployment[] }) | undefined;
  readonly remove: MemberSelection | undefined;
}

export interface DeploymentGroupService {
  /** Creates or changes a group with everything the request says, or nothing of it. @throws GantryError */
  put(caller: TenantCaller, id: string, request: DeploymentGroupRequest): Promise<DeploymentGroup>;
  changeMembers(caller: TenantCaller, id: string, change: MembershipChange): Promise<DeploymentGroup>;
  /** Its deployments stay. @throws GantryError not_found_error */
  remove(caller: TenantCaller, id: string): Promise<void>;
  /**
   * Removes the group and starts the deletion of its deployments, when all of them may be deleted.
   * @returns id of the execution group that deletes them
   * @throws GantryError dependent_exists_error; then everything stays
   */
  removeWithDeployments(caller: TenantCaller, id: string, request: DeletionRequest): Promise<string>;
}

/** Deployments of a group that are deleted at once. Compatibility: that of Cloudify 7. */
const deletionConcurrency = 5;

/** Locks the group; undefined when it is not there. */
async function findGroup(
  transaction: Transaction,
  caller: TenantCaller,
  id: string,
): Promise<DeploymentGroup | undefined> {
  const reading = getDeploymentGroup(transaction, scopeOf(caller), id, { fields: ['labels'], lock: true });
  const group = await ifFound(reading);
  if (group) {
    requireOwnTenant(caller, group);
  }
  return group;
}

async function updateOf(
  transaction: Transaction,
  caller: TenantCaller,
  request: DeploymentGroupRequest,
): Promise<DeploymentGroupUpdate> {
  const { blueprintId } = request;
  const blueprint =
    blueprintId === undefined
      ? undefined
      : await getBlueprint(transaction, scopeOf(caller), blueprintId, { fields: ['id'] });
  return {
    description: request.description,
    visibility: request.visibility,
    defaultBlueprintStorageId: blueprint?.storageId,
    defaultInputs: request.defaultInputs,
    creationCounter: request.creationCounter,
  };
}

async function createOrUpdate(
  transaction: Transaction,
  caller: TenantCaller,
  id: string,
  request: DeploymentGroupRequest,
): Promise<DeploymentGroup> {
  const { origin } = request;
  const createdAt = creationTime(caller, origin.createdAt);
  const update = await updateOf(transaction, caller, request);
  const present = await findGroup(transaction, caller, id);
  if (!present) {
    return createDeploymentGroup(transaction, {
      ...update,
      id,
      tenantId: caller.tenant.id,
      creatorId: await ownerId(transaction, caller, origin.creator),
      visibility: update.visibility ?? 'tenant',
      createdAt,
    });
  }
  if (update.visibility !== undefined) {
    await requireFreeGlobally(update.visibility, present, (query) =>
      listDeploymentGroups(transaction, everywhere, query),
    );
  }
  return updateDeploymentGroup(transaction, present.storageId, {
    ...update,
    creatorId: await newOwnerId(transaction, caller, origin.creator),
    createdAt,
  });
}

async function startDeletions(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  group: DeploymentGroup,
  request: DeletionRequest,
  transaction: Transaction,
): Promise<string> {
  await lockQueue(transaction);
  const members = await loadGroupMembers(transaction, group.storageId);
  const deployments = await findDeployments(transaction, members, { fields: [], lock: true });
  deployments.forEach((deployment) => requireOwnTenant(caller, deployment));
  await requireRemovable(transaction, deployments, request);
  const stored = await storeExecutionGroup(
    transaction,
    caller,
    {
      id: dependencies.newId(),
      workflowId: deletionWorkflow,
      concurrency: deletionConcurrency,
      visibility: group.visibility,
      deploymentGroupStorageId: undefined,
    },
    await newDeletions(transaction, deployments, request, { newId: dependencies.newId, creatorId: caller.user.id }),
  );
  await startReady(dependencies, transaction);
  return stored.group.id;
}

/** Makes the use cases that change deployment groups. */
export function createDeploymentGroupService(
  dependencies: ServiceDependencies,
  lookups: CreationLookups,
): DeploymentGroupService {
  const { database } = dependencies;
  const read = (transaction: Transaction, caller: TenantCaller, id: string): Promise<DeploymentGroup> =>
    getDeploymentGroup(transaction, scopeOf(caller), id);
  const lock = async (transaction: Transaction, caller: TenantCaller, id: string): Promise<DeploymentGroup> => {
    const group = await getDeploymentGroup(transaction, scopeOf(caller), id, { fields: ['labels'], lock: true });
    requireOwnTenant(caller, group);
    return group;
  };

  return {
    async put(caller, id, request) {
      checkIdentifier('group_id', id, { mayStartWithDigit: true });
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const stored = await createOrUpdate(transaction, caller, id, request);
        if (request.labels) {
          await setGroupLabels(transaction, caller, stored, request.labels);
        }
        const group = await lock(transaction, caller, id);
        await setMembers(transaction, caller, group, request.members);
        await createGroupDeployments(dependencies, lookups, caller, group, request.newDeployments, transaction);
        return read(transaction, caller, id);
      });
    },

    changeMembers: (caller, id, { add, remove }) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const group = await lock(transaction, caller, id);
        if (add) {
          await addMembers(transaction, caller, group, add);
          await createGroupDeployments(dependencies, lookups, caller, group, add.newDeployments, transaction);
        }
        if (remove) {
          await removeMembers(transaction, caller, group, remove);
        }
        return read(transaction, caller, id);
      }),

    remove: (caller, id) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const { storageId } = await lock(transaction, caller, id);
        await deleteDeploymentGroup(transaction, storageId);
      }),

    removeWithDeployments: (caller, id, request) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const group = await lock(transaction, caller, id);
        const executionGroupId = await startDeletions(dependencies, caller, group, request, transaction);
        await deleteDeploymentGroup(transaction, group.storageId);
        return executionGroupId;
      }),
  };
}
