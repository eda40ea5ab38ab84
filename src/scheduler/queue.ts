import { workflowMessage } from '../amqp/workflow-message.ts';
import type { WorkflowMessage } from '../amqp/workflow-message.ts';
import type { Execution } from '../domain/entities.ts';
import { insertEvents } from '../store/events.ts';
import { storeBeginnings } from '../store/execution-beginnings.ts';
import { applyExecutionStatus } from '../store/execution-effects.ts';
import {
  findRunnableExecutions,
  findRunnableParts,
  lockQueue,
  readQueueState,
  takeQueuedSystemWorkflow,
} from '../store/execution-queue.ts';
import { changeExecutionStatus, changeExecutionStatuses } from '../store/executions.ts';
import type { Transaction } from '../store/session.ts';
import { recheckQueued } from './recheck.ts';
import type { Ready, Refused } from './recheck.ts';

const defaultConcurrency = 20;

/**
 * How often others get their turn when some cannot begin any more. Each that fails is told to the scheduler, which then
 * goes on.
 */
const mostRounds = 5;

/**
 * Gives queued executions that may run now the status `pending`; those that cannot begin any more fail.
 *
 * Compatibility: Cloudify 7 queue: a system workflow waits until nothing else runs and lets nothing pass it; of a
 * deployment only one execution runs at a time, unless it is forced; groups and the whole system have their limits.
 *
 * @returns messages to be sent after the commit
 */
export async function startQueued(transaction: Transaction): Promise<WorkflowMessage[]> {
  await lockQueue(transaction);
  const messages: WorkflowMessage[] = [];
  for (let round = 0; round < mostRounds; round += 1) {
    const runnable = await chooseRunnable(transaction);
    if (runnable.length === 0) {
      break;
    }
    const { ready, refused } = await recheckQueued(transaction, runnable);
    messages.push(...(await begin(transaction, ready)));
    if (refused.length === 0) {
      break;
    }
    await fail(transaction, refused);
  }
  return messages;
}

async function begin(transaction: Transaction, ready: readonly Ready[]): Promise<WorkflowMessage[]> {
  const changed = ready.filter(({ parameters, blueprintId }) => (parameters ?? blueprintId) !== undefined);
  if (changed.length > 0) {
    await storeBeginnings(
      transaction,
      changed.map(({ execution: { storageId }, parameters, blueprintId }) => ({ storageId, parameters, blueprintId })),
    );
  }
  const operations = new Map(ready.map(({ execution, operation }) => [execution.id, operation]));
  const started = await changeExecutionStatuses(transaction, [...operations.keys()], { event: 'dispatch' });
  return started.map((execution) => {
    const operation = operations.get(execution.id);
    return workflowMessage(execution, operation === undefined ? {} : { operation });
  });
}

async function fail(transaction: Transaction, refused: readonly Refused[]): Promise<void> {
  for (const { execution, reason } of refused) {
    const error = `Error dequeueing execution: ${reason.message}`;
    const failed = await changeExecutionStatus(transaction, execution.id, { event: 'fail', error });
    if (failed) {
      const { id: executionId, tenantId, creatorId, visibility, workflowId } = failed;
      const message = `'${workflowId}' workflow execution failed: ${error}`;
      const event = { executionId, tenantId, creatorId, visibility, eventType: 'workflow_failed', message };
      await insertEvents(transaction, [{ kind: 'event', timestamp: new Date(), ...event }]);
      await applyExecutionStatus(transaction, failed, { hasNotBegun: true });
    }
  }
}

async function chooseRunnable(transaction: Transaction): Promise<Execution[]> {
  const state = await readQueueState(transaction);
  const blocking = state.isSystemWorkflowQueued ? state.active : state.activeSystemWorkflows;
  if (blocking > 0) {
    // what a running system workflow waits for must not wait for it
    return state.isUpdatingPlugins ? findRunnableParts(transaction) : [];
  }
  if (state.isSystemWorkflowQueued) {
    const system = await takeQueuedSystemWorkflow(transaction);
    return system ? [system] : [];
  }
  const limit = typeof state.limit === 'number' ? state.limit : defaultConcurrency;
  const room = limit - state.active;
  return room > 0 ? findRunnableExecutions(transaction, room) : [];
}
