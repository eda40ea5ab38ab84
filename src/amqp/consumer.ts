import type { Channel, ChannelModel } from 'amqplib';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import { Subscription } from './subscription.ts';
import type { Binding, ConsumerHost, ConsumerOptions } from './subscription.ts';
import { closeQuietly } from './transport.ts';
import type { ConnectionUser } from './transport.ts';

export type { Binding, ConsumerOptions, Delivery } from './subscription.ts';

export interface Consumer {
  /** Resolves when first subscribed. */
  readonly ready: Promise<void>;
  /** Binds the queue to one more exchange, now and after every reconnect. */
  bind(binding: Binding): Promise<void>;
  /**
   * Lets more messages be out than the prefetch says, since so many of those that are out need nothing from this
   * process for now. Rounded down to parts of a few, so that not every change is told to the broker.
   */
  allowMore(count: number): void;
  /** Takes no more messages; those received can still be acknowledged. */
  stop(): Promise<void>;
  /** Stops and gives the channel back: what is unacknowledged is delivered again, to others. */
  close(): Promise<void>;
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
      allowMore: (count) => {
        if (subscription.allowMore(count)) {
          this.#exclusively(async () => subscription.adapt(this.#channel)).catch((thrown: unknown) => {
            this.#log.debug('Cannot take another number of messages', { reason: coerceError(thrown).message });
          });
        }
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
