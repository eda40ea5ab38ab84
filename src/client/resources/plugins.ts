import { stat } from 'node:fs/promises';
import { fileUpload } from '../archive.ts';
import { fetchPage } from '../pages.ts';
import type { ListOptions } from '../pages.ts';
import type { Transport } from '../transport.ts';
import type { Page, PluginShape } from '../types.ts';

/** Calls on `/plugins`. */
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
    return this.transport.json('POST', '/plugins', {
      query: { visibility: options.visibility ?? 'tenant', title: options.title },
      stream: fileUpload(file, size),
      onProgress: (sent) => options.onProgress?.(sent, size),
    });
  }

  delete(id: string, options: { force?: boolean } = {}): Promise<void> {
    return this.transport.json('DELETE', `/plugins/${encodeURIComponent(id)}`, {
      body: { force: options.force === true },
    });
  }
}
