import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import { MalformedMessageError } from './envelopes.ts';
import { deadLettersQueue, exchangeKind } from './names.ts';
import type { OutgoingMessage } from './publisher.ts';
import { closeQuietly } from './transport.ts';
import type { ConnectionUser } from './transport.ts';

/** One received message. Exactly one of `ack` and `requeue` must be called, after its effect is stored. */
export interface Delivery<Body> {
  readonly body: Body;
  readonly exchange: string;
  readonly routingKey: string;
  readonly correlationId: string | undefined;
  readonly replyTo: string | undefined;
  /** The broker delivered it before, to somebody who did not acknowledge it. */
  readonly isRedelivered: boolean;
  ack(): void;
  requeue(): void;
}

export interface Binding {
  exchange: string;
  routingKey: string;
}

export interface ConsumerOptions<Body> {
  /** Declared durable before consuming. */
  queue: string;
  /** Milliseconds without consumer after which the broker removes the queue; undefined = never. */
  expiresAfter?: number;
  /** Declared with the queue; their exchanges too. */
  bindings: readonly Binding[];
  /** Unacknowledged messages the broker hands out at most. */
  prefetch: number;
  /** Checks and types the JSON body; throws MalformedMessageError with the reason. */
  read: (body: unknown) => Body;
  /** A failure requeues the message the first time and dead-letters it the second time. */
  handle: (delivery: Delivery<Body>) => void | Promise<void>;
  /** Told about a message that was put away as unreadable. */
  onMalformed?: (raw: { replyTo: string | undefined; correlationId: string | undefined }, reason: string) => void;
  /** Consumers of one group share a channel; for many small queues such as those of replies. */
  channelGroup?: string;
}

export interface Consumer {
  /** Resolves when first subscribed. */
  readonly ready: Promise<void>;
  /** Binds the queue to one more exchange, now and after every reconnect. */
  bind(binding: Binding): Promise<void>;
  /** Takes no more messages; those received can still be acknowledged. */
  stop(): Promise<void>;
  /** Stops and gives the channel back: what is unacknowledged is delivered again, to others. */
  close(): Promise<void>;
}

/** What a consumer needs of its connection. */
export interface ConsumerHost {
  addUser(user: ConnectionUser): void;
  removeUser(user: ConnectionUser): void;
  publish(message: OutgoingMessage): Promise<void>;
  withChannel<Result>(work: (channel: Channel) => Promise<Result>): Promise<Result>;
}

const shortestReopenDelay = 200;
const longestReopenDelay = 10_000;
const groups = new WeakMap<ConsumerHost, Map<string, ConsumerChannel>>();

/** Starts a consumer on a channel of its own or of its group; see `BrokerConnection.consume`. */
export function startConsumer<Body>(host: ConsumerHost, log: Logger, options: ConsumerOptions<Body>): Consumer {
  const group = options.channelGroup;
  if (group === undefined) {
    const channel = new ConsumerChannel(host, log);
    return channel.add(new Subscription(host, channel, log, options), true);
  }
  const channels = groups.get(host) ?? new Map<string, ConsumerChannel>();
  groups.set(host, channels);
  const channel = channels.get(group) ?? new ConsumerChannel(host, log);
  channels.set(group, channel);
  return channel.add(new Subscription(host, channel, log, options), false);
}

/** A channel with its subscriptions: reopened, and they subscribed again, whenever it is lost. */
class ConsumerChannel implements ConnectionUser {
  readonly #host: ConsumerHost;
  readonly #log: Logger;
  readonly #subscriptions = new Set<Subscription<never>>();
  #model: ChannelModel | undefined;
  #channel: Channel | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  /** Declarations and subscriptions run one after the other, since prefetch applies to the next subscription. */
  #queue: Promise<void> = Promise.resolve();

  constructor(host: ConsumerHost, log: Logger) {
    this.#host = host;
    this.#log = log;
    host.addUser(this);
  }

  get channel(): Channel | undefined {
    return this.#channel;
  }

