import type { JsonObject } from '../../domain/plan.ts';
import type { PluginService } from '../../services/plugins.ts';
import { listAnswer, parseList } from '../query.ts';
import { noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import { pluginShape } from '../shapes/plugin.ts';

const visibilitySchema = { type: 'object', required: ['visibility'], properties: { visibility: {} } };
const deleteSchema = { type: 'object', properties: { force: { type: ['boolean', 'null'] } } };

/** Routes of `/plugins`. */
export function pluginRoutes(plugins: PluginService): Route[] {
  const idOf = ({ parameters }: ApiCall): string => parameters['plugin_id'] ?? '';
  return [
    {
      method: 'get',
      path: '/plugins',
      summary: 'List plugins',
      access: { permission: 'plugin_list', hasAllTenants: true },
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, pluginShape, { search: { _search: 'packageName' } });
        return ok(listAnswer(parsed, await plugins.list(caller, parsed.query, parsed.isAllTenants)));
      },
    },
    {
      method: 'get',
      path: '/plugins/:plugin_id',
      summary: 'Get a plugin',
      access: { permission: 'plugin_get' },
      handle: async (call) =>
        ok(shapeOne(pluginShape, await plugins.get(call.tenantCaller, idOf(call)), call.query.include())),
    },
    {
      method: 'patch',
      path: '/plugins/:plugin_id/set-visibility',
      summary: 'Widen who sees a plugin',
      access: { permission: 'resource_set_visibility' },
      body: visibilitySchema,
      handle: async (call) => {
        const { visibility } = call.body as JsonObject;
        const plugin = await plugins.setVisibility(call.tenantCaller, idOf(call), visibility);
        return ok(shapeOne(pluginShape, plugin, call.query.include()));
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
