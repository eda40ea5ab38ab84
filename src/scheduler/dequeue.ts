import type { BrokerConnection } from '../amqp/connection.ts';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { isAnythingStartable } from '../store/execution-queue.ts';
import { addToOutbox, deletePublished } from '../store/outbox.ts';
import type { OutboxMessage } from '../domain/entities.ts';
import { startQueued } from './queue.ts';

/**
 * Starts queued executions that may run now, see `startQueued`. Their messages are sent while it looks for the next ones;
 * those that cannot be sent are left to the sweep of the outbox.
 */
export class Dequeuer {
  readonly #database: Database;
  readonly #broker: BrokerConnection;
  readonly #log: Logger;
  readonly #sending = new Set<Promise<void>>();

  constructor(database: Database, broker: BrokerConnection, log: Logger) {
    this.#database = database;
    this.#broker = broker;
    this.#log = log;
  }

  /** Starts what may run now; resolves when that is stored. */
  async run(): Promise<void> {
    if (!(await isAnythingStartable(this.#database))) {
      return;
    }
    const started = await this.#database.transaction(async (transaction) =>
      addToOutbox(transaction, await startQueued(transaction)),
    );
    if (started.length > 0) {
      const sending = this.#send(started)
        .catch((thrown: unknown) => {
          this.#log.warn('Messages about queued executions are left in the outbox', {
            reason: coerceError(thrown).message,
          });
        })
        .finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
    }
  }

  /** Resolves when the messages of earlier runs are sent, or left to others. */
  async settled(): Promise<void> {
    await Promise.all(this.#sending);
  }

  async #send(started: readonly OutboxMessage[]): Promise<void> {
    const outcomes = await this.#broker.publishAll(
      started.map(({ exchange, routingKey, body }) => ({ exchange, routingKey, body })),
      { whenDown: 'fail' },
    );
    const published = started.filter((_, index) => outcomes[index] === undefined);
    await deletePublished(
      this.#database,
      published.map(({ id }) => id),
    );
    this.#log.debug('Queued executions were started', { count: started.length });
  }
}
