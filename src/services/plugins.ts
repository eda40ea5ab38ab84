import { rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { pluginInstallationStates } from '../domain/cluster.ts';
import type { Plugin } from '../domain/entities.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import { arrivalLimit, withStorage } from '../executor/storage-quota.ts';
import type { Book } from '../executor/storage-quota.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Visibility } from '../domain/states.ts';
import type { FileStore, ReceivedArchive, StoredFile } from '../files/file-store.ts';
import type { ByteLimit } from '../files/limit-bytes.ts';
import { zipFiles } from '../files/pack.ts';
import { openPluginUpload } from '../files/plugin-package.ts';
import type { PluginPackage } from '../files/plugin-package.ts';
import { choosePluginYaml } from '../files/plugin-yaml.ts';
import { fetchRemote } from '../files/remote.ts';
import { findBlueprintsUsingPlugin } from '../store/blueprints.ts';
import type { Database } from '../store/database.ts';
import {
  createPlugin,
  deletePlugin,
  findPlugin,
  getPlugin,
  listPlugins,
  setPluginState,
  updatePlugin,
} from '../store/plugins.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Transaction } from '../store/session.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { everywhere, requireFreeGlobally, requireOwnTenant, widerVisibility } from './identifiers.ts';
import { creationTime, newOwnerId, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';
import { PluginInstallation } from './plugin-installation.ts';
import type { PluginTargets } from './plugin-installation.ts';

export interface PluginUpload {
  readonly archive: ReceivedArchive;
  readonly title: string | undefined;
  readonly visibility: Visibility;
  /** Given when a plugin is restored; a new one otherwise. */
  readonly id: string | undefined;
  readonly origin: Origin;
}

/** The plugins an upload brought; a caravan may bring any number of them. */
export interface UploadedPlugins {
  readonly plugins: readonly Plugin[];
  readonly isCaravan: boolean;
}

/** What a worker tells about a plugin. */
export interface PluginReport {
  readonly manager: string | undefined;
  readonly agent: string | undefined;
  readonly state: string;
  readonly error: string | undefined;
}

export interface PluginChange {
  readonly creator?: string | undefined;
  readonly title?: string | undefined;
  readonly blueprintLabels?: JsonObject | undefined;
  readonly labels?: JsonObject | undefined;
  readonly resourceTags?: JsonObject | undefined;
}

const downloadTimeout = 30_000;

async function bytesOf(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

export interface PluginService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<Plugin>>;
  get(caller: TenantCaller, id: string): Promise<Plugin>;
  /** All plugins of the upload or none. @throws GantryError invalid_plugin_error, conflict_error when one is there */
  upload(caller: TenantCaller, upload: PluginUpload): Promise<UploadedPlugins>;
  /** How much an upload may bring now. */
  room(caller: TenantCaller): Promise<ByteLimit>;
  /** Fetches the archive of an upload that names a URL. @throws GantryError bad_parameters_error */
  fetch(caller: TenantCaller, url: string, signal: AbortSignal): Promise<ReceivedArchive>;
  /** @throws GantryError not_found_error */
  archive(caller: TenantCaller, id: string): Promise<StoredFile>;
  /** The archive and the files beside it as one zip. @throws GantryError not_found_error */
  fullArchive(caller: TenantCaller, id: string): Promise<{ fileName: string; content: Readable; bytes: number }>;
  /**
   * The YAML file that fits a version of the blueprint language.
   * @param languageVersion such as `1_4`; undefined = the newest
   * @throws GantryError not_found_error
   */
  yaml(caller: TenantCaller, id: string, languageVersion: string | undefined): Promise<StoredFile>;
  /** YAML files of plugins as paths of the file server: id -> paths. */
  yamlPaths(plugins: readonly Plugin[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Notes the state of a plugin on one manager or agent. @throws GantryError not_found_error, bad_parameters_error */
  setState(caller: TenantCaller, id: string, report: PluginReport): Promise<Plugin>;
  /** Has managers and agents install a plugin before it is needed. @throws GantryError not_found_error */
  install(caller: TenantCaller, id: string, targets: PluginTargets): Promise<Plugin>;
  update(caller: TenantCaller, id: string, change: PluginChange): Promise<Plugin>;
  setVisibility(caller: TenantCaller, id: string, visibility: unknown): Promise<Plugin>;
  /** @throws GantryError plugin_in_use unless forced */
  remove(caller: TenantCaller, id: string, isForced: boolean): Promise<void>;
}

/** Removes the files of plugins that did not come to be. */
async function removeUnknown(database: Database, files: FileStore, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    if (!(await findPlugin(database, id))) {
      await rm(files.pluginDirectory(id), { recursive: true, force: true });
    }
  }
}

/** Makes the use cases of plugins. */
export function createPluginService(dependencies: ServiceDependencies): PluginService {
  const { database, files, config, newId, clock, outbox } = dependencies;
  const installation = new PluginInstallation({ config, outbox, now: () => clock.now() });

  const keep = async (
    { transaction, book }: { transaction: Transaction; book: Book },
    caller: TenantCaller,
    { archivePath, yamlPaths, iconPath, description, sections }: PluginPackage,
    upload: PluginUpload,
    id: string,
  ): Promise<Plugin> => {
    const plugin = await createPlugin(transaction, {
      ...description,
      ...sections,
      id,
      tenantId: caller.tenant.id,
      creatorId: await ownerId(transaction, caller, upload.origin.creator),
      uploadedAt: creationTime(caller, upload.origin.createdAt),
      visibility: upload.visibility,
      title: upload.title ?? description.packageName,
    });
    const moved = [
      { from: archivePath, name: basename(description.archiveName) },
      ...[...yamlPaths, ...(iconPath === undefined ? [] : [iconPath])].map((path) => ({
        from: path,
        name: basename(path),
      })),
    ];
    await book(await bytesOf(moved.map(({ from }) => from)));
    // the row is there or nothing is: files come last, the commit follows
    await files.keepPlugin(id, moved);
    return plugin;
  };

  const room = ({ tenant }: TenantCaller): Promise<ByteLimit> =>
    arrivalLimit(database, files, tenant, config.http.maxUploadBytes);

  return {
    list: (caller, query, isAllTenants) =>
      listPlugins(database, listScopeOf(caller, isAllTenants, 'plugin_list'), query),

    get: (caller, id) => getPlugin(database, scopeOf(caller), id),

    async upload(caller, upload) {
      const opened = await openPluginUpload(files, upload.archive);
      const ids = opened.packages.map((_, index) => (index === 0 ? upload.id : undefined) ?? newId());
      try {
        const session = database.actingAs(actorOf(caller));
        const plugins = await withStorage({ session, files }, caller.tenant, async (transaction, book) => {
          const kept: Plugin[] = [];
          for (const [index, content] of opened.packages.entries()) {
            kept.push(await keep({ transaction, book }, caller, content, upload, ids[index] ?? newId()));
          }
          return kept;
        });
        return { plugins, isCaravan: opened.isCaravan };
      } catch (error) {
        await removeUnknown(database, files, ids);
        throw error;
      } finally {
        await opened.dispose();
      }
    },

    room,

    async fetch(caller, url, signal) {
      const { maxUploadBytes } = config.http;
      const remote = await fetchRemote(url, config.imports, {
        maxBytes: maxUploadBytes,
        timeout: downloadTimeout,
        signal,
      });
      return files.receiveArchive(remote.body, await room(caller), 'Plugin');
    },

    async archive(caller, id) {
      const plugin = await getPlugin(database, scopeOf(caller), id);
      const { archive } = await files.pluginFiles(plugin.id);
      if (!archive) {
        throw new GantryError('not_found_error', `The archive of plugin \`${id}\` was not found`);
      }
      return archive;
    },

    async fullArchive(caller, id) {
      const { packageName, id: pluginId } = await getPlugin(database, scopeOf(caller), id);
      const packed = await zipFiles(files.pluginDirectory(pluginId)).catch((error: unknown) => {
        throw new GantryError('not_found_error', `The files of plugin \`${id}\` were not found`, { cause: error });
      });
      return { ...packed, fileName: `${packageName}.zip` };
    },

    async yaml(caller, id, languageVersion) {
      const plugin = await getPlugin(database, scopeOf(caller), id);
      const path = await choosePluginYaml(files.pluginDirectory(plugin.id), languageVersion);
      if (path === undefined) {
        const fitting =
          languageVersion === undefined ? '' : ` for version ${languageVersion} of the blueprint language`;
        throw new GantryError('not_found_error', `Plugin \`${id}\` has no YAML file${fitting}`);
      }
      return { path, fileName: basename(path), bytes: (await stat(path)).size };
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
      const known = pluginInstallationStates.find((name) => name === state);
      if (known === undefined) {
        throw new GantryError(
          'bad_parameters_error',
          `Invalid plugin installation state: \`${state}\`. Valid states are: ${pluginInstallationStates.join(', ')}`,
        );
      }
      const place = { managers: manager === undefined ? [] : [manager], agents: agent === undefined ? [] : [agent] };
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const plugin = await getPlugin(transaction, scopeOf(caller), id);
        // workers of every tenant tell where a global plugin is installed; agents belong to the tenant of the caller
        if (!caller.execution) {
          requireOwnTenant(caller, plugin);
        }
        const target = { storageId: plugin.storageId, tenantId: caller.tenant.id };
        const marked = await setPluginState(transaction, target, place, known, error);
        if (marked.managers.length + marked.agents.length === 0) {
          throw manager === undefined ? notFound('Agent', agent ?? '') : notFound('Manager', manager);
        }
        return getPlugin(transaction, scopeOf(caller), id);
      });
    },

    install: (caller, id, targets) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const plugin = await getPlugin(transaction, scopeOf(caller), id);
        if (targets.managers.length > 0) {
          // a global plugin may be wanted on agents of any tenant, but managers are everybody's
          requireOwnTenant(caller, plugin);
        }
        await installation.install(transaction, caller, plugin, targets);
        return getPlugin(transaction, scopeOf(caller), id);
      }),

    update: (caller, id, { creator, ...change }) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const plugin = await getPlugin(transaction, scopeOf(caller), id);
        requireOwnTenant(caller, plugin);
        const creatorId = await newOwnerId(transaction, caller, creator);
        return updatePlugin(transaction, plugin.storageId, { ...change, creatorId });
      }),

    setVisibility: (caller, id, wanted) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const plugin = await getPlugin(transaction, scopeOf(caller), id);
        requireOwnTenant(caller, plugin);
        const visibility = widerVisibility(caller, plugin, wanted);
        const { packageName, archiveName } = plugin;
        await requireFreeGlobally(visibility, plugin, (query) => listPlugins(transaction, everywhere, query), {
          packageName: [packageName],
          archiveName: [archiveName],
        });
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
        await installation.uninstall(transaction, caller, plugin);
        await deletePlugin(transaction, plugin.storageId);
      });
      await rm(files.pluginDirectory(id), { recursive: true, force: true });
    },
  };
}
