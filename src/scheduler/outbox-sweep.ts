import type { BrokerConnection } from '../amqp/connection.ts';
import { publishEverywhere } from '../amqp/publish-everywhere.ts';
import type { Logger } from '../log/logger.ts';
import { deletePublished, takeLeftOver } from '../store/outbox.ts';
import type { Database } from '../store/database.ts';

/** Seconds that the process that committed a message has to publish it itself. */
export const graceSeconds = 2;
const batchSize = 500;
const againSoon = 2000;

/**
 * Publishes messages that were committed and not published, because a process died or the broker was away.
 * @returns milliseconds until it should look again, undefined when nothing was left
 */
export async function sweepOutbox(
  database: Database,
  broker: BrokerConnection,
  log: Logger,
): Promise<number | undefined> {
  for (;;) {
    const { taken, published } = await database.transaction(async (transaction) => {
      const messages = await takeLeftOver(transaction, graceSeconds, batchSize);
      if (messages.length === 0) {
        return { taken: 0, published: 0 };
      }
      const outcomes = await publishEverywhere(broker, messages, { whenDown: 'fail' });
      const ids = messages.filter((_, index) => outcomes[index] === undefined).map(({ id }) => id);
      await deletePublished(transaction, ids);
      return { taken: messages.length, published: ids.length };
    });
    if (taken === 0) {
      return undefined;
    }
    if (published > 0) {
      log.info('Messages of the outbox were published', { count: published });
    }
    if (published < taken) {
      return againSoon;
    }
  }
}
