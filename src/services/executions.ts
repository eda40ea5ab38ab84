import { serviceExchange, routingKeys } from '../amqp/names.ts';
import { writeServiceTask } from '../amqp/envelopes.ts';
import { workflowMessage } from '../amqp/workflow-message.ts';
import type { Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { executionStatuses, isExecutionEnded } from '../domain/states.ts';
import type { ExecutionStatus } from '../domain/states.ts';
import { findBlockingExecutions } from '../store/execution-queue.ts';
import { applyExecutionStatus } from '../store/execution-effects.ts';
import {
  changeExecutionStatus,
  findExecution,
  getExecution,
  listExecutions,
  setExecutionToken,
} from '../store/executions.ts';
import { resetOperations } from '../store/operations.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Transaction } from '../store/session.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { createExecutionToken } from '../security/tokens.ts';
import { purgeExecutions } from './execution-history.ts';
import type { PurgeRequest } from './execution-history.ts';
import { requireOwnTenant } from './identifiers.ts';
import { sendAfterCommit } from './outbox.ts';
import { startExecution } from './start-execution.ts';
import type { StartRequest } from './start-execution.ts';

export const executionActions = ['cancel', 'force-cancel', 'kill', 'resume', 'force-resume', 'requeue'] as const;
export type ExecutionAction = (typeof executionActions)[number];

export interface ExecutionService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean, groupId?: string): Promise<Page<Execution>>;
  get(caller: TenantCaller, id: string): Promise<Execution>;
  /** @throws GantryError, see `startExecution` */
  start(caller: TenantCaller, request: StartRequest): Promise<Execution>;
  /** Cancels, kills or resumes. @throws GantryError illegal_action_error, conflict_error, not_found_error */
  act(caller: TenantCaller, id: string, action: ExecutionAction): Promise<Execution>;
  /** Removes ended executions, see `purgeExecutions`. */
  purge(caller: Caller, request: PurgeRequest): Promise<number>;
  /** Whether a queued execution could run now. */
  mayStart(caller: TenantCaller, id: string): Promise<boolean>;
  /** Sets the status as an external workflow reports it. @throws GantryError invalid_exception_status_update */
  report(caller: TenantCaller, id: string, status: ExecutionStatus, error: string): Promise<Execution>;
}

const cancelEvents = { cancel: 'cancel', 'force-cancel': 'force-cancel', kill: 'kill' } as const;

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

function cannotCancel(action: ExecutionAction, execution: Execution): GantryError {
  const verb = action === 'cancel' ? 'cancel' : action === 'kill' ? 'kill' : 'force-cancel';
  return new GantryError(
    'illegal_action_error',
    `Can't ${verb} execution ${execution.id} because it's in status ${execution.status}`,
  );
}

/** Tells every worker of the manager to stop what it does for an execution. */
function cancelMessage(execution: Execution): { exchange: string; routingKey: string; body: JsonObject } {
  const kwargs = { executions: [{ id: execution.id }], tenant: { name: execution.tenantName } };
  return {
    exchange: serviceExchange,
    routingKey: routingKeys.service,
    body: writeServiceTask({ name: 'cancel-workflow', kwargs }) as JsonObject,
  };
}

async function cancel(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  execution: Execution,
  action: keyof typeof cancelEvents,
): Promise<void> {
  const isWaiting = execution.status === 'queued' || execution.status === 'scheduled';
  const event = cancelEvents[action];
  const changed = await changeExecutionStatus(transaction, execution.id, { event, error: '' });
  if (!changed) {
    throw cannotCancel(action, execution);
  }
  if (isWaiting) {
    // nobody drives it, so there is nobody to wait for
    const stopped = await changeExecutionStatus(transaction, execution.id, { event: 'stopped', error: '' });
    await applyExecutionStatus(transaction, stopped ?? changed);
    return;
  }
  if (action === 'kill') {
    // whatever still runs loses its access
    await setExecutionToken(transaction, execution.id, createExecutionToken().tokenHash);
    await sendAfterCommit(transaction, dependencies.outbox, [cancelMessage(execution)]);
  }
}

async function resume(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  execution: Execution,
  isForced: boolean,
): Promise<void> {
  const { status } = execution;
  const isResumable = status === 'failed' || status === 'cancelled' || (status === 'started' && !isForced);
  if (!isResumable) {
    const verb = isForced ? 'force-resume' : 'resume';
    throw new GantryError('conflict_error', `Cannot ${verb} execution: \`${execution.id}\` in state: \`${status}\``);
  }
  if (status !== 'started') {
    await resetOperations(transaction, execution.id, isForced);
  }
  const changed = await changeExecutionStatus(transaction, execution.id, { event: 'resume', error: '' });
  if (!changed) {
    throw new GantryError('conflict_error', `Execution \`${execution.id}\` has changed meanwhile; look at it again`);
  }
  const { token, tokenHash } = createExecutionToken();
  await setExecutionToken(transaction, execution.id, tokenHash);
  await sendAfterCommit(transaction, dependencies.outbox, [workflowMessage(changed, { executionToken: token })]);
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
): Promise<void> {
  switch (action) {
    case 'cancel':
    case 'force-cancel':
    case 'kill':
      return cancel(dependencies, transaction, execution, action);
    case 'resume':
      return resume(dependencies, transaction, execution, false);
    case 'force-resume':
      return resume(dependencies, transaction, execution, true);
    case 'requeue':
      return requeue(transaction, execution);
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

    act: (caller, id, action) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const execution = await getExecution(transaction, scopeOf(caller), id);
        requireOwnTenant(caller, execution);
        await act(dependencies, transaction, execution, action);
        return (await findExecution(transaction, id)) ?? execution;
      }),

    purge: (caller, request) => purgeExecutions(dependencies, caller, request),

    async mayStart(caller, id) {
      const { deploymentStorageId } = await getExecution(database, scopeOf(caller), id);
      const system = await findBlockingExecutions(database, { isSystemWorkflow: true, exceptId: id });
      const own =
        deploymentStorageId === undefined
          ? []
          : await findBlockingExecutions(database, { deploymentStorageId, exceptId: id });
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
