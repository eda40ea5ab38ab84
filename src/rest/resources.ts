import { basename, extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Express, Request, RequestHandler, Response } from 'express';
import mime from 'mime';
import { GantryError } from '../domain/errors.ts';
import type { ClientFiles, PlacedFile, ReceivedFile } from '../files/client-files.ts';
import type { FileStore } from '../files/file-store.ts';
import type { StorageGate } from '../files/limit-bytes.ts';
import { indexOf, packDirectory, writeIndex } from '../files/pack.ts';
import { parseResourcePath } from '../files/resource-path.ts';
import type { ResourcePath } from '../files/resource-path.ts';
import type { AuthorizationService } from '../services/authorization.ts';
import type { Caller } from '../services/caller.ts';
import type { ResourceService } from '../services/resources.ts';
import type { TenantQuotaService } from '../services/tenant-quotas.ts';
import { credentialsOf } from './credentials.ts';
import { sendContent } from './download.ts';
import { QueryValues } from './query.ts';
import { readTime } from '../domain/read-time.ts';
import { bodyStream, isMultipart, readFiles } from './upload.ts';
import type { FileForm } from './upload.ts';

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

async function admit(
  { authorization }: ResourceServices,
  request: Request,
  isAllowedInMaintenance: boolean,
): Promise<Caller> {
  return authorization.admit({
    credentials: credentialsOf(request),
    tenantName: request.get('tenant'),
    access: { tenant: 'optional', isAllTenants: false },
    maintenance: {
      isAllowed: isAllowedInMaintenance,
      isBypassed: request.get('x-bypass-maintenance') !== undefined,
      isChange: request.method !== 'GET' && request.method !== 'HEAD',
    },
  });
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
  const caller = await admit(services, request, true);
  await services.resources.requireReadable(caller, path);
}

async function sendDirectory(
  response: Response,
  { path, isIndexed }: { path: string; isIndexed: boolean },
  query: QueryValues,
): Promise<void> {
  if (query.has('archive')) {
    if (isIndexed) {
      await writeIndex(path);
    }
    response.status(200).set({
      'Content-Type': 'application/gzip',
      'Content-Disposition': 'attachment; filename="archive.tar.gz"',
    });
    await pipeline(packDirectory(path), response);
    return;
  }
  response.status(200).json(await indexOf(path));
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
    await sendDirectory(response, { path: found.path, isIndexed: path.parts[0] === 'deployments' }, query);
    return;
  }
  const type = mime.getType(extname(found.path)) ?? 'application/octet-stream';
  response.status(200).set({
    // never a type that a browser would run as a page of this host
    'Content-Type': /html|svg|xml|javascript/.test(type) ? 'text/plain; charset=utf-8' : type,
    'Cache-Control': 'no-cache',
  });
  await sendContent(response, found.path, files.root);
}

/** The form field that clients send the time of a file in. */
const timeField = 'mtime';

/** Writes what a request brings to the file it names, or unpacks it there. @throws GantryError */
async function putResource(services: WritableResources, path: ResourcePath, call: WriteCall): Promise<void> {
  const { clientFiles, files } = services;
  const { request, query, gate } = call;
  if (query.has('extract')) {
    const archive = await files.receiveArchive(bodyStream(request), gate.limit(), 'File');
    await clientFiles.extract(path, archive, gate).finally(() => archive.discard());
    return;
  }
  if (!isMultipart(request)) {
    await clientFiles.write(path, bodyStream(request), gate);
    return;
  }
  await withForm(
    services,
    call,
    () => path,
    async ({ fields, received }) => {
      const [first] = received;
      if (!first || received.length > 1) {
        throw new GantryError('bad_parameters_error', 'The form must have exactly one file');
      }
      const time = fields.get(timeField);
      const modifiedAt = time === undefined ? undefined : readTime(time, timeField);
      await clientFiles.place([first], gate, modifiedAt);
    },
  );
}

/** Takes in all files of a form before anything is done with one, and leaves none of them behind. */
async function withForm(
  { clientFiles }: WritableResources,
  { request, gate }: WriteCall,
  pathOf: (name: string) => ResourcePath,
  work: (form: FileForm<PlacedFile>) => Promise<void>,
): Promise<void> {
  const arrived: ReceivedFile[] = [];
  try {
    const form = await readFiles(request, [timeField], async (name, content) => {
      const path = pathOf(name);
      const received = await clientFiles.receive(path, content, gate);
      arrived.push(received);
      return { path, received };
    });
    await work(form);
  } finally {
    await Promise.all(arrived.map((file) => file.discard()));
  }
}

/** Writes the files of a form below the directory a request names. @throws GantryError upload_missing_file */
async function postResources(services: WritableResources, path: ResourcePath, call: WriteCall): Promise<void> {
  const missing = new GantryError('upload_missing_file', 'The request is not a form with files');
  if (!isMultipart(call.request)) {
    throw missing;
  }
  const pathOf = (name: string): ResourcePath =>
    parseResourcePath(`${path.parts.join('/')}/${encodeURIComponent(basename(name))}`);
  await withForm(services, call, pathOf, async ({ received }) => {
    if (received.length === 0) {
      throw missing;
    }
    await services.clientFiles.place(received, call.gate);
  });
}

interface WriteRequest {
  readonly request: Request;
  readonly query: QueryValues;
}

interface WriteCall extends WriteRequest {
  readonly gate: StorageGate;
}

/** What writing files needs. */
export interface WritableResources extends ResourceServices {
  readonly clientFiles: ClientFiles;
  readonly quotas: Pick<TenantQuotaService, 'gate'>;
  readonly maxUploadBytes: number;
}

/** Does what a request asks for with the file that `path` names. @returns the body of the answer */
export async function changeResource(
  services: WritableResources,
  path: ResourcePath,
  { request, query }: WriteRequest,
): Promise<'' | null> {
  const caller = await admit(services, request, false);
  const tenant = await services.resources.requireWritable(caller, path);
  if (request.method === 'DELETE') {
    await services.clientFiles.remove(path);
    return null;
  }
  const gate = await services.quotas.gate(tenant, services.maxUploadBytes);
  await (request.method === 'PUT' ? putResource : postResources)(services, path, { request, query, gate });
  return '';
}

/** The path that a URL names behind `prefix`. */
export function resourcePathOf(request: Request, prefix: string): ResourcePath {
  const uri = request.originalUrl;
  return parseResourcePath(uri.slice(uri.indexOf(prefix) + prefix.length));
}

function queryOf(request: Request): QueryValues {
  const mark = request.originalUrl.indexOf('?');
  return new QueryValues(mark < 0 ? '' : request.originalUrl.slice(mark + 1));
}

/** Serves the file server's tree below `/resources/`: all of it without nginx in front, what nginx leaves over with it. */
export function mountResources(app: Express, services: WritableResources): void {
  app.get(`${resourcesPrefix}*path`, async (request, response) => {
    const path = resourcePathOf(request, resourcesPrefix);
    await authoriseResource(services, request, path);
    await sendResource(services.files, path, queryOf(request), response);
  });
  const change: RequestHandler = async (request, response) => {
    const path = resourcePathOf(request, resourcesPrefix);
    response.json(await changeResource(services, path, { request, query: queryOf(request) }));
  };
  app.put(`${resourcesPrefix}*path`, change);
  app.post(`${resourcesPrefix}*path`, change);
  app.delete(`${resourcesPrefix}*path`, change);
}
