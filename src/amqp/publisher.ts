import { randomUUID } from 'node:crypto';
import type { Channel, ChannelModel, ConfirmChannel, Message, Options } from 'amqplib';
import { coerceError } from '../domain/errors.ts';
import type { Json } from '../domain/plan.ts';
import type { Logger } from '../log/logger.ts';
import { exchangeKind } from './names.ts';
import { closeQuietly } from './transport.ts';
import type { ConnectionUser } from './transport.ts';

export interface OutgoingMessage {
  /** Declared before the first use; '' is the default exchange, whose routing keys are queue names. */
  exchange: string;
  routingKey: string;
  body: Json | object;
  correlationId?: string;
  replyTo?: string;
  /** Milliseconds after which the broker drops the message if no consumer took it. */
  expiration?: number;
  headers?: Record<string, Json>;
}

export interface PublishOptions {
  /** Fail with UnroutableError instead of losing the message when no queue takes it. */
  isMandatory?: boolean;
  /** `wait` (default) keeps the message until the broker is back, `fail` gives up at once. */
  whenDown?: 'wait' | 'fail';
}

/** No queue is bound for the message; for an agent: it never started, or it was removed. */
export class UnroutableError extends Error {
  override readonly name = 'UnroutableError';

  constructor(exchange: string, routingKey: string) {
    super(`No queue takes messages of exchange "${exchange}" with key "${routingKey}"`);
  }
}

/** The broker cannot be reached now. */
class BrokerUnavailableError extends Error {
  override readonly name = 'BrokerUnavailableError';
}

interface Entry {
  readonly message: OutgoingMessage;
  readonly content: Buffer;
  readonly messageId: string | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  attempts: number;
  isReturned: boolean;
}

const largestWindow = 1000;
const mostAttempts = 8;

/** Sends messages over one confirm channel; keeps each until the broker confirmed it. */
export class Publisher implements ConnectionUser {
  readonly #log: Logger;
  readonly #isMemory: boolean;
  readonly #prefix = randomUUID();
  #sequence = 0;
  #model: ChannelModel | undefined;
  #channel: Channel | ConfirmChannel | undefined;
  #declared = new Map<string, Promise<unknown>>();
  #waiting: Entry[] = [];
  readonly #inFlight = new Set<Entry>();
  readonly #mandatory = new Map<string, Entry>();
  #isClosed = false;

  constructor(log: Logger, kind: 'memory' | 'server') {
    this.#log = log;
    this.#isMemory = kind === 'memory';
  }

  /** See `BrokerConnection.publish`. */
  publish(message: OutgoingMessage, options: PublishOptions = {}): Promise<void> {
    if (this.#isClosed || (options.whenDown === 'fail' && !this.#model)) {
      return Promise.reject(new BrokerUnavailableError('The broker cannot be reached'));
    }
    return new Promise((resolve, reject) => {
      const messageId = options.isMandatory ? `${this.#prefix}-${(this.#sequence += 1)}` : undefined;
      const content = Buffer.from(JSON.stringify(message.body));
      this.#waiting.push({ message, content, messageId, resolve, reject, attempts: 0, isReturned: false });
      this.#pump();
    });
  }

  connected(model: ChannelModel): void {
    this.#model = model;
    this.#openChannel(model);
  }

  disconnected(reason: Error): void {
    this.#model = undefined;
    this.#dropChannel(reason);
  }

  async closed(): Promise<void> {
    this.#isClosed = true;
    this.#model = undefined;
    const channel = this.#channel;
    this.#channel = undefined;
    const error = new BrokerUnavailableError('The connection to the broker was closed');
    const left = [...this.#inFlight, ...this.#waiting];
    this.#inFlight.clear();
    this.#mandatory.clear();
    this.#waiting = [];
    left.forEach((entry) => entry.reject(error));
    await closeQuietly(channel);
  }

  #openChannel(model: ChannelModel): void {
    const opening: Promise<Channel> = this.#isMemory ? model.createChannel() : model.createConfirmChannel();
    opening.then(
      (channel) => this.#adopt(model, channel),
      (thrown: unknown) => {
        if (this.#model === model) {
          this.#log.warn('No channel for publishing', { reason: coerceError(thrown).message });
        }
      },
    );
  }

