import type { ArchiveStatus, StoredArchive } from '../../domain/cluster.ts';
import { GantryError } from '../../domain/errors.ts';
import type { Permission } from '../../domain/permissions.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { FileStore } from '../../files/file-store.ts';
import type { ArchiveService } from '../../services/archives.ts';
import { file, none, pageOf, single } from '../answer.ts';
import { sendFile } from '../download.ts';
import { listAnswer, parseList } from '../query.ts';
import { created, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { logBundleShape, snapshotShape } from '../shapes/archive.ts';
import { executionShape } from '../shapes/execution.ts';
import { shapeOne } from '../shapes/field.ts';
import type { Shape } from '../shapes/field.ts';
import { bodyStream, hasBody } from '../upload.ts';

const flag = { type: ['boolean', 'null'] };
const createSchema = {
  type: 'object',
  properties: { include_credentials: flag, include_logs: flag, include_events: flag, queue: flag },
};
const statusSchema = {
  type: 'object',
  required: ['status'],
  properties: {
    status: { enum: ['creating', 'created', 'failed', 'uploaded'] },
    error: { type: ['string', 'null'] },
  },
};
const restoreSchema = {
  type: 'object',
  required: ['force'],
  properties: {
    force: { type: 'boolean' },
    restore_certificates: flag,
    no_reboot: flag,
    timeout: { type: ['integer', 'null'], minimum: 0 },
  },
};

interface Collection {
  readonly path: '/snapshots' | '/log-bundles';
  readonly what: string;
  readonly idName: 'snapshot_id' | 'log_bundle_id';
  readonly permission: (action: 'list' | 'get' | 'create' | 'delete' | 'status_update' | 'download') => Permission;
  readonly shape: Shape<StoredArchive>;
  readonly archives: ArchiveService;
  readonly files: FileStore;
}

function idOf({ idName }: Collection): (call: ApiCall) => string {
  return ({ parameters }) => parameters[idName] ?? '';
}

function readingRoutes(collection: Collection): Route[] {
  const { path, what, idName, permission, shape, archives, files } = collection;
  const id = idOf(collection);
  return [
    {
      method: 'get',
      path,
      summary: `List ${what}s`,
      access: { permission: permission('list'), hasAllTenants: true },
      isMaintenance: true,
      answer: pageOf(shape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, shape, { search: { _search: 'id' } });
        return ok(listAnswer(parsed, await archives.list(caller, parsed.query, parsed.isAllTenants)));
      },
    },
    {
      method: 'get',
      path: `${path}/:${idName}`,
      summary: `Get a ${what}`,
      access: { permission: permission('get') },
      isMaintenance: true,
      answer: single(shape),
      handle: async (call) =>
        ok(shapeOne(shape, await archives.get(call.tenantCaller, id(call)), call.query.include())),
    },
    {
      method: 'get',
      path: `${path}/:${idName}/archive`,
      summary: `Download a ${what}`,
      access: { permission: permission('download') },
      isMaintenance: true,
      answer: file('application/zip'),
      handle: async (call) => sendFile(call.response, await archives.file(call.tenantCaller, id(call)), files),
    },
  ];
}

function writingRoutes(collection: Collection): Route[] {
  const { path, what, idName, permission, shape, archives } = collection;
  const id = idOf(collection);
  return [
    {
      method: 'put',
      path: `${path}/:${idName}`,
      summary: `Create a ${what}`,
      access: { permission: permission('create') },
      isMaintenance: true,
      body: createSchema,
      isBodyOptional: true,
      answer: single(executionShape),
      handle: async (call) => {
        const { queue, ...body } = call.body as JsonObject;
        const names = ['include_credentials', 'include_logs', 'include_events'];
        const parameters = Object.fromEntries(names.map((name) => [name, body[name] !== false]));
        const given = path === '/snapshots' ? parameters : {};
        const execution = await archives.create(call.tenantCaller, id(call), given, queue === true);
        return created(shapeOne(executionShape, execution));
      },
    },
    {
      method: 'patch',
      path: `${path}/:${idName}`,
      summary: `Report the status of a ${what}`,
      access: { permission: permission('status_update') },
      isMaintenance: true,
      body: statusSchema,
      answer: none,
      handle: async (call) => {
        const { status, error } = call.body as { status: ArchiveStatus; error?: string | null };
        await archives.setStatus(call.tenantCaller, id(call), status, error ?? undefined);
        return ok();
      },
    },
    {
      method: 'delete',
      path: `${path}/:${idName}`,
      summary: `Delete a ${what}`,
      access: { permission: permission('delete') },
      isMaintenance: true,
      answer: single(shape),
      handle: async (call) => ok(shapeOne(shape, await archives.remove(call.tenantCaller, id(call)))),
    },
  ];
}

