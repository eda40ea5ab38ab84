import type { Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { executionStatuses, isExecutionEnded } from '../domain/states.ts';
import type { ExecutionStatus } from '../domain/states.ts';
import { findBeginnings } from '../store/execution-beginnings.ts';
import { findBlockingExecutions } from '../store/execution-queue.ts';
import { applyExecutionStatus } from '../store/execution-effects.ts';
import { changeExecutionStatus, findExecution, getExecution, listExecutions } from '../store/executions.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Transaction } from '../store/session.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { cancelExecutions, resumeExecution } from './execution-actions.ts';
import type { CancelAction } from './execution-actions.ts';
import { changePause } from './execution-control.ts';
import { recordExecution } from './execution-records.ts';
import type { ExecutionRecord } from './execution-records.ts';
import { purgeExecutions } from './execution-history.ts';
import type { PurgeRequest } from './execution-history.ts';
import { requireOwnTenant } from './identifiers.ts';
import { startExecution } from './start-execution.ts';
import type { StartRequest } from './start-execution.ts';

export const executionActions = [
  'cancel',
  'force-cancel',
  'kill',
  'resume',
  'force-resume',
  'requeue',
  'pause',
  'unpause',
] as const;
export type ExecutionAction = (typeof executionActions)[number];

export interface ExecutionService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean, groupId?: string): Promise<Page<Execution>>;
  get(caller: TenantCaller, id: string): Promise<Execution>;
  /** @throws GantryError, see `startExecution` */
  start(caller: TenantCaller, request: StartRequest): Promise<Execution>;
  /** Stores one of the past, see `recordExecution`. */
  record(caller: TenantCaller, record: ExecutionRecord): Promise<Execution>;
  /** Cancels, kills, resumes, pauses or unpauses. @throws GantryError illegal_action_error, conflict_error, not_found_error */
  act(caller: TenantCaller, id: string, action: ExecutionAction): Promise<Execution>;
  /** Removes ended executions, see `purgeExecutions`. */
  purge(caller: Caller, request: PurgeRequest): Promise<number>;
  /** Whether a queued execution could run now. */
  mayStart(caller: TenantCaller, id: string): Promise<boolean>;
  /** Sets the status as an external workflow reports it. @throws GantryError invalid_exception_status_update */
  report(caller: TenantCaller, id: string, status: ExecutionStatus, error: string): Promise<Execution>;
}

/** Event of the state table behind a status that a workflow reports. */
const reportedEvents: Partial<Record<ExecutionStatus, string>> = {
  pending: 'dispatch',
  started: 'start',
  terminated: 'succeed',
  failed: 'fail',
  cancelled: 'stopped',
  cancelling: 'cancel',
  force_cancelling: 'force-cancel',
  kill_cancelling: 'kill',
};

function cannotCancel(action: CancelAction, execution: Execution): GantryError {
  return new GantryError(
    'illegal_action_error',
    `Can't ${action} execution ${execution.id} because it's in status ${execution.status}`,
  );
}

async function cancel(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  execution: Execution,
  action: CancelAction,
): Promise<void> {
  const cancelled = await cancelExecutions(dependencies, transaction, [execution.id], action);
  if (cancelled.length === 0) {
    throw cannotCancel(action, execution);
  }
}

async function requeue(transaction: Transaction, execution: Execution): Promise<void> {
  if (!(await changeExecutionStatus(transaction, execution.id, { event: 'queue', error: '' }))) {
    throw new GantryError(
      'illegal_action_error',
      `Can't requeue execution ${execution.id} because it's in status ${execution.status}`,
    );
  }
}

async function act(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  execution: Execution,
  action: ExecutionAction,
  caller: TenantCaller,
): Promise<void> {
  switch (action) {
    case 'cancel':
    case 'force-cancel':
    case 'kill':
      return cancel(dependencies, transaction, execution, action);
    case 'resume':
      return resumeExecution(dependencies, transaction, execution, false);
    case 'force-resume':
      return resumeExecution(dependencies, transaction, execution, true);
    case 'requeue':
      return requeue(transaction, execution);
    case 'pause':
    case 'unpause':
      return changePause(dependencies, transaction, execution, action, caller);
  }
}

/** Makes the use cases of executions. */
export function createExecutionService(dependencies: ServiceDependencies): ExecutionService {
  const { database } = dependencies;
  return {
    list: (caller, query, isAllTenants, groupId) =>
      listExecutions(database, listScopeOf(caller, isAllTenants, 'execution_list'), query, { groupId }),

    get: (caller, id) => getExecution(database, scopeOf(caller), id),

    start: (caller, request) => startExecution(dependencies, caller, request),

    record: (caller, record) => recordExecution(dependencies, caller, record),

    act: (caller, id, action) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const execution = await getExecution(transaction, scopeOf(caller), id);
        requireOwnTenant(caller, execution);
        await act(dependencies, transaction, execution, action, caller);
        return (await findExecution(transaction, id)) ?? execution;
      }),

    purge: (caller, request) => purgeExecutions(dependencies, caller, request),

    async mayStart(caller, id) {
      const { deploymentStorageId, storageId } = await getExecution(database, scopeOf(caller), id);
      const isForced = (await findBeginnings(database, [storageId])).get(storageId)?.isForced ?? false;
      const system = await findBlockingExecutions(database, { isSystemWorkflow: true, exceptId: id });
      const own =
        deploymentStorageId === undefined || isForced
          ? []
          : await findBlockingExecutions(database, { deploymentStorageIds: [deploymentStorageId], exceptId: id });
      return system.length === 0 && own.length === 0;
    },

    report: (caller, id, status, error) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const execution = await getExecution(transaction, scopeOf(caller), id);
        requireOwnTenant(caller, execution);
        if (execution.status === status && isExecutionEnded(status)) {
          return execution;
        }
        const event = reportedEvents[status];
        const changed = event ? await changeExecutionStatus(transaction, id, { event, error }) : undefined;
        if (!changed) {
          throw new GantryError(
            'invalid_exception_status_update',
            `Invalid relationship - can't change status from ${execution.status} to ${status} for "${id}" execution ` +
              `while running "${execution.workflowId}" workflow.`,
          );
        }
        await applyExecutionStatus(transaction, changed);
        return changed;
      }),
  };
}

/** Statuses that a workflow may report. */
export const reportableStatuses: readonly ExecutionStatus[] = executionStatuses.filter(
  (status) => status in reportedEvents,
);