  add<Body>(subscription: Subscription<Body>, isOwner: boolean): Consumer {
    const entry = subscription as unknown as Subscription<never>;
    this.#subscriptions.add(entry);
    this.#subscribe(entry);
    return {
      ready: subscription.ready,
      bind: async (binding) => {
        await subscription.ready;
        await this.#exclusively(async () => subscription.bind(this.#channel, binding));
      },
      stop: async () => {
        this.#subscriptions.delete(entry);
        await this.#exclusively(async () => subscription.cancel(this.#channel));
      },
      close: async () => {
        this.#subscriptions.delete(entry);
        await this.#exclusively(async () => subscription.cancel(this.#channel));
        if (isOwner) {
          await this.#closeChannel();
        }
      },
    };
  }

  connected(model: ChannelModel): void {
    this.#model = model;
    this.#failures = 0;
    this.#open(model);
  }

  disconnected(): void {
    clearTimeout(this.#timer);
    this.#model = undefined;
    this.#channel = undefined;
  }

  async closed(): Promise<void> {
    const channel = this.#channel;
    this.disconnected();
    this.#subscriptions.forEach((subscription) => subscription.abandon());
    this.#subscriptions.clear();
    await closeQuietly(channel);
  }

  /** Subscribes again after the broker ended a subscription, for instance because its queue was deleted. */
  resubscribe(subscription: Subscription<never>): void {
    if (this.#subscriptions.has(subscription)) {
      this.#subscribe(subscription);
    }
  }

  async #closeChannel(): Promise<void> {
    this.#host.removeUser(this);
    const channel = this.#channel;
    this.disconnected();
    await closeQuietly(channel);
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    const running = this.#queue.then(work);
    this.#queue = running.catch(() => undefined);
    return running;
  }

  #open(model: ChannelModel): void {
    Promise.resolve(model.createChannel()).then(
      (channel) => this.#adopt(model, channel),
      (thrown: unknown) => this.#lost(model, coerceError(thrown)),
    );
  }

  #adopt(model: ChannelModel, channel: Channel): void {
    let reason = new Error('The broker closed a consuming channel');
    channel.on('error', (error: Error) => {
      reason = error;
    });
    channel.on('close', () => {
      if (this.#channel === channel) {
        this.#channel = undefined;
        this.#lost(model, reason);
      }
    });
    if (this.#model !== model) {
      return;
    }
    this.#channel = channel;
    this.#subscriptions.forEach((subscription) => this.#subscribe(subscription));
  }

  #lost(model: ChannelModel, reason: Error): void {
    if (this.#model !== model) {
      return;
    }
    const delay = Math.min(longestReopenDelay, shortestReopenDelay * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#log.warn('Consuming channel lost; opening another', { reason: reason.message });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(model), delay);
  }

  #subscribe(subscription: Subscription<never>): void {
    const channel = this.#channel;
    if (!channel) {
      return;
    }
    this.#exclusively(async () => {
      if (this.#channel === channel && this.#subscriptions.has(subscription)) {
        await subscription.start(channel);
        this.#failures = 0;
      }
    }).catch((thrown: unknown) => {
      this.#log.warn('Cannot consume from a queue', {
        queue: subscription.queue,
        reason: coerceError(thrown).message,
      });
    });
  }
}

/** One consumer on a channel: declares, subscribes, parses, and settles each delivery on the channel it came from. */
class Subscription<Body> {
  readonly ready: Promise<void>;
  readonly #host: ConsumerHost;
  readonly #owner: ConsumerChannel;
  readonly #log: Logger;
  readonly #options: ConsumerOptions<Body>;
  readonly #bindings: Binding[];
  #markReady: () => void = () => undefined;
  #tag: string | undefined;
  #channel: Channel | undefined;

  constructor(host: ConsumerHost, owner: ConsumerChannel, log: Logger, options: ConsumerOptions<Body>) {
    this.#host = host;
    this.#owner = owner;
    this.#log = log.child({ queue: options.queue });
    this.#options = options;
    this.#bindings = [...options.bindings];
    this.ready = new Promise((resolve) => {
      this.#markReady = resolve;
    });
  }

  get queue(): string {
    return this.#options.queue;
  }

