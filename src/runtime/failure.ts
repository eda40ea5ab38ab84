import { join, sep } from 'node:path';
import { inspect } from 'node:util';
import { packageRoot } from '../config/package-root.ts';
import { coerceError } from '../domain/errors.ts';
import { operationError } from '../domain/operation-error.ts';
import type { KnownExceptionType, OperationErrorObject } from '../domain/operation-error.ts';
import { OperationRetry } from './sdk.ts';
import type { SecretFilter } from './session/secret-filter.ts';

/** A failure that was described elsewhere, in a process of a plugin. */
export class ReportedFailure extends Error {
  override readonly name = 'ReportedFailure';
  readonly report: OperationErrorObject;

  constructor(report: OperationErrorObject) {
    super(report.message);
    this.report = report;
  }
}

/** Where this program's own code is; the frames of a bundled program name either, depending on source maps. */
const ownFolders = ['src', 'dist', 'node_modules'].map((name) => join(packageRoot(), name) + sep);

/** Longest message of an error on the wire, in characters. */
const longestMessage = 20_000;

const knownNames: readonly KnownExceptionType[] = ['NonRecoverableError', 'OperationRetry', 'RecoverableError'];

/**
 * What a thrown value means for the workflow. Classes are recognised by name along their ancestry, because plugins
 * carry their own copy of the SDK; anything unknown may be tried again.
 * Compatibility: Cloudify 7 error mapping of plugin exceptions.
 */
export function failureOf(thrown: unknown, secrets: SecretFilter): OperationErrorObject {
  if (thrown instanceof ReportedFailure) {
    return thrown.report;
  }
  const error = coerceError(thrown);
  const kind = kindOf(error);
  const message = shorten(secrets.apply(error.message === '' ? error.name : error.message));
  const retryAfter = retryAfterOf(error);
  const trace = traceOf(error);
  return operationError({
    kind,
    message,
    type: error.name === 'Error' ? error.constructor.name : error.name,
    ...(kind === 'OperationRetry' || trace === undefined ? {} : { traceback: shorten(secrets.apply(trace)) }),
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

/** Where an error comes from, without the frames of this program; undefined when nothing else is left. */
function traceOf(error: Error): string | undefined {
  const { stack } = error;
  if (stack === undefined || stack === '') {
    return undefined;
  }
  const lines = stack.split('\n');
  const frames = lines.filter((line) => /^\s+at /.test(line));
  const outside = frames.filter(
    (line) => !line.includes('node:internal') && !ownFolders.some((folder) => line.includes(folder)),
  );
  if (frames.length > 0 && outside.length === 0 && error.cause === undefined) {
    return undefined;
  }
  const trace = lines.filter((line) => !frames.includes(line) || outside.includes(line)).join('\n');
  return error.cause === undefined ? trace : `${trace}\nCaused by: ${inspect(error.cause, { depth: 1 })}`;
}

function shorten(text: string): string {
  return text.length > longestMessage ? `${text.slice(0, longestMessage)}... (${text.length} characters)` : text;
}
