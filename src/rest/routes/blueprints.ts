import type { Request } from 'express';
import type { Config } from '../../config/config.ts';
import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject, Plan } from '../../domain/plan.ts';
import type { ByteLimit } from '../../files/limit-bytes.ts';
import type { FileStore, ReceivedArchive } from '../../files/file-store.ts';
import { settableState } from '../../services/blueprint-update.ts';
import type { BlueprintChange } from '../../services/blueprint-update.ts';
import type { BlueprintService, BlueprintUpload } from '../../services/blueprints.ts';
import type { FilterService } from '../../services/filters.ts';
import type { TenantCaller } from '../../services/caller.ts';
import { checkIdentifier, visibilityFor } from '../../services/identifiers.ts';
import { parseLabels } from '../../services/labels.ts';
import { file, none, nothing, pageOf, single } from '../answer.ts';
import { isObject, readBody } from '../body.ts';
import { sendFile } from '../download.ts';
import { originOf } from '../origin.ts';
import { listAnswer, parseList, readBoolean } from '../query.ts';
import type { QueryValues } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import type { Answer, ApiCall, Route } from '../route.ts';
import { blueprintShape } from '../shapes/blueprint.ts';
import { neededFields, selectFields, shapeOne } from '../shapes/field.ts';
import { bodyStream, hasBody, isMultipart, readForm } from '../upload.ts';

const visibilitySchema = { type: 'object', required: ['visibility'], properties: { visibility: {} } };

/** The carriers of an upload, brought to one form. */
interface Upload {
  readonly parameters: Readonly<Record<string, Json | undefined>>;
  readonly archive: ReceivedArchive | undefined;
}

function queryParameters(query: QueryValues): Record<string, Json> {
  return Object.fromEntries(query.names().map((name) => [name, query.one(name) ?? null]));
}

async function readUpload(request: Request, query: QueryValues, files: FileStore, limit: ByteLimit): Promise<Upload> {
  if (isMultipart(request)) {
    const form = await readForm(request, 'blueprint_archive', (file) => files.receiveArchive(file, limit, 'Blueprint'));
    return { parameters: { ...queryParameters(query), ...form.parameters }, archive: form.received };
  }
  const parameters = queryParameters(query);
  const archive = hasBody(request) ? await files.receiveArchive(bodyStream(request), limit, 'Blueprint') : undefined;
  return { parameters, archive };
}

function text(parameters: Upload['parameters'], name: string): string | undefined {
  const value = parameters[name];
  if (value === undefined || value === null || value === '') {
    return undefined;
  }
  if (typeof value !== 'string') {
    throw new GantryError('bad_parameters_error', `${name} must be a text`);
  }
  return value;
}

/** The main file as its name; clients quote it for URLs once more. */
function mainFileName(parameters: Upload['parameters']): string | undefined {
  const name = text(parameters, 'application_file_name');
  if (name === undefined) {
    return undefined;
  }
  let decoded: string;
  try {
    decoded = decodeURIComponent(name);
  } catch {
    decoded = name;
  }
  if (decoded.startsWith('/') || decoded.split('/').includes('..')) {
    throw new GantryError(
      'bad_parameters_error',
      `application_file_name must be a path inside the archive: ${decoded}`,
    );
  }
  return decoded;
}

function carrierOf(upload: Upload): BlueprintUpload['archive'] {
  const url = text(upload.parameters, 'blueprint_archive_url');
  if (url !== undefined && upload.archive) {
    throw new GantryError(
      'bad_parameters_error',
      'Can pass blueprint as only one of: URL via query parameters, multi-form or chunked.',
    );
  }
  if (upload.archive) {
    return upload.archive;
  }
  if (url === undefined) {
    throw new GantryError('bad_parameters_error', 'The request has no blueprint archive and no blueprint_archive_url');
  }
  return { url };
}

