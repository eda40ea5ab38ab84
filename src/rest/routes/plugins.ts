import type { Config } from '../../config/config.ts';
import type { Plugin } from '../../domain/entities.ts';
import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { FileStore } from '../../files/file-store.ts';
import { visibilityFor } from '../../services/identifiers.ts';
import type { PluginService } from '../../services/plugins.ts';
import { textMember } from '../body.ts';
import { sendFile } from '../download.ts';
import { listAnswer, parseList } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import { pluginShape } from '../shapes/plugin.ts';
import type { PluginView } from '../shapes/plugin.ts';
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

async function upload({ config, plugins, files }: PluginRouteDependencies, call: ApiCall): Promise<Plugin> {
  const { query, request, tenantCaller } = call;
  const url = query.one('plugin_archive_url');
  if (url === undefined && !hasBody(request)) {
    throw new GantryError('bad_parameters_error', 'The request has no plugin archive and no plugin_archive_url');
  }
  const visibility = visibilityFor(tenantCaller, { visibility: query.one('visibility') });
  const archive =
    url === undefined
      ? await files.receiveArchive(bodyStream(request), config.http.maxUploadBytes, 'Plugin')
      : await plugins.fetch(url, call.signal);
  try {
    return await plugins.upload(tenantCaller, { archive, visibility, title: query.one('title') });
  } finally {
    await archive.discard();
  }
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
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, pluginShape, { search: { _search: 'packageName' } });
        const page = await plugins.list(caller, parsed.query, parsed.isAllTenants);
        return ok(listAnswer(parsed, { ...page, items: await withYaml(plugins, page.items) }));
      },
    },
    {
      method: 'post',
      path: '/plugins',
      summary: 'Upload a plugin: an archive, or one with its YAML files',
      access: { permission: 'plugin_upload' },
      query: ['visibility', 'title', 'plugin_archive_url'],
      handle: async (call) => created(await show(plugins, await upload(dependencies, call), call)),
    },
    {
      method: 'get',
      path: '/plugins/:plugin_id',
      summary: 'Get a plugin',
      access: { permission: 'plugin_get' },
      handle: async (call) => ok(await show(plugins, await plugins.get(call.tenantCaller, idOf(call)), call)),
    },
    {
      method: 'put',
      path: '/plugins/:plugin_id',
      summary: 'Report the state of a plugin on a manager or agent',
      access: { permission: 'plugin_upload', isOpenToExecutions: true },
      body: stateSchema,
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
      method: 'get',
      path: '/plugins/:plugin_id/archive',
      summary: 'Download the archive of a plugin',
      access: { permission: 'plugin_download' },
      handle: async (call) => sendFile(call.response, await plugins.archive(call.tenantCaller, idOf(call))),
    },
    {
      method: 'patch',
      path: '/plugins/:plugin_id/set-visibility',
      summary: 'Widen who sees a plugin',
      access: { permission: 'resource_set_visibility' },
      body: visibilitySchema,
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
      handle: async (call) => {
        await plugins.remove(call.tenantCaller, idOf(call), (call.body as JsonObject)['force'] === true);
        return noContent;
      },
    },
  ];
}