async function upload({ what, idName, archives }: Collection, files: FileStore, call: ApiCall): Promise<StoredArchive> {
  const { request, query, parameters, signal } = call;
  const title = `${what.charAt(0).toUpperCase()}${what.slice(1)}`;
  const url = idName === 'snapshot_id' ? query.one('snapshot_archive_url') : undefined;
  const id = parameters[idName] ?? '';
  if (url !== undefined && hasBody(request)) {
    throw new GantryError('bad_parameters_error', 'Send an archive or name a URL, not both');
  }
  const received =
    url === undefined
      ? await files.receiveArchive(bodyStream(request), await archives.room(call.tenantCaller, id), title)
      : await archives.fetch(call.tenantCaller, id, url, signal);
  try {
    if (received.format !== 'zip') {
      throw new GantryError('bad_parameters_error', `A ${what} is a zip archive, this is ${received.format}`);
    }
    return await archives.upload(call.tenantCaller, id, received);
  } finally {
    await received.discard();
  }
}

function uploadRoute(collection: Collection, files: FileStore): Route {
  const { path, what, idName, permission, shape } = collection;
  const isSnapshot = path === '/snapshots';
  return {
    method: 'put',
    path: `${path}/:${idName}/archive`,
    summary: `Upload a ${what}`,
    access: { permission: isSnapshot ? 'snapshot_upload' : permission('create') },
    ...(isSnapshot ? { query: ['snapshot_archive_url'] } : {}),
    isMaintenance: true,
    answer: single(shape),
    handle: async (call) => created(shapeOne(shape, await upload(collection, files, call))),
  };
}

/** Routes of `/snapshots`, apart from those that log bundles have, too. */
function snapshotRoutes(snapshots: ArchiveService): Route[] {
  return [
    {
      method: 'post',
      path: '/snapshots/:snapshot_id/restore',
      summary: 'Restore a snapshot: replaces all data by that of the snapshot',
      access: { permission: 'snapshot_restore' },
      body: restoreSchema,
      isMaintenance: true,
      answer: single(executionShape),
      handle: async (call) => {
        const body = call.body as { force: boolean; restore_certificates?: boolean | null } & JsonObject;
        if (body['no_reboot'] === true && body.restore_certificates !== true) {
          throw new GantryError(
            'bad_parameters_error',
            '`no_reboot` is only relevant when `restore_certificates` is used',
          );
        }
        if (body.restore_certificates === true) {
          throw new GantryError(
            'snapshot_action_error',
            'Snapshots contain no certificates; those belong to the proxy in front of the manager',
          );
        }
        const timeout = typeof body['timeout'] === 'number' ? body['timeout'] : 300;
        const id = call.parameters['snapshot_id'] ?? '';
        const execution = await snapshots.restore(call.tenantCaller, id, { force: body.force, timeout });
        return ok(shapeOne(executionShape, execution));
      },
    },
  ];
}

/** Routes of `/snapshots` and `/log-bundles`. */
export function archiveRoutes(services: {
  snapshots: ArchiveService;
  logBundles: ArchiveService;
  files: FileStore;
}): Route[] {
  const snapshots: Collection = {
    path: '/snapshots',
    what: 'snapshot',
    idName: 'snapshot_id',
    permission: (action) => `snapshot_${action}`,
    shape: snapshotShape,
    archives: services.snapshots,
    files: services.files,
  };
  const bundles: Collection = {
    path: '/log-bundles',
    what: 'log bundle',
    idName: 'log_bundle_id',
    permission: (action) => `log_bundle_${action}`,
    shape: logBundleShape,
    archives: services.logBundles,
    files: services.files,
  };
  return [
    ...[snapshots, bundles].flatMap((collection) => [
      ...readingRoutes(collection),
      ...writingRoutes(collection),
      uploadRoute(collection, services.files),
    ]),
    ...snapshotRoutes(services.snapshots),
  ];
}