function isTrue(value: Json | undefined, name: string): boolean | undefined {
  return value === undefined || value === null || value === '' ? undefined : readBoolean(value, name);
}

/** Whether the archive is only kept, since the plan is told afterwards. */
function isKeptOnly(parameters: Upload['parameters']): boolean {
  return isTrue(parameters['skip_execution'], 'skip_execution') ?? false;
}

/**
 * The state of a blueprint whose archive is only kept; an upload that runs sets its own.
 * @throws GantryError bad_parameters_error
 */
function keptState(parameters: Upload['parameters']): BlueprintUpload['state'] {
  const given = text(parameters, 'state');
  const state = given === undefined || !isKeptOnly(parameters) ? undefined : settableState(given);
  if (state === 'uploaded') {
    throw new GantryError(
      'bad_parameters_error',
      'state: a blueprint is `uploaded` when its plan is known; tell both with PATCH afterwards',
    );
  }
  return state;
}

/** Labels of an upload: a list in a form, its JSON text in the query. */
function labelsOf({ labels }: Upload['parameters']): BlueprintUpload['labels'] {
  if (labels === undefined || labels === null || labels === '') {
    return undefined;
  }
  if (typeof labels !== 'string') {
    return parseLabels(labels);
  }
  let list: Json;
  try {
    list = JSON.parse(labels) as Json;
  } catch {
    throw new GantryError('bad_parameters_error', 'labels must be a list as JSON text');
  }
  return parseLabels(list);
}

function uploadOf(caller: TenantCaller, id: string, upload: Upload, isValidation: boolean): BlueprintUpload {
  const { parameters } = upload;
  return {
    id,
    archive: carrierOf(upload),
    mainFileName: mainFileName(parameters),
    visibility: visibilityFor(caller, {
      visibility: text(parameters, 'visibility'),
      privateResource: isTrue(parameters['private_resource'], 'private_resource'),
    }),
    labels: labelsOf(parameters),
    isValidation,
    isKeptOnly: isKeptOnly(parameters) && !isValidation,
    state: keptState(parameters),
    origin: originOf(parameters),
  };
}

export interface BlueprintRouteDependencies {
  readonly config: Config;
  readonly blueprints: BlueprintService;
  readonly filters: FilterService;
  readonly files: FileStore;
}

function receiveBlueprint(dependencies: BlueprintRouteDependencies, isValidation: boolean) {
  const { blueprints, files } = dependencies;
  return async ({ tenantCaller, parameters, query, request, signal }: ApiCall): Promise<Answer> => {
    const id = parameters['blueprint_id'] ?? '';
    checkIdentifier('blueprint_id', id);
    await blueprints.requireFreeId(tenantCaller, id);
    const upload = await readUpload(request, query, files, await blueprints.room(tenantCaller));
    try {
      const stored = await blueprints.upload(tenantCaller, uploadOf(tenantCaller, id, upload, isValidation));
      const isAsync =
        isValidation ||
        isKeptOnly(upload.parameters) ||
        (isTrue(upload.parameters['async_upload'], 'async_upload') ?? false);
      const shown = isAsync ? stored : await blueprints.waitForUpload(tenantCaller, stored, signal);
      return created(shapeOne(blueprintShape, shown, query.include()));
    } finally {
      await upload.archive?.discard();
    }
  };
}

const maxIconBytes = 5 * 1024 * 1024;

const pluginsSchema = {
  type: 'array',
  items: {
    type: 'object',
    properties: { package_name: { type: ['string', 'null'] }, package_version: { type: ['string', 'null'] } },
  },
};

