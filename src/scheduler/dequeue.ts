import type { BrokerConnection } from '../amqp/connection.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { isAnythingQueued } from '../store/driving.ts';
import { readMaintenance } from '../store/maintenance.ts';
import { addToOutbox, deletePublished } from '../store/outbox.ts';
import { startQueued } from './queue.ts';

/** Starts queued executions that may run now, see `startQueued`. */
export async function dequeueExecutions(database: Database, broker: BrokerConnection, log: Logger): Promise<void> {
  if (!(await isAnythingQueued(database)) || (await readMaintenance(database))?.status === 'activated') {
    return;
  }
  const started = await database.transaction(async (transaction) =>
    addToOutbox(transaction, await startQueued(transaction)),
  );
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
