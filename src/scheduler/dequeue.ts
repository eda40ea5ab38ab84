import type { BrokerConnection } from '../amqp/connection.ts';
import { workflowMessage } from '../amqp/workflow-message.ts';
import type { Execution, OutboxMessage } from '../domain/entities.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import {
  countActiveExecutions,
  findBlockingExecutions,
  findRunnableExecutions,
  lockQueue,
  takeQueuedSystemWorkflow,
} from '../store/execution-queue.ts';
import { isAnythingQueued } from '../store/driving.ts';
import { changeExecutionStatus } from '../store/executions.ts';
import { readMaintenance } from '../store/maintenance.ts';
import { addToOutbox, deletePublished } from '../store/outbox.ts';
import type { Transaction } from '../store/session.ts';
import { readSettings } from '../store/settings.ts';

const defaultConcurrency = 20;

/**
 * Starts queued executions that may run now.
 *
 * Compatibility: Cloudify 7 queue: a system workflow waits until nothing else runs and lets nothing pass it; of a
 * deployment only one execution runs at a time; groups and the whole system have their limits.
 */
export async function dequeueExecutions(database: Database, broker: BrokerConnection, log: Logger): Promise<void> {
  if (!(await isAnythingQueued(database)) || (await readMaintenance(database))?.status === 'activated') {
    return;
  }
  const started = await database.transaction(async (transaction) => {
    await lockQueue(transaction);
    const runnable = await chooseRunnable(transaction);
    return dispatch(transaction, runnable);
  });
  if (started.length === 0) {
    return;
  }
  const outcomes = await broker.publishAll(
    started.map(({ exchange, routingKey, body }) => ({ exchange, routingKey, body })),
    { whenDown: 'fail' },
  );
  const published = started.filter((_, index) => outcomes[index] === undefined);
  await deletePublished(
    database,
    published.map(({ id }) => id),
  );
  log.debug('Queued executions were started', { count: started.length });
}

async function chooseRunnable(transaction: Transaction): Promise<Execution[]> {
  const system = await takeQueuedSystemWorkflow(transaction);
  if (system) {
    const others = await findBlockingExecutions(transaction, { exceptId: system.id });
    return others.length > 0 ? [] : [system];
  }
  const blocking = await findBlockingExecutions(transaction, { isSystemWorkflow: true });
  if (blocking.length > 0) {
    return [];
  }
  const settings = await readSettings(transaction, 'rest');
  const configured = settings.get('max_concurrent_workflows');
  const limit = typeof configured === 'number' ? configured : defaultConcurrency;
  const room = limit - (await countActiveExecutions(transaction));
  return room > 0 ? findRunnableExecutions(transaction, room) : [];
}

async function dispatch(transaction: Transaction, executions: readonly Execution[]): Promise<OutboxMessage[]> {
  const started: Execution[] = [];
  for (const { id } of executions) {
    const changed = await changeExecutionStatus(transaction, id, { event: 'dispatch' });
    if (changed) {
      started.push(changed);
    }
  }
  return addToOutbox(
    transaction,
    started.map((execution) => workflowMessage(execution)),
  );
}
