import type { Channel, ConsumeMessage } from 'amqplib';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import { MalformedMessageError } from './envelopes.ts';
import { deadLettersQueue, exchangeKind } from './names.ts';
import type { OutgoingMessage } from './publisher.ts';
import type { ConnectionUser } from './transport.ts';

/** One received message. Exactly one of `ack` and `requeue` must be called, after its effect is stored. */
export interface Delivery<Body> {
  readonly body: Body;
  readonly exchange: string;
  readonly routingKey: string;
  readonly correlationId: string | undefined;
  readonly replyTo: string | undefined;
  /** The broker has delivered it before, without an acknowledgement. */
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
  /** Told when the queue was gone and had to be made anew: what was in it is lost. */
  onLost?: () => void;
}

/** What a consumer needs of its connection. */
export interface ConsumerHost {
  addUser(user: ConnectionUser): void;
  removeUser(user: ConnectionUser): void;
  publish(message: OutgoingMessage): Promise<void>;
  withChannel<Result>(work: (channel: Channel) => Promise<Result>): Promise<Result>;
  isQueueThere(name: string): Promise<boolean>;
}

/** Who subscribes again when the broker has ended a subscription. */
export interface SubscriptionOwner {
  resubscribe(subscription: Subscription<never>): void;
}

/** One consumer on a channel: declares, subscribes, parses, and settles each delivery on the channel it came from. */
export class Subscription<Body> {
  readonly ready: Promise<void>;
  readonly #host: ConsumerHost;
  readonly #owner: SubscriptionOwner;
  readonly #log: Logger;
  readonly #options: ConsumerOptions<Body>;
  readonly #bindings: Binding[];
  #markReady: () => void = () => undefined;
  #tag: string | undefined;
  #channel: Channel | undefined;
  /** Further consumers on the channel of the first one, each with a prefetch of its own. */
  readonly #moreTags: string[] = [];
  #moreWanted = 0;
  #wasDeclared = false;
  #isLost = false;

  constructor(host: ConsumerHost, owner: SubscriptionOwner, log: Logger, options: ConsumerOptions<Body>) {
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
    const { queue, prefetch, expiresAfter, onLost } = this.#options;
    if (this.#wasDeclared && onLost) {
      this.#isLost ||= !(await this.#host.isQueueThere(queue));
    }
    await channel.assertQueue(queue, {
      durable: true,
      ...(expiresAfter === undefined ? {} : { expires: expiresAfter }),
    });
    for (const binding of this.#bindings) {
      await this.#declareBinding(channel, binding);
    }
    this.#channel = channel;
    this.#moreTags.length = 0;
    this.#tag = await this.#consume(channel, prefetch, () => {
      this.#tag = undefined;
      this.#owner.resubscribe(this as unknown as Subscription<never>);
    });
    await this.adapt(channel);
    this.#wasDeclared = true;
    this.#markReady();
    if (this.#isLost) {
      this.#isLost = false;
      this.#log.warn('The queue and its messages were lost');
      onLost?.();
    }
  }

  /** @param onEnded called when the broker ends it, for instance because the queue was deleted */
  async #consume(channel: Channel, prefetch: number, onEnded: () => void): Promise<string> {
    // it holds for the consumers that come after it, each of which counts its own messages
    await channel.prefetch(prefetch);
    const reply = await channel.consume(this.queue, (message) => {
      if (message) {
        this.#receive(channel, message);
      } else if (this.#channel === channel) {
        onEnded();
      }
    });
    return reply.consumerTag;
  }

  /** Messages of one further consumer. */
  get #part(): number {
    return Math.max(1, Math.floor(this.#options.prefetch / 4));
  }

  /** @returns whether there have to be more or fewer consumers now */
  allowMore(count: number): boolean {
    const wanted = Math.floor(count / this.#part);
    // one too many does no harm, and the number goes up and down all the time
    const isChanged =
      wanted > this.#moreWanted || wanted < this.#moreWanted - 1 || (wanted === 0 && this.#moreWanted > 0);
    this.#moreWanted = isChanged ? wanted : this.#moreWanted;
    return isChanged;
  }

  /** Makes consumers more or fewer, as they are wanted. */
  async adapt(channel: Channel | undefined): Promise<void> {
    if (!channel || this.#channel !== channel || this.#tag === undefined) {
      return;
    }
    while (this.#moreTags.length < this.#moreWanted) {
      // when the queue goes the first consumer is ended, too, and starts everything anew
      this.#moreTags.push(await this.#consume(channel, this.#part, () => undefined));
    }
    for (const tag of this.#moreTags.splice(this.#moreWanted)) {
      await channel.cancel(tag);
    }
  }

  async bind(channel: Channel | undefined, binding: Binding): Promise<void> {
    this.#bindings.push(binding);
    if (channel) {
      await this.#declareBinding(channel, binding);
    }
  }

  async cancel(channel: Channel | undefined): Promise<void> {
    const tags = [...(this.#tag === undefined ? [] : [this.#tag]), ...this.#moreTags.splice(0)];
    this.#tag = undefined;
    this.#markReady();
    if (channel && this.#channel === channel) {
      for (const tag of tags) {
        await channel.cancel(tag).catch(() => undefined);
      }
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
    this.#log.warn('Message moved to the dead letters', { reason });
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