/** What everybody who reads a stored plan takes for granted. */
const planSchema = {
  type: ['object', 'null'],
  required: [
    ...['inputs', 'outputs', 'capabilities', 'nodes', 'workflows', 'groups', 'scaling_groups', 'imported_blueprints'],
    ...['deployment_plugins_to_install', 'workflow_plugins_to_install', 'host_agent_plugins_to_install'],
  ],
  properties: {
    inputs: { type: 'object', additionalProperties: { type: 'object' } },
    outputs: { type: 'object', additionalProperties: { type: 'object' } },
    capabilities: { type: 'object', additionalProperties: { type: 'object' } },
    nodes: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'type'],
        properties: { id: { type: 'string' }, type: { type: 'string' } },
      },
    },
    workflows: { type: 'object', additionalProperties: { type: 'object' } },
    groups: { type: 'object' },
    scaling_groups: { type: 'object' },
    imported_blueprints: { type: 'array', items: { type: 'string' } },
    deployment_plugins_to_install: pluginsSchema,
    workflow_plugins_to_install: pluginsSchema,
    host_agent_plugins_to_install: pluginsSchema,
  },
};

const changeSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    plan: planSchema,
    requirements: { type: ['object', 'null'] },
    description: { type: ['string', 'null'] },
    main_file_name: { type: ['string', 'null'] },
    visibility: { type: ['string', 'null'] },
    is_hidden: { type: ['boolean', 'null'] },
    state: { type: ['string', 'null'] },
    error: { type: ['string', 'null'] },
    error_traceback: { type: ['string', 'null'] },
    labels: { type: ['array', 'null'] },
    creator: { type: ['string', 'null'] },
    created_at: { type: ['string', 'null'] },
    upload_execution: { type: ['string', 'null'] },
  },
};

function changeOf(caller: TenantCaller, body: JsonObject): BlueprintChange {
  if (Object.keys(body).length === 0) {
    throw new GantryError(
      'illegal_action_error',
      'Update a blueprint request must include at least one parameter to update',
    );
  }
  const given = (name: string): string | undefined => (typeof body[name] === 'string' ? body[name] : undefined);
  const { labels } = body;
  const [state, visibility] = [given('state'), given('visibility')];
  return {
    plan: isObject(body['plan']) ? (body['plan'] as unknown as Plan) : undefined,
    requirements: isObject(body['requirements']) ? body['requirements'] : undefined,
    description: given('description'),
    mainFileName: given('main_file_name'),
    visibility: visibility === undefined ? undefined : visibilityFor(caller, { visibility }),
    isHidden: typeof body['is_hidden'] === 'boolean' ? body['is_hidden'] : undefined,
    state: state === undefined ? undefined : settableState(state),
    error: given('error'),
    errorTraceback: given('error_traceback'),
    labels: labels === undefined || labels === null ? undefined : parseLabels(labels),
    uploadExecutionId: given('upload_execution'),
    origin: originOf(body),
  };
}

