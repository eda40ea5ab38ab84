/**
 * Collects items that arrive one by one and hands them over in batches. While a batch is being stored the next one
 * grows, so batches are as large as the load demands and an idle system stores at once.
 */
export interface GroupCommitOptions<Item, Result> {
  /** Stores a batch; its results stand in the order of the items. A failure fails every item of the batch. */
  readonly commit: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Items of one batch at most. */
  readonly maxItems: number;
  /** Weight of an item, and that of one batch at most; a heavier item is a batch alone. */
  readonly weight?: { readonly of: (item: Item) => number; readonly max: number };
  /** Milliseconds to wait for more items before a batch starts; 0 = until the present events are handled. */
  readonly delay?: number;
  /** Batches that may be stored at the same time; default 1, which keeps the order. */
  readonly parallel?: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export class GroupCommit<Item, Result = void> {
  readonly #options: GroupCommitOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #running = 0;
  #isScheduled = false;
  #idle: (() => void)[] = [];

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = options;
  }

  /** Items not yet stored. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Adds an item to the next batch; resolves with its result when the batch is stored. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when everything added so far is stored or has failed. */
  async drained(): Promise<void> {
    if (this.#waiting.length === 0 && this.#running === 0) {
      return;
    }
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#isScheduled || this.#running >= (this.#options.parallel ?? 1)) {
      return;
    }
    this.#isScheduled = true;
    const start = (): void => {
      this.#isScheduled = false;
      void this.#commitNext();
    };
    const delay = this.#options.delay ?? 0;
    if (delay > 0 && this.#waiting.length < this.#options.maxItems) {
      setTimeout(start, delay);
    } else {
      setImmediate(start);
    }
  }

  #batchLength(): number {
    const { maxItems, weight } = this.#options;
    const most = Math.min(maxItems, this.#waiting.length);
    let sum = 0;
    for (let length = 0; weight && length < most; length += 1) {
      sum += weight.of((this.#waiting[length] as Waiting<Item, Result>).item);
      if (sum > weight.max) {
        return Math.max(1, length);
      }
    }
    return most;
  }

  async #commitNext(): Promise<void> {
    const batch = this.#waiting.splice(0, this.#batchLength());
    if (batch.length > 0) {
      this.#running += 1;
      try {
        const results = await this.#options.commit(batch.map((entry) => entry.item));
        batch.forEach((entry, index) => entry.resolve(results[index] as Result));
      } catch (error) {
        batch.forEach((entry) => entry.reject(error));
      }
      this.#running -= 1;
    }
    if (this.#waiting.length > 0) {
      this.#schedule();
    } else if (this.#running === 0) {
      this.#idle.splice(0).forEach((resolve) => resolve());
    }
  }
}
