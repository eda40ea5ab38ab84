import { rm } from 'node:fs/promises';
import type { Plugin } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { findBlueprintsUsingPlugin } from '../store/blueprints.ts';
import { deletePlugin, getPlugin, listPlugins, updatePlugin } from '../store/plugins.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant, widerVisibility } from './identifiers.ts';

export interface PluginService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<Plugin>>;
  get(caller: TenantCaller, id: string): Promise<Plugin>;
  setVisibility(caller: TenantCaller, id: string, visibility: unknown): Promise<Plugin>;
  /** @throws GantryError plugin_in_use unless forced */
  remove(caller: TenantCaller, id: string, isForced: boolean): Promise<void>;
}

/** Makes the use cases of plugins. */
export function createPluginService({ database, files }: ServiceDependencies): PluginService {
  return {
    list: (caller, query, isAllTenants) =>
      listPlugins(database, listScopeOf(caller, isAllTenants, 'plugin_list'), query),

    get: (caller, id) => getPlugin(database, scopeOf(caller), id),

    setVisibility: (caller, id, wanted) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const plugin = await getPlugin(transaction, scopeOf(caller), id);
        requireOwnTenant(caller, plugin);
        const visibility = widerVisibility(caller, plugin, wanted);
        return updatePlugin(transaction, plugin.storageId, { visibility });
      }),

    async remove(caller, id, isForced) {
      await database.transactionAs(actorOf(caller), async (transaction) => {
        const plugin = await getPlugin(transaction, scopeOf(caller), id);
        requireOwnTenant(caller, plugin);
        const { tenantId, packageName, packageVersion = '' } = plugin;
        const users = isForced
          ? []
          : await findBlueprintsUsingPlugin(transaction, tenantId, packageName, packageVersion);
        if (users.length > 0) {
          throw new GantryError(
            'plugin_in_use',
            `Plugin "${id}" is currently in use in blueprints: ${users.join(', ')}. You can "force" plugin removal if needed.`,
          );
        }
        await deletePlugin(transaction, plugin.storageId);
      });
      await rm(files.pluginDirectory(id), { recursive: true, force: true });
    },
  };
}
