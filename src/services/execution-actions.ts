/** Cancelling and resuming executions, one or many. */
import { writeServiceTask } from '../amqp/envelopes.ts';
import { routingKeys, serviceExchange } from '../amqp/names.ts';
import { workflowMessage } from '../amqp/workflow-message.ts';
import type { Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { waitingExecutionStatuses } from '../domain/states.ts';
import { createExecutionToken } from '../security/tokens.ts';
import { findComponentExecutions } from '../store/component-executions.ts';
import { applyExecutionStatuses } from '../store/execution-effects.ts';
import {
  changeExecutionStatus,
  changeExecutionStatuses,
  revokeExecutionTokens,
  setExecutionStatuses,
  setExecutionToken,
} from '../store/executions.ts';
import { resetOperations } from '../store/operations.ts';
import type { Transaction } from '../store/session.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { startReady } from './execution-batches.ts';
import { sendAfterCommit } from './outbox.ts';
import { lockQueue } from '../store/execution-queue.ts';
import { requireQuota } from '../store/tenant-quotas.ts';
import type { NewMessage } from './outbox.ts';

/** Ways to cancel; each is the event of the state table with the same name. */
export type CancelAction = 'cancel' | 'force-cancel' | 'kill';

/** Tells every worker of the manager to stop what it does for an execution. */
function cancelMessage(execution: Execution): NewMessage {
  const kwargs = { executions: [{ id: execution.id }], tenant: { name: execution.tenantName } };
  return {
    exchange: serviceExchange,
    routingKey: routingKeys.service,
    body: writeServiceTask({ name: 'cancel-workflow', kwargs }) as JsonObject,
  };
}

/**
 * Cancels executions, as far as their status allows. Those that wait end at once: nobody drives them, so there is nobody
 * to wait for. What runs or waits on the components of their deployments is cancelled with them.
 * @returns those of the given ones that were cancelled or are being cancelled now
 */
export async function cancelExecutions(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  ids: readonly string[],
  action: CancelAction,
): Promise<Execution[]> {
  const cancelled = await cancelAll(dependencies, transaction, ids, action);
  const parts = await findComponentExecutions(
    transaction,
    cancelled.map(({ id }) => id),
  );
  await cancelAll(dependencies, transaction, parts, action);
  return cancelled;
}

async function cancelAll(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  ids: readonly string[],
  action: CancelAction,
): Promise<Execution[]> {
  if (ids.length === 0) {
    return [];
  }
  const ended = await setExecutionStatuses(transaction, ids, {
    from: waitingExecutionStatuses,
    to: 'cancelled',
    error: '',
  });
  await applyExecutionStatuses(transaction, ended);
  const cancelling = await changeExecutionStatuses(transaction, ids, { event: action, error: '' });
  if (action === 'kill') {
    await revokeExecutionTokens(
      transaction,
      cancelling.map(({ id }) => id),
    );
    await sendAfterCommit(transaction, dependencies.outbox, cancelling.map(cancelMessage));
  }
  return [...ended, ...cancelling];
}

/**
 * Lets one execution go on where it stopped.
 * @param isForced also repeats operations that were under way
 * @param keepsOperations leaves failed operations as they are: a person has decided about those that matter
 * @throws GantryError conflict_error when its status does not allow it
 */
export async function resumeExecution(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  execution: Execution,
  isForced: boolean,
  keepsOperations = false,
): Promise<void> {
  const { status, id } = execution;
  const isResumable = status === 'failed' || status === 'cancelled' || (status === 'started' && !isForced);
  if (!isResumable) {
    const verb = isForced ? 'force-resume' : 'resume';
    throw new GantryError('conflict_error', `Cannot ${verb} execution: \`${id}\` in state: \`${status}\``);
  }
  if (status !== 'started') {
    await lockQueue(transaction);
    await requireQuota(transaction, { id: execution.tenantId, name: execution.tenantName }, 'executions');
  }
  if (status !== 'started' && !keepsOperations) {
    await resetOperations(transaction, [id], isForced);
  }
  const changed = await changeExecutionStatus(transaction, id, { event: 'resume', error: '' });
  if (!changed) {
    throw new GantryError('conflict_error', `Execution \`${id}\` has changed meanwhile; look at it again`);
  }
  const { token, tokenHash } = createExecutionToken();
  await setExecutionToken(transaction, id, tokenHash);
  await sendAfterCommit(transaction, dependencies.outbox, [workflowMessage(changed, { executionToken: token })]);
}

/** Lets those of the executions that failed or were cancelled go on where they stopped, each in its turn. */
export async function resumeInTurn(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  ids: readonly string[],
  isForced: boolean,
): Promise<void> {
  await lockQueue(transaction);
  const resumed = (await changeExecutionStatuses(transaction, ids, { event: 'queue-resume', error: '' })).map(
    ({ id }) => id,
  );
  await resetOperations(transaction, resumed, isForced);
  await revokeExecutionTokens(transaction, resumed);
  await startReady(dependencies, transaction);
}
