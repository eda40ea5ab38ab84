import { LRUCache } from 'lru-cache';
import type { BrokerConnection } from '../amqp/connection.ts';
import type { Delivery } from '../amqp/consumer.ts';
import { readLogItem } from '../amqp/envelopes.ts';
import type { LogItem } from '../amqp/envelopes.ts';
import { eventsExchange, logsExchange, logsQueue, routingKeys } from '../amqp/names.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import type { EventInput } from '../domain/entities.ts';
import type { Logger } from '../log/logger.ts';
import { isConnectionError } from '../store/database-errors.ts';
import type { Database } from '../store/database.ts';
import { insertEvents } from '../store/events.ts';
import { findExecution } from '../store/executions.ts';
import { withoutStored } from '../store/stored-events.ts';
import { GroupCommit } from './group-commit.ts';
import { executionIdOf, toEventInput } from './log-item.ts';
import type { LineOwner } from './log-item.ts';

export interface RecorderDependencies {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  clock: Clock;
}

export interface Recorder {
  /** Stores what is in hand and stops consuming. */
  stop(): Promise<void>;
}

const batchSize = 2000;
const flushDelay = 100;
const retryDelay = 1000;

/**
 * Starts storing the logs and events that libraries and agents publish on the broker. A line is acknowledged after
 * its commit; while the store is away the lines wait in their queue.
 */
export async function startRecorder(dependencies: RecorderDependencies): Promise<Recorder> {
  const { broker, log } = dependencies;
  const lines = new LineStore(dependencies);
  const group = new GroupCommit<Delivery<LogItem>>({
    maxItems: batchSize,
    delay: flushDelay,
    commit: (deliveries) => lines.store(deliveries),
  });
  const consumer = broker.consume({
    queue: logsQueue,
    bindings: [
      { exchange: logsExchange, routingKey: '' },
      { exchange: eventsExchange, routingKey: routingKeys.allEvents },
      { exchange: eventsExchange, routingKey: routingKeys.events },
    ],
    prefetch: 2 * batchSize,
    read: readLogItem,
    handle: (delivery) => {
      if (delivery.routingKey === routingKeys.hooks) {
        delivery.ack();
        return;
      }
      group.add(delivery).catch((error: unknown) => log.error('Log lines could not be stored', { error }));
    },
  });
  return {
    stop: async () => {
      await consumer.stop();
      lines.stop();
      await group.drained();
      await consumer.close();
    },
  };
}

class LineStore {
  readonly #dependencies: RecorderDependencies;
  readonly #owners = new LRUCache<string, LineOwner>({ max: 10_000 });
  #isStopped = false;

  constructor(dependencies: RecorderDependencies) {
    this.#dependencies = dependencies;
  }

  /** Does not wait for an absent store any more. */
  stop(): void {
    this.#isStopped = true;
  }

  async store(deliveries: readonly Delivery<LogItem>[]): Promise<readonly void[]> {
    const { database } = this.#dependencies;
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        const events = await this.#toEvents(deliveries);
        await insertEvents(database, isRepeated ? await withoutStored(database, events) : events);
        deliveries.forEach((delivery) => delivery.ack());
        return [];
      } catch (error) {
        if (!isConnectionError(error) || this.#isStopped) {
          return await this.#storeOneByOne(deliveries, error);
        }
        await new Promise((resolve) => setTimeout(resolve, retryDelay));
      }
    }
  }

  /** A batch that the store refuses holds a bad line: the others must not be lost with it. */
  async #storeOneByOne(deliveries: readonly Delivery<LogItem>[], reason: unknown): Promise<readonly void[]> {
    if (this.#isStopped) {
      deliveries.forEach((delivery) => delivery.requeue());
      return [];
    }
    const { log, database } = this.#dependencies;
    log.warn('A batch of log lines was refused; storing each line separately', { error: reason });
    for (const delivery of deliveries) {
      try {
        await insertEvents(database, await this.#toEvents([delivery]));
        delivery.ack();
      } catch (error) {
        if (isConnectionError(error)) {
          delivery.requeue();
        } else {
          log.warn('A log line that the database refuses was dropped', { error });
          delivery.ack();
        }
      }
    }
    return [];
  }

  async #toEvents(deliveries: readonly Delivery<LogItem>[]): Promise<EventInput[]> {
    const ids = new Set(deliveries.flatMap(({ body }) => executionIdOf(body) ?? []));
    await Promise.all([...ids].filter((id) => !this.#owners.has(id)).map((id) => this.#lookUp(id)));
    const now = this.#dependencies.clock.now();
    return deliveries.flatMap(({ body }) => {
      const executionId = executionIdOf(body);
      const owner = executionId === undefined ? undefined : this.#owners.get(executionId);
      // lines of executions that are gone have no place in the store
      return executionId !== undefined && owner ? [toEventInput(body, executionId, owner, now)] : [];
    });
  }

  async #lookUp(executionId: string): Promise<void> {
    const execution = await findExecution(this.#dependencies.database, executionId);
    if (execution) {
      const { tenantId, creatorId, visibility } = execution;
      this.#owners.set(executionId, { tenantId, creatorId, visibility });
    }
  }
}
