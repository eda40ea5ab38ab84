import { stat } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import { GantryError } from '../domain/errors.ts';
import type { Answer } from './route.ts';

/** By this header nginx says that it sends files itself; what a client says in it, nginx overwrites. */
const offerHeader = 'x-sendfile-type';
const offer = 'X-Accel-Redirect';
/** Where nginx finds the file server's directory; only nginx can reach it. */
const internalPrefix = '/resources-local/';

/** File name as clients read it from the header; anything unusual becomes `_`. */
function headerName(fileName: string): string {
  return fileName.replaceAll(/[^\w.~ -]/g, '_');
}

function describe(response: Response, fileName: string): void {
  response.status(200).set({
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': `attachment; filename="${headerName(fileName)}"`,
    'Content-Description': 'File Transfer',
    'Cache-Control': 'no-cache',
  });
}

/** Sends what is packed on the way as a download. */
export async function sendStream(
  response: Response,
  file: { content: Readable; fileName: string; bytes: number },
): Promise<Answer> {
  describe(response, file.fileName);
  response.set('Content-Length', String(file.bytes));
  await pipeline(file.content, response);
  return 'sent';
}

function isRefusedCondition(error: unknown): error is { status: 412 | 416 } {
  const status = (error as { status?: unknown }).status;
  return status === 412 || status === 416;
}

/** Sends the file, the part of it that a request names, or that it is the one the client has. */
async function stream(response: Response, path: string, bytes: number): Promise<void> {
  const error = await new Promise<Error | undefined>((resolve) => {
    response.sendFile(path, { dotfiles: 'allow', cacheControl: false }, (failure?: Error) => resolve(failure));
  });
  if (error === undefined || response.headersSent) {
    // a client that aborts a download cannot be told anything
    return;
  }
  if (isRefusedCondition(error)) {
    response.removeHeader('Content-Type');
    response.removeHeader('Content-Disposition');
    response.status(error.status);
    if (error.status === 416) {
      response.set('Content-Range', `bytes */${bytes}`);
    }
    response.end();
    return;
  }
  throw error;
}

/**
 * Sends a stored file with the headers that `response` has: whole or in part (`Range`), or nothing when the client has
 * it (`If-None-Match`, `If-Modified-Since`). Behind nginx it only names the file, and nginx does all of this.
 * @param root directory of the file server, which nginx has, too; files outside of it are always sent from here
 * @throws GantryError not_found_error when it has gone
 */
export async function sendContent(response: Response, path: string, root: string): Promise<void> {
  const inside = relative(root, path);
  const isInside = inside !== '' && !inside.startsWith('..') && !isAbsolute(inside);
  if (isInside && response.req.get(offerHeader) === offer) {
    response.set(offer, internalPrefix + inside.split(sep).map(encodeURIComponent).join('/')).end();
    return;
  }
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) {
    throw new GantryError('not_found_error', 'The file was not found; it was removed meanwhile');
  }
  // made as nginx makes it, so that a client may ask either of them
  const seconds = Math.floor(found.mtimeMs / 1000);
  response.set('ETag', `"${seconds.toString(16)}-${found.size.toString(16)}"`);
  await stream(response, path, found.size);
}

/** Sends a stored file as a download. @param root directory of the file server @throws GantryError not_found_error */
export async function sendFile(
  response: Response,
  file: { path: string; fileName: string },
  { root }: { readonly root: string },
): Promise<Answer> {
  describe(response, file.fileName);
  await sendContent(response, file.path, root);
  return 'sent';
}
