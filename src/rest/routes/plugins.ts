import type { Config } from '../../config/config.ts';
import type { Plugin } from '../../domain/entities.ts';
import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import type { FileStore } from '../../files/file-store.ts';
import { checkIdentifier, visibilityFor } from '../../services/identifiers.ts';
import type { PluginTargets } from '../../services/plugin-installation.ts';
import type { PluginChange, PluginService, UploadedPlugins } from '../../services/plugins.ts';
import { file, json, nothing, pageOf, schemaOfShape, single } from '../answer.ts';
import { isObject, textMember } from '../body.ts';
import { sendFile, sendStream } from '../download.ts';
import { envelope, listAnswer, parseList } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { project, selectFields, shapeOne } from '../shapes/field.ts';
import { pluginShape } from '../shapes/plugin.ts';
import type { PluginView } from '../shapes/plugin.ts';
import { readTime } from '../../domain/read-time.ts';
import { bodyStream, hasBody } from '../upload.ts';

const visibilitySchema = { type: 'object', required: ['visibility'], properties: { visibility: {} } };
const deleteSchema = { type: 'object', properties: { force: { type: ['boolean', 'null'] } } };

const stateSchema = {
  type: 'object',
  required: ['state'],
  properties: {
    state: { type: 'string' },
    manager: { type: ['string', 'null'] },
    agent: { type: ['string', 'null'] },
    error: { type: ['string', 'null'] },
  },
};

const names = { type: ['array', 'null'], items: { type: 'string' }, maxItems: 10_000 };
const installSchema = {
  type: 'object',
  required: ['action'],
  properties: { action: { type: 'string' }, managers: names, agents: names },
};
const labels = { type: ['object', 'null'], additionalProperties: { type: 'array', items: { type: 'string' } } };
const changeSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    creator: { type: ['string', 'null'] },
    title: { type: ['string', 'null'] },
    blueprint_labels: labels,
    labels,
    resource_tags: { type: ['object', 'null'] },
  },
};

export interface PluginRouteDependencies {
  readonly config: Config;
  readonly plugins: PluginService;
  readonly files: FileStore;
}

async function withYaml(plugins: PluginService, items: readonly Plugin[]): Promise<PluginView[]> {
  const paths = await plugins.yamlPaths(items);
  return items.map((item) => ({ ...item, yamlPaths: paths.get(item.id) ?? [] }));
}

async function show(plugins: PluginService, plugin: Plugin, call: ApiCall): Promise<Record<string, unknown>> {
  const [view] = await withYaml(plugins, [plugin]);
  return shapeOne(pluginShape, view ?? { ...plugin, yamlPaths: [] }, call.query.include());
}

function timeOf(text: string | undefined, name: string): Date | undefined {
  return text === undefined ? undefined : readTime(text, name);
}

async function upload({ plugins, files }: PluginRouteDependencies, call: ApiCall): Promise<UploadedPlugins> {
  const { query, request, tenantCaller } = call;
  const url = query.one('plugin_archive_url');
  if (url === undefined && !hasBody(request)) {
    throw new GantryError('bad_parameters_error', 'The request has no plugin archive and no plugin_archive_url');
  }
  const id = query.one('id');
  if (id !== undefined) {
    checkIdentifier('id', id, { mayStartWithDigit: true });
  }
  const title = query.one('title');
  const visibility = visibilityFor(tenantCaller, { visibility: query.one('visibility') });
  const origin = {
    creator: query.one('created_by'),
    createdAt: timeOf(query.one('uploaded_at'), 'uploaded_at'),
  };
  const archive =
    url === undefined
      ? await files.receiveArchive(bodyStream(request), await plugins.room(tenantCaller), 'Plugin')
      : await plugins.fetch(tenantCaller, url, call.signal);
  try {
    return await plugins.upload(tenantCaller, { archive, visibility, title, id, origin });
  } finally {
    await archive.discard();
  }
}

/** One plugin as an object, a caravan as a list. */
async function showUploaded(
  plugins: PluginService,
  { plugins: items, isCaravan }: UploadedPlugins,
  call: ApiCall,
): Promise<unknown> {
  const [first] = items;
  if (!isCaravan && first) {
    return show(plugins, first, call);
  }
  const fields = selectFields(pluginShape, call.query.include());
  const views = await withYaml(plugins, items);
  return envelope(
    views.map((view) => project(fields, view)),
    { total: items.length, size: items.length, offset: 0 },
  );
}

/** Version of the blueprint language as clients write it: `1_4` or `cloudify_dsl_1_4`. */
function languageVersionOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') {
    return undefined;
  }
  const version = /^(?:cloudify_dsl_)?(\d{1,3}_\d{1,3})$/.exec(text)?.[1];
  if (version === undefined) {
    throw new GantryError('bad_parameters_error', `dsl_version must be like \`1_4\`, got \`${text}\``);
  }
  return version;
}

function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Where a plugin is to be installed. @throws GantryError unknown_action, bad_parameters_error */
function targetsOf(body: JsonObject): PluginTargets {
  const action = textMember(body, 'action');
  if (action !== 'install') {
    throw new GantryError('unknown_action', `Invalid action: ${action}. The only action is \`install\``);
  }
  const targets = { managers: texts(body['managers']), agents: texts(body['agents']) };
  if (targets.managers.length + targets.agents.length === 0) {
    throw new GantryError('bad_parameters_error', 'Name managers or agents to install the plugin on');
  }
  return targets;
}

