import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Plugin } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { FileStore } from '../files/file-store.ts';
import type { Logger } from '../log/logger.ts';
import type { ExtensionsHost } from '../runtime/extensions/manager.ts';
import { extensionsPlugin } from '../runtime/extensions/plugin.ts';
import { builtinPlugins } from '../runtime/node/builtins.ts';
import { findBlueprintPlugin, isOfBlueprint } from '../runtime/plugins/blueprint-plugin.ts';
import { PluginStore } from '../runtime/plugins/plugin-store.ts';
import type { PluginPackage, PluginSource } from '../runtime/plugins/plugin-store.ts';
import { makeRuntime } from '../runtime/runtime.ts';
import type { InstalledPlugin, OperationContext, PluginFinder, Runtime } from '../runtime/types.ts';
import { getBlueprint } from '../store/blueprints.ts';
import type { Session } from '../store/session.ts';
import { findPlugin, findPluginVersions, setPluginState } from '../store/plugins.ts';
import { ExecutionFacts } from './execution-facts.ts';

export interface ManagerRuntimeDependencies {
  config: Config;
  log: Logger;
  database: Session;
  files: FileStore;
}

/** An uploaded plugin as the runtime installs it. */
export function packageOf({ id, packageName, packageVersion }: Plugin, files: FileStore): PluginPackage {
  return {
    id,
    packageName,
    packageVersion,
    fetchArchive: async () => {
      const { archive } = await files.pluginFiles(id);
      if (!archive) {
        throw new GantryError('not_found_error', `The archive of plugin ${packageName} is gone; upload it again`);
      }
      return archive.path;
    },
  };
}

/** The uploaded plugins that operations on the manager may use: those of the tenant of their execution, and global ones. */
class StoredPluginSource implements PluginSource {
  readonly #session: Session;
  readonly #files: FileStore;
  readonly #facts: ExecutionFacts;

  constructor(session: Session, files: FileStore) {
    this.#session = session;
    this.#files = files;
    this.#facts = new ExecutionFacts(session);
  }

  async locate(context: OperationContext): Promise<PluginPackage | undefined> {
    const packageName = context.plugin?.package_name;
    if (!packageName) {
      return undefined;
    }
    const { tenantId } = await this.#facts.get(context.execution_id);
    const wanted = context.plugin?.package_version ?? undefined;
    const versions = await findPluginVersions(this.#session, tenantId, packageName);
    const found = versions.find(({ packageVersion }) => wanted === undefined || packageVersion === wanted);
    if (!found) {
      return undefined;
    }
    return packageOf(found, this.#files);
  }
}

/** Makes the store of plugins that are installed on this machine, below its data. */
export function makeManagerPlugins({ config, log, database, files }: ManagerRuntimeDependencies): PluginStore {
  return new PluginStore({
    root: join(config.dataDir, 'runtime'),
    source: new StoredPluginSource(database, files),
    installed: async ({ id }) => {
      try {
        const plugin = await findPlugin(database, id);
        if (plugin) {
          await setPluginState(database, plugin, { managers: [hostname()], agents: [] }, 'installed');
        }
      } catch (error) {
        // it is installed all the same, and operations that wait for it can continue
        log.warn('The installation of a plugin could not be stored', { plugin: id, error });
      }
    },
  });
}

/** Finds plugins that a blueprint brings with it, and those that are installed on this machine. */
export class ManagerPlugins implements PluginFinder {
  readonly #session: Session;
  readonly #files: FileStore;
  readonly #installed: PluginFinder;
  readonly #facts: ExecutionFacts;

  constructor(session: Session, files: FileStore, installed: PluginFinder) {
    this.#session = session;
    this.#files = files;
    this.#installed = installed;
    this.#facts = new ExecutionFacts(session);
  }

  async find(context: OperationContext, signal: AbortSignal): Promise<InstalledPlugin | undefined> {
    const { plugin, blueprint_id: blueprintId } = context;
    const source = plugin?.source;
    if (!isOfBlueprint(source) || !blueprintId) {
      return this.#installed.find(context, signal);
    }
    const { tenantId } = await this.#facts.get(context.execution_id);
    const { tenantName } = await getBlueprint(this.#session, { tenantId }, blueprintId, { fields: ['id'] });
    return findBlueprintPlugin(this.#files.blueprintDirectory(tenantName, blueprintId), source, plugin?.name ?? '');
  }
}

/** Makes the runtime of operations that run on the manager itself. */
export function makeManagerRuntime(
  { config }: Pick<ManagerRuntimeDependencies, 'config'>,
  finder: PluginFinder,
  extensions: ExtensionsHost,
): Runtime {
  return makeRuntime({
    defaultTimeoutSeconds: config.broker.defaultOperationTimeout,
    temporaryDirectory: tmpdir(),
    builtins: builtinPlugins(extensionsPlugin(extensions)),
    allowedScriptHosts: config.imports.allowedHosts,
    finder,
  });
}
