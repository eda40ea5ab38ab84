import type { ConnectionUser } from './transport.ts';

/** Tells when a connection has been lost for some time; register it with `BrokerConnection.addUser`. */
export class OutageWatch implements ConnectionUser {
  readonly #limit: number;
  readonly #onOutage: () => void;
  readonly #onReturn: () => void;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param limit milliseconds without connection after which `onOutage` is called, once per loss
   * @param onReturn called whenever there is a connection again
   */
  constructor(limit: number, onOutage: () => void, onReturn: () => void = () => undefined) {
    this.#limit = limit;
    this.#onOutage = onOutage;
    this.#onReturn = onReturn;
  }

  connected(): void {
    clearTimeout(this.#timer);
    this.#onReturn();
  }

  disconnected(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onOutage, this.#limit);
  }

  async closed(): Promise<void> {
    this.stop();
  }

  /** Watches no more. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
