import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { fileUpload } from '../archive.ts';
import { fetchPage } from '../pages.ts';
import type { ListOptions } from '../pages.ts';
import type { Transport } from '../transport.ts';
import type { Page, PluginShape, PluginsUpdateShape } from '../types.ts';

/** Which plugins of a blueprint change, and how far. Names are package names. */
export interface PluginsUpdateOptions {
  /** Only these; default: all. */
  plugins?: readonly string[];
  /** Stays within the major versions in use; otherwise to the newest versions. */
  isMinor?: boolean;
  /** With `isMinor`: these go to the newest version. */
  toLatest?: readonly string[];
  /** Without `isMinor`: these stay within their major version. */
  toMinor?: readonly string[];
  /** Although others depend on the deployments. */
  isForced?: boolean;
  /** Deployments of other tenants, too. */
  isAllTenants?: boolean;
}

/** Calls on `/plugins` and `/plugins-updates`. */
export class PluginsApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<PluginShape>> {
    return fetchPage(this.transport, '/plugins', options);
  }

  get(id: string): Promise<PluginShape> {
    return this.transport.json('GET', `/plugins/${encodeURIComponent(id)}`);
  }

  /** Uploads a package made of the plugin's archive and its plugin.yaml. */
  async upload(
    file: string,
    options: { visibility?: string; title?: string; onProgress?: (sent: number, total: number) => void } = {},
  ): Promise<PluginShape> {
    const { size } = await stat(file);
    const id = randomUUID();
    return this.transport.json('POST', '/plugins', {
      query: { id, visibility: options.visibility ?? 'tenant', title: options.title },
      stream: fileUpload(file, size),
      whenDone: () => this.get(id),
      onProgress: (sent) => options.onProgress?.(sent, size),
    });
  }

  /** Brings the deployments of a blueprint to other versions of its plugins; its execution goes on. */
  update(blueprintId: string, options: PluginsUpdateOptions = {}): Promise<PluginsUpdateShape> {
    return this.transport.json('POST', `/plugins-updates/${encodeURIComponent(blueprintId)}/update/initiate`, {
      body: {
        plugin_names: options.plugins ?? [],
        all_to_latest: options.isMinor !== true,
        all_to_minor: options.isMinor === true,
        to_latest: options.toLatest ?? [],
        to_minor: options.toMinor ?? [],
        force: options.isForced === true,
        all_tenants: options.isAllTenants === true,
      },
    });
  }

  listUpdates(options: ListOptions = {}): Promise<Page<PluginsUpdateShape>> {
    return fetchPage(this.transport, '/plugins-updates', options);
  }

  getUpdate(id: string): Promise<PluginsUpdateShape> {
    return this.transport.json('GET', `/plugins-updates/${encodeURIComponent(id)}`);
  }

  delete(id: string, options: { force?: boolean } = {}): Promise<void> {
    return this.transport.json('DELETE', `/plugins/${encodeURIComponent(id)}`, {
      body: { force: options.force === true },
    });
  }
}
