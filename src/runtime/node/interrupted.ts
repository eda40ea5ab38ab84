import { RecoverableError } from '../sdk.ts';

/**
 * The error of an operation that was running when its process died, and that does not say it can be resumed. It
 * counts as a failed attempt, so that the workflow's rules for retries decide.
 */
export function interruptedError(): RecoverableError {
  return new RecoverableError('The process that ran this operation ended in the middle of it', { retryAfter: 0 });
}
