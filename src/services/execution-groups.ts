import { GantryError, notFound } from '../domain/errors.ts';
import type { ExecutionGroup } from '../domain/resources.ts';
import { getDeploymentGroup } from '../store/deployment-groups.ts';
import {
  addGroupExecutions,
  collectEndedDeployments,
  createExecutionGroup,
  findGroupExecutions,
  getExecutionGroup,
  listExecutionGroups,
  updateExecutionGroup,
} from '../store/execution-groups.ts';
import { listExecutions } from '../store/executions.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Session, Transaction } from '../store/session.ts';
import { listScopeOf, requirePermission, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { cancelExecutions, resumeInTurn } from './execution-actions.ts';
import { startReady } from './execution-batches.ts';
import { requireOwnTenant } from './identifiers.ts';
import { creationTime, ownerId } from './ownership.ts';
import { startOnGroup } from './group-executions.ts';
import type { GroupStartRequest } from './group-executions.ts';

export const executionGroupActions = ['cancel', 'force-cancel', 'kill', 'resume', 'force-resume'] as const;
export type ExecutionGroupAction = (typeof executionGroupActions)[number];

/** A group that ran elsewhere and is stored with executions that are there already. */
export interface GroupRestoreRequest extends Pick<GroupStartRequest, 'workflowId' | 'concurrency' | 'id' | 'origin'> {
  /** Undefined = it has gone since. */
  readonly deploymentGroupId: string | undefined;
  readonly executionIds: readonly string[];
}

/** What a client changes of an execution group; undefined leaves it. */
export interface ExecutionGroupChange {
  /** Deployment group that deployments join whose execution succeeded; and where it failed. */
  readonly successGroupId: string | undefined;
  readonly failureGroupId: string | undefined;
  readonly concurrency: number | undefined;
}

export interface ExecutionGroupService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<ExecutionGroup>>;
  get(caller: Caller, id: string, isAllTenants: boolean): Promise<ExecutionGroup>;
  /** @throws GantryError, see `startOnGroup` */
  start(caller: TenantCaller, request: GroupStartRequest): Promise<ExecutionGroup>;
  /** Stores a group without running anything. @throws GantryError forbidden_error, not_found_error, conflict_error */
  restore(caller: TenantCaller, request: GroupRestoreRequest): Promise<ExecutionGroup>;
  /** Cancels or resumes what can be; the other executions stay as they are. */
  act(caller: TenantCaller, id: string, action: ExecutionGroupAction): Promise<ExecutionGroup>;
  change(caller: TenantCaller, id: string, change: ExecutionGroupChange): Promise<ExecutionGroup>;
}

/** @throws GantryError bad_parameters_error */
function requireConcurrency(concurrency: number | undefined): void {
  if (concurrency !== undefined && (concurrency < 0 || concurrency > 2 ** 31 - 1)) {
    throw new GantryError('bad_parameters_error', `concurrency must be a nonnegative number, but got: ${concurrency}`);
  }
}

async function act(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  group: ExecutionGroup,
  action: ExecutionGroupAction,
): Promise<void> {
  const ids = await findGroupExecutions(transaction, group.storageId);
  switch (action) {
    case 'cancel':
    case 'force-cancel':
    case 'kill':
      await cancelExecutions(dependencies, transaction, ids, action);
      return;
    case 'resume':
    case 'force-resume':
      return resumeInTurn(dependencies, transaction, ids, action === 'force-resume');
  }
}

/** @throws GantryError forbidden_error */
function requireDetails(caller: TenantCaller, { id }: Pick<GroupStartRequest, 'id'>): void {
  if (id !== undefined) {
    requirePermission(caller, 'set_execution_group_details');
  }
}

async function restore(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  caller: TenantCaller,
  request: GroupRestoreRequest,
): Promise<string> {
  requireDetails(caller, request);
  const createdAt = creationTime(caller, request.origin.createdAt);
  const { deploymentGroupId } = request;
  const deploymentGroup =
    deploymentGroupId === undefined
      ? undefined
      : await getDeploymentGroup(transaction, scopeOf(caller), deploymentGroupId, { fields: ['id'] });
  const { items } = await listExecutions(transaction, scopeOf(caller), {
    filters: { id: request.executionIds },
    fields: ['id'],
    all: true,
  });
  const found = new Set(items.map(({ id }) => id));
  const missing = request.executionIds.find((id) => !found.has(id));
  if (missing !== undefined) {
    throw notFound('Execution', missing);
  }
  const group = await createExecutionGroup(transaction, {
    id: request.id ?? dependencies.newId(),
    tenantId: caller.tenant.id,
    creatorId: await ownerId(transaction, caller, request.origin.creator),
    visibility: deploymentGroup?.visibility ?? 'tenant',
    createdAt,
    workflowId: request.workflowId,
    concurrency: request.concurrency,
    deploymentGroupStorageId: deploymentGroup?.storageId,
  });
  await addGroupExecutions(
    transaction,
    group.storageId,
    items.map(({ storageId }) => storageId),
  );
  return group.id;
}

/** Makes the use cases of execution groups. */
export function createExecutionGroupService(dependencies: ServiceDependencies): ExecutionGroupService {
  const { database } = dependencies;
  const read = (session: Session, caller: TenantCaller, id: string): Promise<ExecutionGroup> =>
    getExecutionGroup(session, scopeOf(caller), id);
  const findTarget = async (
    transaction: Transaction,
    caller: TenantCaller,
    id: string | undefined,
  ): Promise<number | undefined> =>
    id === undefined
      ? undefined
      : (await getDeploymentGroup(transaction, scopeOf(caller), id, { fields: ['id'] })).storageId;

  return {
    list: (caller, query, isAllTenants) =>
      listExecutionGroups(database, listScopeOf(caller, isAllTenants, 'execution_group_list'), query),

    get: (caller, id, isAllTenants) =>
      getExecutionGroup(database, listScopeOf(caller, isAllTenants, 'execution_group_get'), id),

    async start(caller, request) {
      requireConcurrency(request.concurrency);
      requireDetails(caller, request);
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const deploymentGroup = await getDeploymentGroup(transaction, scopeOf(caller), request.deploymentGroupId, {
          fields: ['id'],
        });
        const { id } = await startOnGroup(dependencies, caller, deploymentGroup, request, transaction);
        return read(transaction, caller, id);
      });
    },

    async restore(caller, request) {
      requireConcurrency(request.concurrency);
      return database.transactionAs(actorOf(caller), async (transaction) =>
        read(transaction, caller, await restore(dependencies, transaction, caller, request)),
      );
    },

    act: (caller, id, action) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const group = await read(transaction, caller, id);
        requireOwnTenant(caller, group);
        await act(dependencies, transaction, group, action);
        return read(transaction, caller, id);
      }),

    async change(caller, id, change) {
      requireConcurrency(change.concurrency);
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const group = await read(transaction, caller, id);
        requireOwnTenant(caller, group);
        const changed = await updateExecutionGroup(transaction, group.storageId, {
          concurrency: change.concurrency,
          successGroupStorageId: await findTarget(transaction, caller, change.successGroupId),
          failedGroupStorageId: await findTarget(transaction, caller, change.failureGroupId),
        });
        await collectEndedDeployments(transaction, group.storageId);
        if ((change.concurrency ?? 0) > group.concurrency) {
          await startReady(dependencies, transaction);
        }
        return changed;
      });
    },
  };
}
