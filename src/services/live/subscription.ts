import { formatPosition } from '../../store/live.ts';
import type { LivePosition } from '../../store/live.ts';
import { isVisible, passes } from './messages.ts';
import type { LiveFilter, LiveMessage, LiveScopes, LiveTopic } from './messages.ts';

/** A message and the position behind it; only events have one. */
export interface Delivery {
  readonly message: LiveMessage;
  readonly position?: string;
}

/** The far end of a stream. */
export interface LiveReceiver {
  /**
   * Takes deliveries in their order.
   * @param position behind all of them
   * @returns false when it holds as much as it may: nothing more comes until `drained`
   */
  deliver(deliveries: readonly Delivery[], position: string): boolean;
  /** Resolves when more can be taken; rejects or never resolves when the receiver is gone. */
  drained(): Promise<void>;
}

export interface LiveRequest {
  readonly scopes: LiveScopes;
  readonly filter: LiveFilter;
  /** `now`: only what comes; `start`: also everything there is; or the position a stream had reached. */
  readonly from: 'now' | 'start' | LivePosition;
  readonly receiver: LiveReceiver;
}

/** One stream: what it follows and how far it has got. */
export class Subscription {
  readonly filter: LiveFilter;
  readonly receiver: LiveReceiver;
  readonly from: LiveRequest['from'];
  scopes: LiveScopes;
  /** How far it has got. */
  position: LivePosition;
  /** Whether it gets what the hub reads; otherwise it first has to read what it missed. */
  isLive = false;
  isClosed = false;

  constructor({ scopes, filter, from, receiver }: LiveRequest) {
    this.scopes = scopes;
    this.filter = filter;
    this.from = from;
    this.receiver = receiver;
    // where the others start is for the hub to say
    this.position = typeof from === 'object' ? from : { seen: undefined, current: '1:1:', after: 0, oldest: 0 };
  }

  follows(topic: LiveTopic): boolean {
    return this.scopes.has(topic);
  }

  /** Whether it asked for this message and may see it. */
  wants(message: LiveMessage): boolean {
    const scope = this.scopes.get(message.topic === 'deleted' ? message.of : message.topic);
    return scope !== undefined && isVisible(scope, message.item) && passes(this.filter, message);
  }

  /** Hands over what it wants of `deliveries`; when it can take no more it has to catch up later. */
  hand(deliveries: readonly Delivery[], position: LivePosition): void {
    if (this.isClosed) {
      return;
    }
    const wanted = deliveries.filter(({ message }) => this.wants(message));
    this.position = position;
    if (wanted.length > 0 && !this.receiver.deliver(wanted, formatPosition(position))) {
      this.isLive = false;
    }
  }
}
