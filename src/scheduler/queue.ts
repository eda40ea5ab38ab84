import type { Execution } from '../domain/entities.ts';
import {
  countActiveExecutions,
  findBlockingExecutions,
  findRunnableExecutions,
  lockQueue,
  takeQueuedSystemWorkflow,
} from '../store/execution-queue.ts';
import { changeExecutionStatuses } from '../store/executions.ts';
import type { Transaction } from '../store/session.ts';
import { readSettings } from '../store/settings.ts';

const defaultConcurrency = 20;

/**
 * Gives queued executions that may run now the status `pending`; whoever calls sends their messages after the commit.
 *
 * Compatibility: Cloudify 7 queue: a system workflow waits until nothing else runs and lets nothing pass it; of a
 * deployment only one execution runs at a time; groups and the whole system have their limits.
 */
export async function startQueued(transaction: Transaction): Promise<Execution[]> {
  await lockQueue(transaction);
  const runnable = await chooseRunnable(transaction);
  return runnable.length === 0
    ? []
    : changeExecutionStatuses(
        transaction,
        runnable.map(({ id }) => id),
        { event: 'dispatch' },
      );
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