/** Routes of `/blueprints`. */
export function blueprintRoutes(dependencies: BlueprintRouteDependencies): Route[] {
  const { blueprints, files } = dependencies;
  const idOf = ({ parameters }: ApiCall): string => parameters['blueprint_id'] ?? '';
  return [
    {
      method: 'get',
      path: '/blueprints',
      summary: 'List blueprints',
      access: { permission: 'blueprint_list', hasAllTenants: true },
      answer: pageOf(blueprintShape),
      handle: async (call) => {
        const { caller, query } = call;
        const filterId = query.one('_filter_id');
        const rules =
          filterId === undefined
            ? undefined
            : await dependencies.filters.rules(call.tenantCaller, 'blueprints', filterId);
        const options = { search: { _search: 'id' }, takesLabelSort: true };
        const parsed = parseList(query, blueprintShape, options, rules);
        const filters = { isHidden: ['false'], ...parsed.query.filters };
        const page = await blueprints.list(caller, { ...parsed.query, filters }, parsed.isAllTenants);
        return ok(listAnswer(parsed, page));
      },
    },
    {
      method: 'get',
      path: '/blueprints/:blueprint_id',
      summary: 'Get a blueprint',
      access: { permission: 'blueprint_get' },
      answer: single(blueprintShape),
      handle: async (call) => {
        const include = call.query.include();
        const fields = neededFields(selectFields(blueprintShape, include));
        const blueprint = await blueprints.get(call.tenantCaller, idOf(call), fields);
        return ok(shapeOne(blueprintShape, blueprint, include));
      },
    },
    {
      method: 'put',
      path: '/blueprints/:blueprint_id',
      summary: 'Upload a blueprint: a form, the archive itself, or the URL of an archive',
      access: { permission: 'blueprint_upload' },
      query: [
        ...['application_file_name', 'blueprint_archive_url', 'visibility', 'private_resource', 'async_upload'],
        ...['skip_execution', 'state', 'labels', 'created_at', 'created_by'],
      ],
      answer: single(blueprintShape),
      handle: receiveBlueprint(dependencies, false),
    },
    {
      method: 'put',
      path: '/blueprints/:blueprint_id/validate',
      summary: 'Validate a blueprint without storing it',
      access: { permission: 'blueprint_upload' },
      query: ['application_file_name', 'blueprint_archive_url', 'visibility'],
      answer: single(blueprintShape),
      handle: receiveBlueprint(dependencies, true),
    },
    {
      method: 'delete',
      path: '/blueprints/:blueprint_id',
      summary: 'Delete a blueprint',
      access: { permission: 'blueprint_delete' },
      query: ['force'],
      answer: nothing,
      handle: async (call) => {
        await blueprints.remove(call.tenantCaller, idOf(call), call.query.switch('force'));
        return noContent;
      },
    },
    {
      method: 'get',
      path: '/blueprints/:blueprint_id/archive',
      summary: 'Download the archive of a blueprint',
      access: { permission: 'blueprint_download' },
      answer: file(),
      handle: async (call) => sendFile(call.response, await blueprints.archive(call.tenantCaller, idOf(call)), files),
    },
    {
      method: 'put',
      path: '/blueprints/:blueprint_id/archive',
      summary: 'Store the archive of an upload in progress',
      access: { permission: 'blueprint_upload' },
      answer: none,
      handle: async (call) => {
        const limit = await blueprints.room(call.tenantCaller);
        const archive = await files.receiveArchive(bodyStream(call.request), limit, 'Blueprint');
        await blueprints.replaceArchive(call.tenantCaller, idOf(call), archive).finally(() => archive.discard());
        return ok();
      },
    },
    {
      method: 'patch',
      path: '/blueprints/:blueprint_id',
      summary: 'Change a blueprint, such as its labels',
      access: { permission: 'blueprint_upload' },
      body: changeSchema,
      answer: single(blueprintShape),
      handle: async (call) => {
        const change = changeOf(call.tenantCaller, call.body as JsonObject);
        const blueprint = await blueprints.change(call.tenantCaller, idOf(call), change);
        return ok(shapeOne(blueprintShape, blueprint, call.query.include()));
      },
    },
    {
      method: 'patch',
      path: '/blueprints/:blueprint_id/icon',
      summary: 'Set or remove the icon of a blueprint',
      access: { permission: 'blueprint_upload' },
      answer: single(blueprintShape),
      handle: async (call) => {
        const icon = await readBody(call.request, maxIconBytes);
        const blueprint = await blueprints.setIcon(call.tenantCaller, idOf(call), icon);
        return ok(shapeOne(blueprintShape, blueprint, call.query.include()));
      },
    },
    {
      method: 'patch',
      path: '/blueprints/:blueprint_id/set-visibility',
      summary: 'Widen the visibility of a blueprint',
      access: { permission: 'resource_set_visibility' },
      body: visibilitySchema,
      answer: single(blueprintShape),
      handle: async (call) => {
        const { visibility } = call.body as JsonObject;
        const blueprint = await blueprints.setVisibility(call.tenantCaller, idOf(call), visibility);
        return ok(shapeOne(blueprintShape, blueprint, call.query.include()));
      },
    },
  ];
}