  async start(channel: Channel): Promise<void> {
    const { queue, prefetch, expiresAfter } = this.#options;
    await channel.assertQueue(queue, {
      durable: true,
      ...(expiresAfter === undefined ? {} : { expires: expiresAfter }),
    });
    for (const binding of this.#bindings) {
      await this.#declareBinding(channel, binding);
    }
    await channel.prefetch(prefetch);
    this.#channel = channel;
    const reply = await channel.consume(queue, (message) => {
      if (message) {
        this.#receive(channel, message);
      } else if (this.#channel === channel) {
        this.#tag = undefined;
        this.#owner.resubscribe(this as unknown as Subscription<never>);
      }
    });
    this.#tag = reply.consumerTag;
    this.#markReady();
  }

  async bind(channel: Channel | undefined, binding: Binding): Promise<void> {
    this.#bindings.push(binding);
    if (channel) {
      await this.#declareBinding(channel, binding);
    }
  }

  async cancel(channel: Channel | undefined): Promise<void> {
    const tag = this.#tag;
    this.#tag = undefined;
    this.#markReady();
    if (tag !== undefined && channel && this.#channel === channel) {
      await channel.cancel(tag).catch(() => undefined);
    }
  }

  /** Nobody will subscribe any more; releases those who wait for it. */
  abandon(): void {
    this.#channel = undefined;
    this.#markReady();
  }

  async #declareBinding(channel: Channel, binding: Binding): Promise<void> {
    await channel.assertExchange(binding.exchange, exchangeKind(binding.exchange), { durable: true });
    await channel.bindQueue(this.#options.queue, binding.exchange, binding.routingKey);
  }

  #receive(channel: Channel, message: ConsumeMessage): void {
    let body: Body;
    try {
      body = this.#options.read(parseJson(message.content));
    } catch (thrown) {
      this.#putAway(channel, message, coerceError(thrown).message);
      return;
    }
    const properties = message.properties as { correlationId?: string; replyTo?: string };
    const delivery: Delivery<Body> = {
      body,
      exchange: message.fields.exchange,
      routingKey: message.fields.routingKey,
      correlationId: properties.correlationId,
      replyTo: properties.replyTo,
      isRedelivered: message.fields.redelivered,
      ack: () => this.#settle(channel, message, (target) => target.ack(message)),
      requeue: () => this.#settle(channel, message, (target) => target.nack(message, false, true)),
    };
    try {
      const handling = this.#options.handle(delivery);
      if (handling instanceof Promise) {
        handling.catch((thrown: unknown) => this.#failed(channel, message, coerceError(thrown)));
      }
    } catch (thrown) {
      this.#failed(channel, message, coerceError(thrown));
    }
  }

  #failed(channel: Channel, message: ConsumeMessage, error: Error): void {
    this.#log.error('Handling a message failed', { error });
    if (message.fields.redelivered) {
      this.#putAway(channel, message, `Handling failed twice: ${error.message}`);
    } else {
      this.#settle(channel, message, (target) => target.nack(message, false, true));
    }
  }

  #putAway(channel: Channel, message: ConsumeMessage, reason: string): void {
    this.#log.warn('Message put into the dead letters', { reason });
    const { exchange, routingKey } = message.fields;
    const properties = message.properties as { correlationId?: string; replyTo?: string };
    this.#options.onMalformed?.({ replyTo: properties.replyTo, correlationId: properties.correlationId }, reason);
    const body = { reason, queue: this.queue, exchange, routing_key: routingKey, content: message.content.toString() };
    this.#host
      .withChannel((declaring) => declaring.assertQueue(deadLettersQueue, { durable: true }))
      .then(() => this.#host.publish({ exchange: '', routingKey: deadLettersQueue, body }))
      .then(() => this.#settle(channel, message, (target) => target.ack(message)))
      .catch((thrown: unknown) => {
        this.#log.warn('Dead letter not stored; the message stays in its queue', {
          reason: coerceError(thrown).message,
        });
      });
  }

  /** Settles on the channel the message came from; on a lost channel the broker has requeued it already. */
  #settle(channel: Channel, message: ConsumeMessage, action: (channel: Channel) => void): void {
    try {
      action(channel);
    } catch (thrown) {
      this.#log.debug('Message not settled, its channel is gone', {
        tag: message.fields.deliveryTag,
        reason: coerceError(thrown).message,
      });
    }
  }
}

function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch (thrown) {
    throw new MalformedMessageError(`The body is not JSON: ${coerceError(thrown).message}`);
  }
}
