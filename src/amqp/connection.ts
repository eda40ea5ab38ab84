import type { Channel, ChannelModel } from 'amqplib';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import {
  eventsExchange,
  exchangeKind,
  logsExchange,
  logsQueue,
  managementExchange,
  operationQueue,
  routingKeys,
  workflowQueue,
} from './names.ts';
import { startConsumer } from './consumer.ts';
import type { Consumer, ConsumerOptions } from './consumer.ts';
import { Publisher } from './publisher.ts';
import type { OutgoingMessage, PublishOptions } from './publisher.ts';
import { readTlsFiles } from './tls-files.ts';
import type { BrokerTlsFiles } from './tls-files.ts';
import { BrokerTlsError, closeQuietly, describeAddress, openConnection, parseBrokerUrl } from './transport.ts';
import type { BrokerAddress, ConnectionUser } from './transport.ts';

export interface BrokerConnectionOptions {
  /** `memory:` or amqp(s)://user:password@host:port/vhost. */
  url: string;
  log: Logger;
  /** Shown in the broker's list of connections. */
  name: string;
  /** Files for connections over TLS. */
  tls?: BrokerTlsFiles;
  /**
   * Whether the queues of the manager are declared on every connection, so that what is sent to a role that never
   * started yet waits for it; default true. Agents may not and need not.
   */
  declaresQueues?: boolean;
}

const firstDelay = 100;
const longestDelay = 10_000;

/**
 * A connection to one vhost of the broker that repairs itself: it may be made while the broker is down, and after a
 * loss it reconnects with growing, jittered delays, resubscribes consumers and repeats unconfirmed publishes.
 */
export class BrokerConnection {
  readonly #address: BrokerAddress;
  readonly #options: BrokerConnectionOptions;
  readonly #declaresQueues: boolean;
  readonly #log: Logger;
  readonly #users = new Set<ConnectionUser>();
  readonly #publisher: Publisher;
  readonly #vhosts = new Map<string, BrokerConnection>();
  readonly #waiting = new Set<() => void>();
  #model: ChannelModel | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #attempts = 0;
  /** Why there is no connection, as it was told last. */
  #told: string | undefined;
  #isClosed = false;
  #opening: Promise<void>;

  constructor(options: BrokerConnectionOptions, vhost?: string) {
    const address = parseBrokerUrl(options.url, options.tls);
    this.#address = vhost === undefined ? address : { ...address, vhost };
    this.#options = options;
    this.#declaresQueues = vhost === undefined && options.declaresQueues !== false;
    this.#log = options.log.child({ broker: describeAddress(this.#address) });
    this.#publisher = new Publisher(this.#log, this.#address.kind);
    this.#users.add(this.#publisher);
    this.#opening = this.#open();
  }

  /** Whether messages can be sent right now. */
  get isConnected(): boolean {
    return this.#model !== undefined;
  }

  /** Whether this is the in-process broker, which keeps nothing over a restart and takes no agents. */
  get isInMemory(): boolean {
    return this.#address.kind === 'memory';
  }

  /** The vhost this connection is for. */
  get vhost(): string {
    return this.#address.vhost;
  }

