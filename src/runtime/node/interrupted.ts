import { interruptedOperation } from '../../domain/operation-error.ts';
import { ReportedFailure } from '../failure.ts';

/**
 * The error of an operation that was running when its process died, and that does not say it can be resumed. It
 * counts as a failed attempt, which is made again as often as the operation may be tried.
 */
export function interruptedError(): ReportedFailure {
  return new ReportedFailure(interruptedOperation());
}
