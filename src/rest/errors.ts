import type { ErrorRequestHandler, RequestHandler } from 'express';
import { coerceError, GantryError } from '../domain/errors.ts';
import { DslError } from '../dsl/errors.ts';
import { describeError } from '../dsl/report/problem.ts';
import { diskFull, isDiskFull } from '../files/disk-full.ts';
import type { Logger } from '../log/logger.ts';
import { asUnavailable, isForeignKeyViolation, isUnfitValue, isUniqueViolation } from '../store/database-errors.ts';
import { requestId } from './request-id.ts';

interface ErrorBody {
  message: string;
  error_code: string;
  server_traceback: string | null;
  [detail: string]: unknown;
}

interface HttpError extends Error {
  status: number;
  expose: boolean;
}

function isHttpError(error: Error): error is HttpError {
  return 'status' in error && typeof error.status === 'number' && error.status >= 400 && error.status < 500;
}

/** Whether another request was faster: the key is taken by now, or what the row belongs to has gone. */
function isCollision(error: unknown): error is Error {
  return isUniqueViolation(error) || isForeignKeyViolation(error);
}

/** An expected refusal behind whatever was thrown; undefined for a defect. */
function refusalBehind(thrown: unknown): GantryError | undefined {
  const error = asUnavailable(thrown);
  if (error instanceof GantryError) {
    return error;
  }
  if (isUnfitValue(error)) {
    const text = `A value of the request is not acceptable to the database: ${error.message}`;
    return new GantryError('bad_parameters_error', text, { cause: error });
  }
  if (isDiskFull(error)) {
    return diskFull(error);
  }
  if (isCollision(error)) {
    // Compatibility: Cloudify has this code for what the database does not take; it told its SQL, too
    const text = 'Something that was stored or removed at the same time is in the way; look at it and try again';
    return new GantryError('storage_error', text, { cause: error });
  }
  if (error instanceof DslError) {
    return new GantryError('functions_evaluation_error', describeError(error), { cause: error });
  }
  if (error instanceof Error && isHttpError(error)) {
    const code = error.status === 404 ? 'not_found_error' : 'bad_parameters_error';
    return new GantryError(code, error.message, { cause: error });
  }
  return undefined;
}

/** Turns everything thrown while a request was answered into the one error body of the API. */
export function errorHandler(log: Logger): ErrorRequestHandler {
  return (thrown: unknown, request, response, next) => {
    const error = coerceError(thrown);
    if (response.headersSent) {
      log.warn('A response was interrupted', { path: request.path, error });
      next(error);
      return;
    }
    const refusal = refusalBehind(thrown);
    if (!refusal) {
      log.error('A request failed unexpectedly', {
        requestId: requestId(response),
        method: request.method,
        path: request.path,
        error,
      });
    }
    if (refusal && isDiskFull(refusal.cause)) {
      log.error('The disk is full', { requestId: requestId(response), path: request.path, error });
    }
    if (refusal && isUnfitValue(refusal.cause)) {
      log.info('A value did not fit the database', { requestId: requestId(response), path: request.path, error });
    }
    if (refusal?.code === 'storage_error') {
      log.info('Two requests conflicted in the database', {
        requestId: requestId(response),
        path: request.path,
        error,
      });
    }
    if (!request.complete) {
      // what is left of the body must not be taken for the next request
      response.set('Connection', 'close');
    }
    if (refusal?.status === 304) {
      response.status(304).end();
      return;
    }
    const body: ErrorBody = refusal
      ? { message: refusal.message, error_code: refusal.code, server_traceback: null, ...refusal.details }
      : {
          message: `Internal error occurred in manager REST server - ${error.name}; see the log of the manager for request ${requestId(response)}`,
          error_code: 'internal_server_error',
          server_traceback: null,
        };
    if (refusal?.code === 'unauthorized_error' && request.get('x-requested-with') === undefined) {
      response.set('WWW-Authenticate', 'Basic realm="gantry"');
    }
    response.status(refusal?.status ?? 500).json(body);
  };
}

/** Answers every path the API does not have. */
export const unknownPath: RequestHandler = (request) => {
  throw new GantryError(
    'not_found_error',
    `The requested URL ${request.originalUrl.split('?', 1)[0] ?? ''} was not found`,
  );
};
