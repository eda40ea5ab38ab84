import { inspect } from 'node:util';
import { coerceError } from '../domain/errors.ts';
import { operationError } from '../domain/operation-error.ts';
import type { KnownExceptionType, OperationErrorObject } from '../domain/operation-error.ts';
import { OperationRetry } from './sdk.ts';
import type { SecretFilter } from './session/secret-filter.ts';

/** Longest message of an error on the wire, in characters. */
const longestMessage = 20_000;

const knownNames: readonly KnownExceptionType[] = ['NonRecoverableError', 'OperationRetry', 'RecoverableError'];

/**
 * What a thrown value means for the workflow. Classes are recognised by name along their ancestry, because plugins
 * carry their own copy of the SDK; anything unknown may be tried again.
 * Compatibility: Cloudify 7 error mapping of plugin exceptions.
 */
export function failureOf(thrown: unknown, secrets: SecretFilter): OperationErrorObject {
  const error = coerceError(thrown);
  const kind = kindOf(error);
  const message = shorten(secrets.apply(error.message === '' ? error.name : error.message));
  const retryAfter = retryAfterOf(error);
  return operationError({
    kind,
    message,
    type: error.name === 'Error' ? error.constructor.name : error.name,
    ...(kind === 'OperationRetry' || error.stack === undefined
      ? {}
      : { traceback: shorten(secrets.apply(traceOf(error))) }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

/** The error of an operation that asked to be called again. */
export function retryOutcome(message: string, retryAfter: number | undefined): OperationRetry {
  return new OperationRetry(message, retryAfter === undefined ? {} : { retryAfter });
}

function kindOf(error: Error): KnownExceptionType {
  for (let prototype: object | null = error; prototype !== null; prototype = prototypeOf(prototype)) {
    const names = [Reflect.get(prototype, 'name'), (prototype.constructor as { name?: unknown } | undefined)?.name];
    const known = knownNames.find((name) => names.includes(name));
    if (known !== undefined) {
      return known;
    }
  }
  return 'RecoverableError';
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}

function retryAfterOf(error: Error): number | undefined {
  const value: unknown = Reflect.get(error, 'retryAfter');
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function traceOf(error: Error): string {
  const cause = error.cause === undefined ? '' : `\nCaused by: ${inspect(error.cause, { depth: 1 })}`;
  return `${error.stack ?? error.message}${cause}`;
}

function shorten(text: string): string {
  return text.length > longestMessage ? `${text.slice(0, longestMessage)}... (${text.length} characters)` : text;
}
