import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { unpackArchive } from '../../files/unpack.ts';
import { safeName } from '../session/operation-session.ts';
import type { InstalledPlugin, OperationContext, PluginFinder } from '../types.ts';
import { examinePlugin } from './plugin-entry.ts';

/** A plugin as uploaded. */
export interface PluginPackage {
  readonly id: string;
  readonly packageName: string;
  readonly packageVersion: string | undefined;
  /** Puts the archive somewhere on this machine and answers with its path, which is left alone afterwards. */
  fetchArchive(signal: AbortSignal): Promise<string>;
}

/** Knows the uploaded plugins: the store on a manager, the REST service on a host. */
export interface PluginSource {
  /** The uploaded plugin that an operation means, for its tenant; undefined when there is none. */
  locate(context: OperationContext): Promise<PluginPackage | undefined>;
}

export interface PluginStoreOptions {
  readonly root: string;
  readonly source: PluginSource;
  /** Told of every plugin that was not there before. */
  readonly installed?: (plugin: PluginPackage) => Promise<void>;
}

/** File in a plugin's directory with the id of the uploaded plugin. */
const idFile = 'plugin.id';

/** Milliseconds for which the answer of the source is used again. */
const locationLifetime = 5000;

/**
 * The plugins installed on this machine, below `<root>/plugins/<tenant>/<package>/<version>`. A missing one is
 * installed when its first operation comes; several processes may share the root.
 */
export class PluginStore implements PluginFinder {
  readonly #root: string;
  readonly #source: PluginSource;
  readonly #installed: PluginStoreOptions['installed'];
  readonly #located = new LRUCache<string, PluginPackage>({ max: 1000, ttl: locationLifetime });
  readonly #installing = new Map<string, Promise<InstalledPlugin>>();

  constructor(options: PluginStoreOptions) {
    this.#root = options.root;
    this.#source = options.source;
    this.#installed = options.installed;
  }

  /**
   * Finds the plugin of an operation, installing it where it is missing.
   * @throws NonRecoverableError, GantryError when the package is broken
   */
  async find(context: OperationContext, signal: AbortSignal): Promise<InstalledPlugin | undefined> {
    const name = context.plugin?.package_name ?? context.plugin?.name ?? '';
    const tenant = context.tenant?.name ?? '';
    const key = JSON.stringify([tenant, name, context.plugin?.package_version ?? null]);
    const located = this.#located.get(key) ?? (await this.#source.locate(context));
    if (located === undefined) {
      return undefined;
    }
    this.#located.set(key, located, { ttl: this.#located.getRemainingTTL(key) || locationLifetime });
    return this.install(tenant, located, signal);
  }

  /** Installs a plugin for a tenant unless it is there. */
  async install(tenant: string, plugin: PluginPackage, signal: AbortSignal): Promise<InstalledPlugin> {
    const directory = this.#directory(tenant, plugin);
    const running = this.#installing.get(directory);
    if (running !== undefined) {
      return running;
    }
    // one caller's abort must not fail the others that wait for the same plugin, so only the first one's counts
    const installing = this.#installNow(directory, plugin, signal);
    this.#installing.set(directory, installing);
    try {
      return await installing;
    } finally {
      this.#installing.delete(directory);
    }
  }

  /** Removes an installed plugin; does nothing when it is not there. */
  async uninstall(tenant: string, plugin: Omit<PluginPackage, 'fetchArchive'>): Promise<void> {
    this.#located.clear();
    const directory = this.#directory(tenant, plugin);
    if ((await installedId(directory)) === plugin.id) {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async #installNow(directory: string, plugin: PluginPackage, signal: AbortSignal): Promise<InstalledPlugin> {
    if ((await installedId(directory)) !== plugin.id) {
      const archive = await plugin.fetchArchive(signal);
      const partial = `${directory}.${randomUUID()}`;
      await mkdir(dirname(directory), { recursive: true });
      try {
        await unpackArchive(archive, partial, { signal });
        await examinePlugin(partial, plugin.packageName);
        await writeFile(join(partial, idFile), plugin.id);
        await replace(directory, partial, plugin.id);
      } finally {
        await rm(partial, { recursive: true, force: true });
      }
      await this.#installed?.(plugin);
    }
    return {
      id: plugin.id,
      name: plugin.packageName,
      version: plugin.packageVersion,
      directory,
      ...(await examinePlugin(directory, plugin.packageName)),
    };
  }

  #directory(tenant: string, plugin: Omit<PluginPackage, 'fetchArchive'>): string {
    const parts = [tenant, plugin.packageName, plugin.packageVersion ?? '0.0.0'].map(safeName);
    return join(this.#root, 'plugins', ...parts);
  }
}

async function installedId(directory: string): Promise<string | undefined> {
  return readFile(join(directory, idFile), 'utf8').then(
    (id) => id.trim(),
    () => undefined,
  );
}

/** Moves a directory to its place, unless another process has put the same plugin there meanwhile. */
async function replace(directory: string, partial: string, id: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await rename(partial, directory);
      return;
    } catch (thrown) {
      const code = (thrown as NodeJS.ErrnoException).code ?? '';
      if (!['ENOTEMPTY', 'EEXIST'].includes(code) || attempt === 3) {
        throw thrown;
      }
      if ((await installedId(directory)) === id) {
        return;
      }
      const old = `${directory}.${randomUUID()}`;
      await rename(directory, old).catch(() => undefined);
      await rm(old, { recursive: true, force: true });
    }
  }
}
