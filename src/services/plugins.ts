import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Plugin } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Visibility } from '../domain/states.ts';
import type { ReceivedArchive, StoredFile } from '../files/file-store.ts';
import { openPluginPackage } from '../files/plugin-package.ts';
import { fetchRemote } from '../files/remote.ts';
import { findBlueprintsUsingPlugin } from '../store/blueprints.ts';
import { createPlugin, deletePlugin, getPlugin, listPlugins, setPluginState, updatePlugin } from '../store/plugins.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant, widerVisibility } from './identifiers.ts';

export interface PluginUpload {
  readonly archive: ReceivedArchive;
  readonly title: string | undefined;
  readonly visibility: Visibility;
}

/** What a worker tells about a plugin. */
export interface PluginReport {
  readonly manager: string | undefined;
  readonly agent: string | undefined;
  readonly state: string;
  readonly error: string | undefined;
}

const downloadTimeout = 30_000;

export interface PluginService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<Plugin>>;
  get(caller: TenantCaller, id: string): Promise<Plugin>;
  /** @throws GantryError invalid_plugin_error, conflict_error when the same archive is there */
  upload(caller: TenantCaller, upload: PluginUpload): Promise<Plugin>;
  /** Fetches the archive of an upload that names a URL. @throws GantryError bad_parameters_error */
  fetch(url: string, signal: AbortSignal): Promise<ReceivedArchive>;
  /** @throws GantryError not_found_error */
  archive(caller: TenantCaller, id: string): Promise<StoredFile>;
  /** YAML files of plugins as paths of the file server: id -> paths. */
  yamlPaths(plugins: readonly Plugin[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Notes the state of a plugin on one manager or agent. */
  setState(caller: TenantCaller, id: string, report: PluginReport): Promise<Plugin>;
  setVisibility(caller: TenantCaller, id: string, visibility: unknown): Promise<Plugin>;
  /** @throws GantryError plugin_in_use unless forced */
  remove(caller: TenantCaller, id: string, isForced: boolean): Promise<void>;
}

/** Makes the use cases of plugins. */
export function createPluginService({ database, files, config, newId }: ServiceDependencies): PluginService {
  return {
    list: (caller, query, isAllTenants) =>
      listPlugins(database, listScopeOf(caller, isAllTenants, 'plugin_list'), query),

    get: (caller, id) => getPlugin(database, scopeOf(caller), id),

    async upload(caller, { archive, title, visibility }) {
      const opened = await openPluginPackage(files, archive);
      try {
        return await database.transactionAs(actorOf(caller), async (transaction) => {
          const { description, sections, archivePath, yamlPaths } = opened;
          const plugin = await createPlugin(transaction, {
            ...description,
            ...sections,
            id: newId(),
            tenantId: caller.tenant.id,
            creatorId: caller.user.id,
            visibility,
            title: title ?? description.packageName,
          });
          // the row is there or nothing is: files come last, the commit follows
          await files.keepPlugin(plugin.id, [
            { from: archivePath, name: basename(description.archiveName) },
            ...yamlPaths.map((path) => ({ from: path, name: basename(path) })),
          ]);
          return plugin;
        });
      } finally {
        await opened.dispose();
      }
    },

    async fetch(url, signal) {
      const { maxUploadBytes } = config.http;
      const remote = await fetchRemote(url, config.imports, {
        maxBytes: maxUploadBytes,
        timeout: downloadTimeout,
        signal,
      });
      return files.receiveArchive(remote.body, maxUploadBytes, 'Plugin');
    },

    async archive(caller, id) {
      const plugin = await getPlugin(database, scopeOf(caller), id);
      const { archive } = await files.pluginFiles(plugin.id);
      if (!archive) {
        throw new GantryError('not_found_error', `The archive of plugin \`${id}\` was not found`);
      }
      return archive;
    },

    async yamlPaths(plugins) {
      const found = await Promise.all(
        plugins.map(async ({ id }) => [id, (await files.pluginFiles(id)).yamlPaths] as const),
      );
      return new Map(found);
    },

    async setState(caller, id, { manager, agent, state, error }) {
      if ((manager === undefined) === (agent === undefined)) {
        throw new GantryError('conflict_error', 'Name either a manager or an agent');
      }
      const place = { managers: manager === undefined ? [] : [manager], agents: agent === undefined ? [] : [agent] };
      const plugin = await getPlugin(database, scopeOf(caller), id);
      // workers of every tenant tell where a global plugin is installed
      if (!caller.execution) {
        requireOwnTenant(caller, plugin);
      }
      const { storageId } = plugin;
      await setPluginState(database, { storageId, tenantId: caller.tenant.id }, place, state, error);
      return getPlugin(database, scopeOf(caller), id);
    },

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
