import busboy from 'busboy';
import type { Request } from 'express';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { isObject } from './body.ts';

/** Whether the request is a form with parts. */
export function isMultipart(request: Request): boolean {
  return /^multipart\/form-data\b/i.test(request.get('content-type') ?? '');
}

/** Whether the request carries any body at all. */
export function hasBody(request: Request): boolean {
  const length = request.get('content-length');
  return request.get('transfer-encoding') !== undefined || (length !== undefined && Number(length) > 0);
}

function parseParameters(text: string): JsonObject {
  try {
    const parsed = JSON.parse(text) as unknown;
    if (isObject(parsed)) {
      return parsed;
    }
  } catch {
    // answered below
  }
  throw new GantryError('bad_parameters_error', 'The part `params` must be a JSON object');
}

/** A form whose file is being received. */
export interface Form<Received> {
  readonly parameters: JsonObject;
  /** What `receive` made of the file; undefined when there is none. */
  readonly received: Received | undefined;
}

/**
 * Reads a form of a JSON part `params` and one file, in whatever order.
 * @param receive consumes the file; what it throws ends the request
 * @throws GantryError bad_parameters_error for a form that is not like that
 */
export async function readForm<Received>(
  request: Request,
  fileField: string,
  receive: (file: Readable) => Promise<Received>,
): Promise<Form<Received>> {
  let parser: busboy.Busboy;
  try {
    parser = busboy({
      headers: request.headers,
      limits: { files: 1, fields: 10, fieldSize: 8 * 1024 * 1024, parts: 12 },
    });
  } catch (error) {
    throw new GantryError('bad_parameters_error', 'The form cannot be read', { cause: error });
  }
  let parameters: JsonObject = {};
  let receiving: Promise<Received> | undefined;
  let failure: Error | undefined;
  const fail = (error: unknown): void => {
    failure ??= coerceError(error);
    request.unpipe(parser);
    request.resume();
    parser.destroy();
  };
  await new Promise<void>((resolve) => {
    parser.on('field', (name, value, { valueTruncated }) => {
      if (name !== 'params') {
        return;
      }
      try {
        parameters = valueTruncated
          ? (fail(new GantryError('request_too_large', 'The part `params` is too large')) ?? {})
          : parseParameters(value);
      } catch (error) {
        fail(error);
      }
    });
    parser.on('file', (name, file) => {
      if (name !== fileField) {
        file.resume();
        return;
      }
      receiving = receive(file);
      receiving.catch((error: unknown) => {
        file.resume();
        fail(error);
      });
    });
    parser.on('error', (error) => {
      failure ??= new GantryError('bad_parameters_error', 'The form is damaged', { cause: error });
      resolve();
    });
    parser.on('close', resolve);
    request.on('aborted', () => {
      fail(new GantryError('bad_parameters_error', 'The upload was interrupted'));
      resolve();
    });
    request.pipe(parser);
  });
  const received = await receiving?.catch((error: unknown) => {
    failure ??= coerceError(error);
    return undefined;
  });
  if (failure) {
    throw failure;
  }
  return { parameters, received };
}

/**
 * The body of a request as a stream of its own. When its reader gives up, the rest of the body is read and dropped, so
 * that the client gets to see the answer instead of a broken connection.
 */
export function bodyStream(request: Request): Readable {
  const body = new PassThrough();
  request.pipe(body);
  request.on('close', () => {
    if (!request.complete) {
      body.destroy(new GantryError('bad_parameters_error', 'The upload was interrupted'));
    }
  });
  body.on('close', () => {
    request.unpipe(body);
    request.resume();
  });
  return body;
}

/** A file of a form as a stream of its own: when its reader gives up, the rest is read and dropped, as the form has to be. */
function fileStream(file: Readable): Readable {
  const content = new PassThrough();
  file.pipe(content);
  const breakOff = (): void => {
    if (!content.writableEnded) {
      content.destroy(new GantryError('bad_parameters_error', 'The form is damaged'));
    }
  };
  file.on('error', breakOff).on('close', breakOff);
  content.on('close', () => {
    file.unpipe(content);
    file.resume();
  });
  return content;
}

/** A form whose files were received. */
export interface FileForm<Received> {
  readonly fields: ReadonlyMap<string, string>;
  /** What `receive` made of each file, in their order. */
  readonly received: readonly Received[];
}

/** Files of one form at most. */
const mostFiles = 100;

/**
 * Reads a form of any number of files.
 * @param names of the fields that are wanted
 * @param receive consumes a file; what it throws ends the request
 * @throws GantryError bad_parameters_error for a form that cannot be read
 */
export async function readFiles<Received>(
  request: Request,
  names: readonly string[],
  receive: (fileName: string, file: Readable) => Promise<Received>,
): Promise<FileForm<Received>> {
  let parser: busboy.Busboy;
  try {
    parser = busboy({ headers: request.headers, limits: { files: mostFiles, fields: 10, fieldSize: 10_000 } });
  } catch (error) {
    throw new GantryError('bad_parameters_error', 'The form cannot be read', { cause: error });
  }
  const fields = new Map<string, string>();
  const receiving: Promise<Received>[] = [];
  parser.on('field', (name, value) => {
    if (names.includes(name)) {
      fields.set(name, value);
    }
  });
  parser.on('file', (_field, file, { filename }: { filename?: string | undefined }) => {
    const received = receive(filename ?? '', fileStream(file));
    // awaited below; until then a failure must not count as unhandled
    received.catch(() => undefined);
    receiving.push(received);
  });
  try {
    await pipeline(request, parser);
  } catch (error) {
    await Promise.allSettled(receiving);
    throw new GantryError('bad_parameters_error', 'The form is damaged', { cause: error });
  }
  const outcomes = await Promise.allSettled(receiving);
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) {
    throw coerceError(failure.reason);
  }
  return { fields, received: await Promise.all(receiving) };
}
