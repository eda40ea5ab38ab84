import { setTimeout as delay } from 'node:timers/promises';
import { GantryApiError, ManagerUnreachableError } from '../../src/client/errors.ts';

const pause = 300;

/** Whether a call may have failed because something is broken just now. */
export function isPassing(error: unknown): boolean {
  return error instanceof ManagerUnreachableError || (error instanceof GantryApiError && error.status >= 500);
}

/** Calls until an answer comes; for calls that may be repeated. */
export async function patiently<Result>(call: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isPassing(error)) {
        throw error;
      }
      await delay(pause, undefined, { signal });
    }
  }
}
