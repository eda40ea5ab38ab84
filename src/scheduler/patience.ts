/**
 * How long a process waits for the heartbeat of others before it takes them for dead. Who missed beats of its own (the
 * database was away, or it was suspended) cannot tell whether the others are late for the same reason, and gives them
 * time to be heard first. Otherwise every outage of the database would look like the death of everybody.
 */
export class Patience {
  readonly #limit: number;
  readonly #now: () => number;
  #lastBeat: number;
  /** Seconds the last gap lasted, and the time until which it excuses others. */
  #gap = 0;
  #excusedUntil = -Infinity;

  /**
   * @param limit seconds without heartbeat after which a process counts as dead
   * @param now seconds of a clock that never goes back
   */
  constructor(limit: number, now: () => number = () => performance.now() / 1000) {
    this.#limit = limit;
    this.#now = now;
    this.#lastBeat = now();
  }

  /** To be called whenever the own heartbeat was stored. */
  beat(): void {
    const now = this.#now();
    const gap = now - this.#lastBeat;
    if (gap > this.#limit / 2) {
      this.#gap = gap;
      this.#excusedUntil = now + this.#limit;
    }
    this.#lastBeat = now;
  }

  /** Seconds without heartbeat after which another process counts as dead now. */
  seconds(): number {
    const now = this.#now();
    const silence = now - this.#lastBeat;
    if (silence > this.#limit / 2) {
      return this.#limit + silence;
    }
    return now < this.#excusedUntil ? 2 * this.#limit + this.#gap : this.#limit;
  }
}
