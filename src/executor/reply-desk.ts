import type { BrokerConnection } from '../amqp/connection.ts';
import type { Consumer, Delivery } from '../amqp/consumer.ts';
import { readReply } from '../amqp/envelopes.ts';
import { executorResponsesQueue, managementExchange } from '../amqp/names.ts';
import { coerceError } from '../domain/errors.ts';
import type { OperationReply } from '../domain/operation-error.ts';
import type { Logger } from '../log/logger.ts';

/** Takes the reply to one of its operations; settles the delivery when what it says is stored. */
export type ReplyReceiver = (taskId: string, delivery: Delivery<OperationReply>) => void;

const prefetch = 5000;
/** Milliseconds after which the queue of a process that never came back is removed, with its replies. */
const queueKeptFor = 24 * 3600 * 1000;

/**
 * Where replies of the manager's own workers arrive: one queue for all executions of a process, made before the first
 * of them. A reply that nobody here waits for is dropped: whoever drives its execution now asks again, and is answered
 * from the store.
 */
export class ReplyDesk {
  /** Name of the queue, to which workers reply. */
  readonly queue: string;
  readonly #broker: BrokerConnection;
  readonly #log: Logger;
  readonly #receivers = new Map<string, ReplyReceiver>();
  readonly #consumer: Consumer;

  /**
   * @param processName name of this run of the program, which no other process has
   * @param onLost told when the queue was gone, and other messages with it presumably, e.g. since the broker lost its data
   */
  constructor(broker: BrokerConnection, processName: string, log: Logger, onLost: () => void = () => undefined) {
    this.#broker = broker;
    this.#log = log;
    this.queue = executorResponsesQueue(processName);
    this.#consumer = broker.consume({
      queue: this.queue,
      expiresAfter: queueKeptFor,
      bindings: [{ exchange: managementExchange, routingKey: this.queue }],
      prefetch,
      read: readReply,
      handle: (delivery) => this.#receive(delivery),
      onLost,
    });
  }

  /** Resolves when replies can be received. */
  get ready(): Promise<void> {
    return this.#consumer.ready;
  }

  /** Passes the next reply to each of the tasks on; to be called before they are sent. */
  expect(taskIds: readonly string[], receiver: ReplyReceiver): void {
    taskIds.forEach((taskId) => this.#receivers.set(taskId, receiver));
  }

  /** Nobody waits for replies to these tasks any more. */
  forget(taskIds: Iterable<string>): void {
    for (const taskId of taskIds) {
      this.#receivers.delete(taskId);
    }
  }

  /** Stops receiving and removes the queue; what is in it is asked for again by the next drivers. */
  async stop(): Promise<void> {
    await this.#consumer.close();
    if (this.#broker.isConnected) {
      await this.#broker.deleteQueue(this.queue).catch((thrown: unknown) => {
        this.#log.debug('Queue of replies not deleted', { queue: this.queue, reason: coerceError(thrown).message });
      });
    }
  }

  #receive(delivery: Delivery<OperationReply>): void {
    const { correlationId } = delivery;
    const receiver = correlationId === undefined ? undefined : this.#receivers.get(correlationId);
    if (correlationId === undefined || !receiver) {
      this.#log.debug('A reply that nobody waits for was dropped', { operation: correlationId });
      delivery.ack();
      return;
    }
    this.#receivers.delete(correlationId);
    receiver(correlationId, delivery);
  }
}
