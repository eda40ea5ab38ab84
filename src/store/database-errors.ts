/** What went wrong in the database, in terms callers decide on. */
import { GantryError } from '../domain/errors.ts';

interface CodedError extends Error {
  code: string;
  constraint?: string;
}

function isCoded(error: unknown): error is CodedError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
/** A server on a socket in a directory is not there; of a file this says nothing about the database. */
const missingSocketCode = 'ENOENT';
const serverCodes = new Set([
  '53300', // too many connections
  '57P01', // administrator shuts the server down
  '57P02', // the server crashed
  '57P03', // the server starts up or stops
  '25P03', // the server ended a transaction in which nothing happened
]);
const readOnlyCode = '25006';
const conflictCodes = new Set([
  '40001', // serialization failure
  '40P01', // deadlock
]);
const readTimeoutText = 'Query read timeout';
const connectionLostTexts = [
  'Connection terminated',
  'Client has encountered a connection error',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Client was closed',
  readTimeoutText,
];

/** Whether the database was not reachable or went away, so that the same call may succeed later. */
export function isConnectionError(error: unknown): boolean {
  if (error instanceof AggregateError) {
    return error.errors.some(isConnectionError);
  }
  if (isCoded(error)) {
    return (
      networkCodes.has(error.code) ||
      serverCodes.has(error.code) ||
      error.code.startsWith('08') ||
      isReadOnly(error) ||
      isMissingSocket(error)
    );
  }
  return error instanceof Error && connectionLostTexts.some((text) => error.message.includes(text));
}

function isMissingSocket(error: CodedError): boolean {
  return error.code === missingSocketCode && 'syscall' in error && error.syscall === 'connect';
}

/** Whether the server takes no changes: the primary is another one by now, and a new connection may lead there. */
export function isReadOnly(error: unknown): boolean {
  return isCoded(error) && error.code === readOnlyCode;
}

/** Whether a lock was not given within the connection's `lock_timeout`. */
export function isLockTimeout(error: unknown): boolean {
  return isCoded(error) && error.code === '55P03';
}

/** Whether the server did not answer in time: nothing more comes over that connection. */
export function isReadTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === readTimeoutText;
}

/** Whether two transactions met each other and running this one again will do. */
export function isSerializationConflict(error: unknown): boolean {
  return isCoded(error) && conflictCodes.has(error.code);
}

/** Whether a row with the same key exists; `constraint` narrows it to one unique constraint. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return isCoded(error) && error.code === '23505' && (constraint === undefined || error.constraint === constraint);
}

/** Whether a row that others refer to is missing or was to be removed. */
export function isForeignKeyViolation(error: unknown, constraint?: string): boolean {
  return (
    isCoded(error) &&
    ['23503', '23001'].includes(error.code) &&
    (constraint === undefined || error.constraint === constraint)
  );
}

/**
 * Whether a value does not fit where it was to be stored or compared: characters that texts cannot have, numbers and
 * times out of range, documents nested too deep, keys too long for an index.
 */
export function isUnfitValue(error: unknown): error is Error {
  return isCoded(error) && /^(22|54)[0-9A-Z]{3}$/.test(error.code);
}

/** Turns a lost database into the refusal clients know how to wait for; anything else is returned unchanged. */
export function asUnavailable(error: unknown): unknown {
  return isConnectionError(error)
    ? new GantryError(
        'manager_unavailable',
        'The database is not reachable at the moment; try again in a few seconds',
        {
          cause: error,
        },
      )
    : error;
}
