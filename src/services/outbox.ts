import type { BrokerConnection } from '../amqp/connection.ts';
import { publishEverywhere } from '../amqp/publish-everywhere.ts';
import type { OutboxMessage } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { addToOutbox, deletePublished } from '../store/outbox.ts';
import type { Transaction } from '../store/session.ts';

/** A message before it is stored. */
export interface NewMessage {
  /** Undefined = `/`. */
  vhost?: string | undefined;
  exchange: string;
  routingKey: string;
  body: JsonObject;
}

/** Publishes what a committed transaction left in the outbox; what it cannot publish, the scheduler will. */
export interface OutboxPublisher {
  /** Returns at once; failures are logged. */
  publish(messages: readonly OutboxMessage[]): void;
  /** Waits for what is being published. */
  flush(): Promise<void>;
}

/** Makes the publisher of this process. */
export function createOutboxPublisher(dependencies: {
  database: Database;
  broker: BrokerConnection;
  log: Logger;
}): OutboxPublisher {
  const { database, broker, log } = dependencies;
  const running = new Set<Promise<void>>();
  const publishAll = async (messages: readonly OutboxMessage[]): Promise<void> => {
    const outcomes = await publishEverywhere(broker, messages, { whenDown: 'fail' });
    const published = messages.filter((_, index) => outcomes[index] === undefined);
    if (published.length > 0) {
      await deletePublished(
        database,
        published.map(({ id }) => id),
      );
    }
    if (published.length < messages.length) {
      log.warn('Messages stay in the outbox; they are published later', {
        count: messages.length - published.length,
      });
    }
  };
  return {
    publish(messages) {
      const task = publishAll(messages)
        .catch((error: unknown) => log.warn('The outbox could not be cleared', { error }))
        .finally(() => running.delete(task));
      running.add(task);
    },
    async flush() {
      await Promise.all(running);
    },
  };
}

/** Stores messages in the transaction and publishes them once it is committed. */
export async function sendAfterCommit(
  transaction: Transaction,
  publisher: OutboxPublisher,
  messages: readonly NewMessage[],
): Promise<void> {
  if (messages.length === 0) {
    return;
  }
  const stored = await addToOutbox(transaction, messages);
  transaction.afterCommit(() => publisher.publish(stored));
}