  /**
   * Waits for the (next) moment of being connected.
   * @throws Error when the connection is closed meanwhile
   */
  async whenConnected(): Promise<void> {
    while (!this.isConnected) {
      if (this.#isClosed) {
        throw new Error(`The connection to ${describeAddress(this.#address)} is closed`);
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /**
   * Sends one persistent message and waits until the broker has it.
   * @throws UnroutableError for a `mandatory` message without a queue
   * @throws BrokerUnavailableError with `whenDown: 'fail'` while disconnected, or when the connection is closed
   */
  async publish(message: OutgoingMessage, options?: PublishOptions): Promise<void> {
    await this.#publisher.publish(message, options);
  }

  /**
   * Sends many messages at once, in order.
   * @returns one outcome per message, in the same order: undefined when the broker has it, the error otherwise
   */
  async publishAll(
    messages: readonly OutgoingMessage[],
    options?: PublishOptions,
  ): Promise<readonly (Error | undefined)[]> {
    const settled = await Promise.allSettled(messages.map((message) => this.#publisher.publish(message, options)));
    return settled.map((outcome) => (outcome.status === 'fulfilled' ? undefined : coerceError(outcome.reason)));
  }

  /** Consumes a queue until the consumer is stopped; survives reconnects. */
  consume<Body>(options: ConsumerOptions<Body>): Consumer {
    return startConsumer(this, this.#log, options);
  }

  /** Registers something to be set up on every (re)connection; called at once when connected. */
  addUser(user: ConnectionUser): void {
    this.#users.add(user);
    if (this.#model) {
      user.connected(this.#model);
    }
  }

  /** Counterpart of `addUser`. */
  removeUser(user: ConnectionUser): void {
    this.#users.delete(user);
  }

  /**
   * Runs declarations (queues, exchanges, deletions) on a channel of their own.
   * @throws what the broker refuses with; the channel is gone then, the connection is not
   */
  async withChannel<Result>(work: (channel: Channel) => Promise<Result>): Promise<Result> {
    await this.whenConnected();
    const channel = await this.#model!.createChannel();
    // an unlistened 'error' event would end the process; the failing call itself reports it
    channel.on('error', () => undefined);
    try {
      return await work(channel);
    } finally {
      await closeQuietly(channel);
    }
  }

  /**
   * How many messages wait in a queue and how many consumers it has; undefined when there is no such queue.
   */
  async inspectQueue(name: string): Promise<{ messages: number; consumers: number } | undefined> {
    try {
      const { messageCount, consumerCount } = await this.withChannel((channel) => channel.checkQueue(name));
      return { messages: messageCount, consumers: consumerCount };
    } catch (thrown) {
      if (coerceError(thrown).message.includes('404')) {
        return undefined;
      }
      throw thrown;
    }
  }

  /** Whether there is a queue of that name. */
  async isQueueThere(name: string): Promise<boolean> {
    return (await this.inspectQueue(name)) !== undefined;
  }

  /** Deletes a queue with what is in it, as soon as the broker can be reached; one that is not there is fine. */
  async deleteQueue(name: string): Promise<void> {
    await this.withChannel((channel) => channel.deleteQueue(name));
  }

  /** The connection to another vhost of the same broker with the same user; closed together with this one. */
  forVhost(vhost: string): BrokerConnection {
    const known = this.#vhosts.get(vhost);
    if (known) {
      return known;
    }
    const connection = new BrokerConnection(this.#options, vhost);
    this.#vhosts.set(vhost, connection);
    return connection;
  }

  /** Stops consumers, fails what is still unsent and disconnects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    await Promise.all([...this.#vhosts.values()].map((connection) => connection.close()));
    await this.#opening;
    // closing a channel flushes it; closing the connection first would lose acknowledgements just written
    await Promise.all([...this.#users].map((user) => user.closed()));
    const model = this.#model;
    this.#model = undefined;
    this.#wake();
    await closeQuietly(model);
  }

  async #open(): Promise<void> {
    try {
      const model = await openConnection(this.#address, this.#options.name);
      const loss = watchForLoss(model);
      if (this.#declaresQueues) {
        await declareManagementQueues(model, this.#log);
      }
      if (this.#isClosed) {
        await closeQuietly(model);
      } else if (loss.reason) {
        this.#retry(loss.reason);
      } else {
        this.#adopt(model, loss);
      }
    } catch (thrown) {
      this.#retry(coerceError(thrown));
    }
  }

  #adopt(model: ChannelModel, loss: Loss): void {
    loss.onLost = (reason) => {
      if (this.#model === model) {
        this.#model = undefined;
        this.#lost(reason);
      }
    };
    model.on('blocked', (why: string) => this.#log.warn('The broker blocks publishing', { why }));
    model.on('unblocked', () => this.#log.info('The broker accepts messages again'));
    this.#model = model;
    this.#log.info(this.#attempts > 0 ? 'Reconnected to the broker' : 'Connected to the broker');
    this.#attempts = 0;
    this.#told = undefined;
    for (const user of this.#users) {
      user.connected(model);
    }
    this.#wake();
  }

  #lost(reason: Error): void {
    for (const user of this.#users) {
      user.disconnected(reason);
    }
    if (!this.#isClosed) {
      this.#retry(reason);
    }
  }

  #retry(reason: Error): void {
    const ceiling = Math.min(longestDelay, firstDelay * 2 ** Math.min(this.#attempts, 10));
    const delay = ceiling / 2 + Math.random() * (ceiling / 2);
    this.#tell(reason);
    this.#attempts += 1;
    if (this.#isClosed) {
      return;
    }
    this.#retryTimer = setTimeout(() => {
      this.#opening = this.#open();
    }, delay);
  }

  /** Logs once why there is no connection; a certificate that is not trusted has to be corrected by a person. */
  #tell(reason: Error): void {
    const isForPeople = reason instanceof BrokerTlsError || reason instanceof GantryError;
    if (this.#attempts > 0 && !(isForPeople && reason.message !== this.#told)) {
      return;
    }
    this.#told = reason.message;
    this.#log[isForPeople ? 'error' : 'warn']('No connection to the broker; trying again until it answers', {
      reason: reason.message,
    });
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    waiting.forEach((resolve) => resolve());
  }
}

/** The outcome of a connection attempt; the connection may end at any time, also before it is used. */
interface Loss {
  /** Set when it is lost. */
  reason: Error | undefined;
  onLost: (reason: Error) => void;
}

function watchForLoss(model: ChannelModel): Loss {
  const loss: Loss = { reason: undefined, onLost: () => undefined };
  let reason = new Error('The broker closed the connection');
  model.on('error', (error: Error) => {
    reason = error;
  });
  model.on('close', (error?: Error) => {
    loss.reason = error ?? reason;
    loss.onLost(loss.reason);
  });
  return loss;
}

const managementQueues = [
  { queue: workflowQueue, exchange: managementExchange, routingKey: routingKeys.workflow },
  { queue: operationQueue, exchange: managementExchange, routingKey: routingKeys.operation },
  { queue: logsQueue, exchange: logsExchange, routingKey: '' },
  { queue: logsQueue, exchange: eventsExchange, routingKey: routingKeys.allEvents },
  // the in-process broker does not count `events` among `events.#`
  { queue: logsQueue, exchange: eventsExchange, routingKey: routingKeys.events },
] as const;

/** Declares the queues that must be there before anything is sent; a connection without them is of use, too. */
async function declareManagementQueues(model: ChannelModel, log: Logger): Promise<void> {
  try {
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    for (const { queue, exchange, routingKey } of managementQueues) {
      await channel.assertExchange(exchange, exchangeKind(exchange), { durable: true });
      await channel.assertQueue(queue, { durable: true });
      await channel.bindQueue(queue, exchange, routingKey);
    }
    await channel.close();
  } catch (thrown) {
    log.warn('The queues of the manager could not be declared', { reason: coerceError(thrown).message });
  }
}

/**
 * Starts connecting to the broker and returns at once; nothing that needs the broker fails because it is down yet.
 * @throws GantryError bad_parameters_error for a URL that is neither memory: nor amqp(s)://, and for files of TLS that
 *   cannot be read or used
 */
export function connectBroker(options: BrokerConnectionOptions): BrokerConnection {
  if (options.tls) {
    readTlsFiles(options.tls);
  }
  return new BrokerConnection(options);
}
