import { NonRecoverableError, RecoverableError } from './sdk.ts';
import type { OperationContext } from './types.ts';

/** Longest delay of a timer in milliseconds. */
const longestDelay = 2 ** 31 - 1;

/** The reason of an abort when an operation took too long. */
export class OperationTimeout extends Error {
  override readonly name = 'OperationTimeout';
  readonly seconds: number;

  constructor(seconds: number) {
    super(`Process killed due to timeout of ${seconds} seconds`);
    this.seconds = seconds;
  }
}

/**
 * The signal of one operation: aborted with those of its callers or when the time is over.
 * Compatibility: the texts of Cloudify's worker for both.
 */
export class OperationLimit {
  readonly #controller = new AbortController();
  readonly #callers: readonly AbortSignal[];
  readonly #timer: NodeJS.Timeout;

  /** @param callers signals whose abort is passed on */
  constructor(seconds: number, callers: readonly (AbortSignal | undefined)[]) {
    this.#callers = callers.filter((signal) => signal !== undefined);
    this.#timer = setTimeout(
      () => this.#controller.abort(new OperationTimeout(seconds)),
      Math.min(seconds * 1000, longestDelay),
    );
    for (const caller of this.#callers) {
      if (caller.aborted) {
        this.#controller.abort(caller.reason);
      }
      caller.addEventListener('abort', this.#onCallerAbort, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Must be called when the operation has ended. */
  close(): void {
    clearTimeout(this.#timer);
    for (const caller of this.#callers) {
      caller.removeEventListener('abort', this.#onCallerAbort);
    }
  }

  readonly #onCallerAbort = (event: Event): void => {
    this.#controller.abort((event.target as AbortSignal).reason);
  };
}

/** The error of an operation whose signal was aborted. */
export function abortedError(context: OperationContext, reason: unknown): Error {
  if (reason instanceof OperationTimeout) {
    return context.timeout_recoverable === true
      ? new RecoverableError(reason.message)
      : new NonRecoverableError(reason.message);
  }
  return new NonRecoverableError('Process terminated (rc=-9)');
}
