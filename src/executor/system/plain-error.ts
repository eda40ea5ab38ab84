import { coerceError } from '../../domain/errors.ts';
import { DslError } from '../../dsl/errors.ts';
import type { DslErrorClass } from '../../dsl/errors.ts';
import { describeError } from '../../dsl/report/problem.ts';
import type { PlainError } from './parse-protocol.ts';

/**
 * Takes an error apart, so that it can be sent to another thread.
 *
 * @param describe puts an error of the language into words, by default without saying which file it is in
 */
export function toPlainError(
  thrown: unknown,
  describe: (error: DslError) => string = (error) => describeError(error),
): PlainError {
  const error = coerceError(thrown);
  const isDsl = error instanceof DslError;
  return {
    message: error.message,
    stack: error.stack,
    className: isDsl ? error.className : undefined,
    code: isDsl ? error.code : undefined,
    description: isDsl ? describe(error) : error.message,
    isInvalidBlueprint: isDsl && error.isInvalidBlueprint,
  };
}

/** Makes the error again; what it was told in detail is in its message. */
export function fromPlainError(plain: PlainError): Error {
  return plain.className === undefined
    ? new Error(plain.message)
    : new DslError(plain.className as DslErrorClass, plain.message, { code: plain.code });
}
