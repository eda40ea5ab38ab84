import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';

export interface JobOptions {
  readonly name: string;
  /** Does the work; @returns milliseconds after which to do it again without being asked, undefined = only when asked */
  readonly work: (signal: AbortSignal) => Promise<number | undefined>;
  readonly log: Logger;
}

/** Milliseconds until a failed job is tried again. */
const retryDelay = 2000;

/** Work that is done once at a time, however often it is asked for meanwhile. */
export class Job {
  readonly #options: JobOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isAsked = false;

  constructor(options: JobOptions) {
    this.#options = options;
  }

  /** Does the work now, or once more after the present run. */
  ask(): void {
    this.#isAsked = true;
    if (!this.#running && !this.#stopping.signal.aborted) {
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
      });
    }
  }

  /** Does the work in `delay` milliseconds, unless it is due earlier anyway. */
  askIn(delay: number): void {
    if (!this.#timer && !this.#stopping.signal.aborted) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.ask();
      }, delay);
    }
  }

  /** Waits for the present run. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isAsked && !this.#stopping.signal.aborted) {
      this.#isAsked = false;
      clearTimeout(this.#timer);
      this.#timer = undefined;
      try {
        const next = await this.#options.work(this.#stopping.signal);
        if (next !== undefined) {
          this.askIn(next);
        }
      } catch (thrown) {
        const { log, name } = this.#options;
        log.warn('A periodic job failed; it will be retried', { job: name, reason: coerceError(thrown).message });
        this.askIn(retryDelay);
      }
    }
  }
}
