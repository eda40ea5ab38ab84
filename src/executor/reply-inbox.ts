import type { BrokerConnection } from '../amqp/connection.ts';
import type { Consumer, Delivery } from '../amqp/consumer.ts';
import { readReply } from '../amqp/envelopes.ts';
import type { OperationReply } from '../domain/operation-error.ts';
import { coerceError } from '../domain/errors.ts';
import type { TaskOutcome } from '../graph/handlers.ts';
import type { Logger } from '../log/logger.ts';
import type { GraphDriver } from './graph-driver.ts';
import type { ReplyDesk } from './reply-desk.ts';

const prefetch = 1000;

interface ReplyQueue {
  readonly connection: BrokerConnection;
  readonly name: string;
  readonly consumer: Consumer;
  readonly exchanges: Map<string, Promise<void>>;
}

/**
 * Where the replies to one execution arrive: those of the manager's workers from the desk of the process, those of
 * agents from queues of its own, made when they are needed first. A reply that no running graph waits for is kept until
 * one does, or until the execution ends.
 */
export class ReplyInbox {
  readonly #log: Logger;
  readonly #desk: ReplyDesk;
  readonly #expected = new Set<string>();
  readonly #queues = new Map<string, ReplyQueue>();
  readonly #held = new Map<string, Delivery<OperationReply>>();
  /** Tasks to which an agent has replied, whether the reply is stored yet or not. */
  readonly #answered = new Set<string>();
  #driver: GraphDriver | undefined;

  constructor(desk: ReplyDesk, log: Logger) {
    this.#desk = desk;
    this.#log = log;
  }

  /** Sends replies to this driver from now on, those that are kept first. */
  attach(driver: GraphDriver): void {
    this.#driver = driver;
    const held = [...this.#held];
    this.#held.clear();
    held.forEach(([taskId, delivery]) => this.#pass(taskId, delivery));
  }

  /** The driver has ended. */
  detach(): void {
    this.#driver = undefined;
  }

  /**
   * Makes ready for replies of the manager's workers to these tasks, which are sent next.
   * @returns the queue to reply to
   */
  async expect(taskIds: readonly string[]): Promise<string> {
    await this.#desk.ready;
    taskIds.forEach((taskId) => this.#expected.add(taskId));
    this.#desk.expect(taskIds, (taskId, delivery) => {
      this.#expected.delete(taskId);
      this.#pass(taskId, delivery);
    });
    return this.#desk.queue;
  }

  /**
   * Makes sure that replies through `exchange` reach the queue `name`.
   * @throws what the broker refuses with
   */
  async open(connection: BrokerConnection, name: string, exchange: string): Promise<void> {
    const key = `${connection.vhost}\n${name}`;
    let queue = this.#queues.get(key);
    if (!queue) {
      const bindings = [{ exchange, routingKey: name }];
      const consumer = connection.consume({
        queue: name,
        bindings,
        prefetch,
        channelGroup: 'replies',
        read: readReply,
        handle: (delivery) => this.#receive(delivery),
      });
      queue = { connection, name, consumer, exchanges: new Map([[exchange, consumer.ready]]) };
      this.#queues.set(key, queue);
    }
    let bound = queue.exchanges.get(exchange);
    if (!bound) {
      const { exchanges } = queue;
      bound = queue.consumer.bind({ exchange, routingKey: name });
      exchanges.set(exchange, bound);
      bound.catch(() => exchanges.delete(exchange));
    }
    await bound;
  }

  /** Whether the reply of an agent to a task has arrived. */
  hasAnswer(taskId: string): boolean {
    return this.#answered.has(taskId);
  }

  /** Forgets what is bound to an agent's exchange, which goes with its agent. */
  forget(exchange: string): void {
    this.#queues.forEach((queue) => queue.exchanges.delete(exchange));
  }

  /**
   * Stops receiving.
   * @param isFinal whether nobody will ask for replies to this execution again: its queues are deleted then,
   *   otherwise what is unread waits in them
   */
  async close(isFinal: boolean): Promise<void> {
    this.#driver = undefined;
    this.#desk.forget(this.#expected);
    this.#expected.clear();
    for (const queue of this.#queues.values()) {
      await queue.consumer.stop();
    }
    for (const delivery of this.#held.values()) {
      if (isFinal) {
        delivery.ack();
      } else {
        delivery.requeue();
      }
    }
    this.#held.clear();
    if (isFinal) {
      await Promise.all([...this.#queues.values()].map((queue) => this.#delete(queue)));
    }
    this.#queues.clear();
  }

  async #delete({ connection, name }: ReplyQueue): Promise<void> {
    try {
      await connection.deleteQueue(name);
    } catch (thrown) {
      this.#log.debug('Queue of replies not deleted', { queue: name, reason: coerceError(thrown).message });
    }
  }

  #receive(delivery: Delivery<OperationReply>): void {
    if (delivery.correlationId === undefined) {
      this.#log.warn('A reply without correlation id was dropped');
      delivery.ack();
      return;
    }
    this.#answered.add(delivery.correlationId);
    this.#pass(delivery.correlationId, delivery);
  }

  #pass(taskId: string, delivery: Delivery<OperationReply>): void {
    if (!this.#driver?.reply(taskId, toOutcome(delivery.body), delivery)) {
      // a later copy of the same reply says the same
      this.#held.get(taskId)?.ack();
      this.#held.set(taskId, delivery);
    }
  }
}

/** What a reply means for its task. */
function toOutcome(reply: OperationReply): TaskOutcome {
  return reply.ok ? { isSuccess: true, result: reply.result } : { isSuccess: false, error: reply.error };
}