  #adopt(model: ChannelModel, channel: Channel): void {
    if (this.#model !== model) {
      return;
    }
    let reason = new Error('The broker closed the publishing channel');
    channel.on('error', (error: Error) => {
      reason = error;
    });
    channel.on('close', () => {
      if (this.#channel === channel) {
        this.#dropChannel(reason);
        if (this.#model === model) {
          this.#log.warn('Publishing channel lost; opening another', { reason: reason.message });
          this.#openChannel(model);
        }
      }
    });
    channel.on('return', (message: Message) => {
      const id = message.properties.messageId as unknown;
      const entry = typeof id === 'string' ? this.#mandatory.get(id) : undefined;
      if (entry) {
        entry.isReturned = true;
      }
    });
    this.#declared = new Map();
    this.#channel = channel;
    this.#pump();
  }

  /** Puts what was not confirmed back in front, in order; a message that keeps killing channels is given up. */
  #dropChannel(reason: Error): void {
    this.#channel = undefined;
    const again: Entry[] = [];
    for (const entry of this.#inFlight) {
      if (entry.attempts >= mostAttempts) {
        entry.reject(reason);
      } else {
        again.push(entry);
      }
    }
    this.#inFlight.clear();
    this.#mandatory.clear();
    this.#waiting = [...again, ...this.#waiting];
  }

  #pump(): void {
    if (!this.#channel || this.#waiting.length === 0) {
      return;
    }
    const room = largestWindow - this.#inFlight.size;
    if (room <= 0) {
      return;
    }
    const batch = this.#waiting.length <= room ? this.#waiting : this.#waiting.slice(0, room);
    this.#waiting = batch === this.#waiting ? [] : this.#waiting.slice(room);
    for (const entry of batch) {
      this.#inFlight.add(entry);
      this.#sendWhenDeclared(this.#channel, entry);
    }
  }

  #sendWhenDeclared(channel: Channel | ConfirmChannel, entry: Entry): void {
    const { exchange } = entry.message;
    if (exchange === '') {
      this.#send(channel, entry);
      return;
    }
    const declared = this.#declared.get(exchange);
    if (declared === done) {
      this.#send(channel, entry);
      return;
    }
    const declaring = declared ?? this.#declare(channel, exchange);
    declaring.then(
      () => this.#send(channel, entry),
      () => undefined, // the broker closes the channel with it, and the message is tried again on the next one
    );
  }

  #declare(channel: Channel, exchange: string): Promise<unknown> {
    const declared = this.#declared;
    const declaring = Promise.resolve(channel.assertExchange(exchange, exchangeKind(exchange), { durable: true }));
    declared.set(exchange, declaring);
    declaring.then(
      () => declared.set(exchange, done),
      () => undefined,
    );
    return declaring;
  }

  #send(channel: Channel | ConfirmChannel, entry: Entry): void {
    if (this.#channel !== channel || !this.#inFlight.has(entry)) {
      return;
    }
    entry.attempts += 1;
    entry.isReturned = false;
    const { message, content, messageId } = entry;
    const properties: Options.Publish = { persistent: true };
    if (message.correlationId !== undefined) {
      properties.correlationId = message.correlationId;
    }
    if (message.replyTo !== undefined) {
      properties.replyTo = message.replyTo;
    }
    if (message.expiration !== undefined) {
      properties.expiration = String(message.expiration);
    }
    if (message.headers !== undefined) {
      properties.headers = message.headers;
    }
    if (messageId !== undefined) {
      properties.messageId = messageId;
      properties.mandatory = true;
      this.#mandatory.set(messageId, entry);
    }
    try {
      if (this.#isMemory) {
        channel.publish(message.exchange, message.routingKey, content, properties);
        // its returns are emitted on the next tick, so an immediate comes after them
        setImmediate(() => this.#settle(channel, entry, undefined));
      } else {
        (channel as ConfirmChannel).publish(
          message.exchange,
          message.routingKey,
          content,
          properties,
          (refusal: unknown) => this.#settle(channel, entry, refusal),
        );
      }
    } catch (thrown) {
      this.#log.debug('Message not sent, the channel closed meanwhile', { reason: coerceError(thrown).message });
    }
  }

  #settle(channel: Channel, entry: Entry, refusal: unknown): void {
    if (isChannelClosed(refusal)) {
      // the library says so before it tells of the loss, which has the message sent again
      return;
    }
    if (this.#channel !== channel || !this.#inFlight.delete(entry)) {
      return;
    }
    if (entry.messageId !== undefined) {
      this.#mandatory.delete(entry.messageId);
    }
    if (refusal) {
      entry.reject(new BrokerUnavailableError(`The broker refused a message: ${coerceError(refusal).message}`));
    } else if (entry.isReturned) {
      entry.reject(new UnroutableError(entry.message.exchange, entry.message.routingKey));
    } else {
      entry.resolve();
    }
    if (this.#waiting.length > 0) {
      this.#pump();
    }
  }
}

/** Whether the library gave a message up with its channel; the broker itself refuses with a nack. */
function isChannelClosed(refusal: unknown): boolean {
  return refusal instanceof Error && refusal.message === 'channel closed';
}

/** Marks an exchange that is known to exist on the present channel; compared by identity on the hot path. */
const done = Promise.resolve();
