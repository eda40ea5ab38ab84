import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { GantryError } from '../domain/errors.ts';
import type { FileStore } from '../files/file-store.ts';
import { builtinPlugins } from '../runtime/node/builtins.ts';
import { PluginStore } from '../runtime/plugins/plugin-store.ts';
import type { PluginPackage, PluginSource } from '../runtime/plugins/plugin-store.ts';
import { makeRuntime } from '../runtime/runtime.ts';
import type { OperationContext, Runtime } from '../runtime/types.ts';
import type { Session } from '../store/session.ts';
import { findPluginVersions } from '../store/plugins.ts';
import { ExecutionFacts } from './execution-facts.ts';

export interface ManagerRuntimeDependencies {
  config: Config;
  database: Session;
  files: FileStore;
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
    return {
      id: found.id,
      packageName: found.packageName,
      packageVersion: found.packageVersion,
      fetchArchive: async () => {
        const { archive } = await this.#files.pluginFiles(found.id);
        if (!archive) {
          throw new GantryError(
            'not_found_error',
            `The archive of plugin ${found.packageName} is gone; upload it again`,
          );
        }
        return archive.path;
      },
    };
  }
}

/** Makes the runtime of operations that run on the manager itself; uploaded plugins are installed below its data. */
export function makeManagerRuntime({ config, database, files }: ManagerRuntimeDependencies): Runtime {
  return makeRuntime({
    defaultTimeoutSeconds: config.broker.defaultOperationTimeout,
    temporaryDirectory: tmpdir(),
    builtins: builtinPlugins(),
    allowedScriptHosts: config.imports.allowedHosts,
    finder: new PluginStore({ root: join(config.dataDir, 'runtime'), source: new StoredPluginSource(database, files) }),
  });
}