function changeOf(body: JsonObject): PluginChange {
  const object = (name: string): JsonObject | undefined => (isObject(body[name]) ? body[name] : undefined);
  return {
    creator: typeof body['creator'] === 'string' ? body['creator'] : undefined,
    title: typeof body['title'] === 'string' ? body['title'] : undefined,
    blueprintLabels: object('blueprint_labels'),
    labels: object('labels'),
    resourceTags: object('resource_tags'),
  };
}

/** Routes that hand out what a plugin is made of. */
function fileRoutes({ plugins, files }: PluginRouteDependencies, idOf: (call: ApiCall) => string): Route[] {
  return [
    {
      method: 'get',
      path: '/plugins/:plugin_id/archive',
      summary: 'Download the archive of a plugin, or everything that was uploaded',
      access: { permission: 'plugin_download' },
      query: ['full_archive'],
      answer: file(),
      handle: async (call) =>
        call.query.switch('full_archive')
          ? sendStream(call.response, await plugins.fullArchive(call.tenantCaller, idOf(call)))
          : sendFile(call.response, await plugins.archive(call.tenantCaller, idOf(call)), files),
    },
    {
      method: 'get',
      path: '/plugins/:plugin_id/yaml',
      summary: 'Download the YAML file of a plugin for a version of the blueprint language',
      access: { permission: 'plugin_download' },
      query: ['dsl_version'],
      answer: file(),
      handle: async (call) => {
        const version = languageVersionOf(call.query.one('dsl_version'));
        return sendFile(call.response, await plugins.yaml(call.tenantCaller, idOf(call), version), files);
      },
    },
  ];
}

/** Routes that change a plugin that is there. */
function changeRoutes(plugins: PluginService, idOf: (call: ApiCall) => string): Route[] {
  return [
    {
      method: 'post',
      path: '/plugins/:plugin_id',
      summary: 'Install a plugin on managers and agents',
      access: { permission: 'plugin_upload' },
      body: installSchema,
      answer: single(pluginShape),
      handle: async (call) => {
        const targets = targetsOf(call.body as JsonObject);
        return ok(await show(plugins, await plugins.install(call.tenantCaller, idOf(call), targets), call));
      },
    },
    {
      method: 'patch',
      path: '/plugins/:plugin_id',
      summary: 'Change the owner or the labels of a plugin',
      access: { permission: 'plugin_upload' },
      body: changeSchema,
      answer: single(pluginShape),
      handle: async (call) => {
        const change = changeOf(call.body as JsonObject);
        return ok(await show(plugins, await plugins.update(call.tenantCaller, idOf(call), change), call));
      },
    },
    {
      method: 'put',
      path: '/plugins/:plugin_id',
      summary: 'Report the state of a plugin on a manager or agent',
      access: { permission: 'plugin_upload', isOpenToExecutions: true },
      body: stateSchema,
      answer: single(pluginShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const given = (name: string): string | undefined => {
          const value = body[name];
          return typeof value === 'string' && value !== '' ? value : undefined;
        };
        const plugin = await plugins.setState(call.tenantCaller, idOf(call), {
          manager: given('manager'),
          agent: given('agent'),
          state: textMember(body, 'state'),
          error: given('error'),
        });
        return ok(await show(plugins, plugin, call));
      },
    },
    {
      method: 'patch',
      path: '/plugins/:plugin_id/set-visibility',
      summary: 'Widen the visibility of a plugin',
      access: { permission: 'resource_set_visibility' },
      body: visibilitySchema,
      answer: single(pluginShape),
      handle: async (call) => {
        const { visibility } = call.body as JsonObject;
        return ok(await show(plugins, await plugins.setVisibility(call.tenantCaller, idOf(call), visibility), call));
      },
    },
    {
      method: 'delete',
      path: '/plugins/:plugin_id',
      summary: 'Delete a plugin',
      access: { permission: 'plugin_delete' },
      body: deleteSchema,
      isBodyOptional: true,
      answer: nothing,
      handle: async (call) => {
        await plugins.remove(call.tenantCaller, idOf(call), (call.body as JsonObject)['force'] === true);
        return noContent;
      },
    },
  ];
}

/** Routes of `/plugins`. */
export function pluginRoutes(dependencies: PluginRouteDependencies): Route[] {
  const { plugins } = dependencies;
  const idOf = ({ parameters }: ApiCall): string => parameters['plugin_id'] ?? '';
  return [
    {
      method: 'get',
      path: '/plugins',
      summary: 'List plugins',
      access: { permission: 'plugin_list', hasAllTenants: true },
      answer: pageOf(pluginShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, pluginShape, { search: { _search: 'packageName' } });
        const page = await plugins.list(caller, parsed.query, parsed.isAllTenants);
        return ok(listAnswer(parsed, { ...page, items: await withYaml(plugins, page.items) }));
      },
    },
    {
      method: 'post',
      path: '/plugins',
      summary: 'Upload a plugin: an archive, one with its YAML files, or a caravan of several',
      access: { permission: 'plugin_upload' },
      query: ['visibility', 'title', 'plugin_archive_url', 'id', 'uploaded_at', 'created_by'],
      answer: json({ anyOf: [schemaOfShape(pluginShape), pageOf(pluginShape).schema] }),
      handle: async (call) => created(await showUploaded(plugins, await upload(dependencies, call), call)),
    },
    {
      method: 'get',
      path: '/plugins/:plugin_id',
      summary: 'Get a plugin',
      access: { permission: 'plugin_get' },
      answer: single(pluginShape),
      handle: async (call) => ok(await show(plugins, await plugins.get(call.tenantCaller, idOf(call)), call)),
    },
    ...fileRoutes(dependencies, idOf),
    ...changeRoutes(plugins, idOf),
  ];
}
