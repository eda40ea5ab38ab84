import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Express, Request, Response } from 'express';
import mime from 'mime';
import { GantryError } from '../domain/errors.ts';
import type { FileStore } from '../files/file-store.ts';
import { listFiles, packDirectory } from '../files/pack.ts';
import { parseResourcePath } from '../files/resource-path.ts';
import type { ResourcePath } from '../files/resource-path.ts';
import type { AuthorizationService } from '../services/authorization.ts';
import type { ResourceService } from '../services/resources.ts';
import { credentialsOf } from './credentials.ts';
import { QueryValues } from './query.ts';

export const resourcesPrefix = '/resources/';

export interface ResourceServices {
  readonly authorization: AuthorizationService;
  readonly resources: ResourceService;
  readonly files: FileStore;
}

/** Whoever asks for a file of the agent's installation has no account yet. */
function isOpen(path: ResourcePath): boolean {
  return path.parts[0] === 'cloudify_agent';
}

/** Checks that the sender of `request` may read `path`. @throws GantryError unauthorized_error, forbidden_error */
export async function authoriseResource(
  services: ResourceServices,
  request: Request,
  path: ResourcePath,
): Promise<void> {
  if (isOpen(path)) {
    return;
  }
  const caller = await services.authorization.admit({
    credentials: credentialsOf(request),
    tenantName: request.get('tenant'),
    access: { tenant: 'optional', isAllTenants: false },
    maintenance: { isAllowed: true, isBypassed: false },
  });
  await services.resources.requireReadable(caller, path);
}

async function sendDirectory(response: Response, path: string, query: QueryValues): Promise<void> {
  if (query.has('archive')) {
    response.status(200).set({
      'Content-Type': 'application/gzip',
      'Content-Disposition': 'attachment; filename="archive.tar.gz"',
    });
    await pipeline(packDirectory(path), response);
    return;
  }
  const files = await listFiles(path);
  response.status(200).json(Object.fromEntries([...files].map(([name, time]) => [name, time.toISOString()])));
}

/** Sends a file or directory that `path` names. @throws GantryError not_found_error */
export async function sendResource(
  files: FileStore,
  path: ResourcePath,
  query: QueryValues,
  response: Response,
): Promise<void> {
  const found = await files.find(path.parts);
  if (!found || (found.isDirectory && !path.isDirectory)) {
    throw new GantryError('not_found_error', `The file /${path.parts.join('/')} was not found`);
  }
  if (found.isDirectory) {
    await sendDirectory(response, found.path, query);
    return;
  }
  const type = mime.getType(extname(found.path)) ?? 'application/octet-stream';
  response.status(200).set({
    // never a type that a browser would run as a page of this host
    'Content-Type': /html|svg|xml|javascript/.test(type) ? 'text/plain; charset=utf-8' : type,
    'Content-Length': String(found.bytes),
    'Cache-Control': 'no-cache',
  });
  await pipeline(createReadStream(found.path), response);
}

function pathOf(request: Request): ResourcePath {
  const uri = request.originalUrl;
  return parseResourcePath(uri.slice(uri.indexOf(resourcesPrefix) + resourcesPrefix.length));
}

/** Serves the file server's tree below `/resources/` for installations without nginx in front. */
export function mountResources(app: Express, services: ResourceServices): void {
  app.get(`${resourcesPrefix}*path`, async (request, response) => {
    const path = pathOf(request);
    await authoriseResource(services, request, path);
    const mark = request.originalUrl.indexOf('?');
    const query = new QueryValues(mark < 0 ? '' : request.originalUrl.slice(mark + 1));
    await sendResource(services.files, path, query, response);
  });
}
