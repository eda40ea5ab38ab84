import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { failedBlueprintStates } from '../../domain/states.ts';
import { fileUpload, multipartUpload } from '../archive.ts';
import { downloadFile } from '../download.ts';
import type { BlueprintArchive } from '../archive.ts';
import { eachItem, fetchPage } from '../pages.ts';
import type { ListOptions } from '../pages.ts';
import type { Transport } from '../transport.ts';
import type { BlueprintShape, ExecutionShape, LabelShape, Page } from '../types.ts';

export interface UploadOptions {
  /** Main YAML file inside the archive; default: that of the archive, else blueprint.yaml. */
  mainFile?: string;
  visibility?: 'private' | 'tenant' | 'global';
  labels?: readonly LabelShape[];
  /** Downloaded by the manager instead of an archive. */
  archiveUrl?: string;
  onProgress?: (sentBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

export interface WaitOptions {
  /** Called with every state that is seen. */
  onState?: (state: string) => void;
  signal?: AbortSignal;
}

const listFields = [
  'id',
  'created_at',
  'updated_at',
  'main_file_name',
  'description',
  'state',
  'error',
  'visibility',
  'tenant_name',
  'created_by',
  'labels',
];

/** Whether an upload ended badly; `error` then says why. */
export function hasFailed(blueprint: Pick<BlueprintShape, 'state'>): boolean {
  return failedBlueprintStates.some((state) => state === blueprint.state);
}

/** Calls on `/blueprints`. */
export class BlueprintsApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  /** One page, without plans unless `include` asks for them. */
  list(options: ListOptions = {}): Promise<Page<BlueprintShape>> {
    return fetchPage(this.transport, '/blueprints', { include: listFields, ...options });
  }

  each(options: ListOptions = {}): AsyncGenerator<BlueprintShape, void, undefined> {
    return eachItem(this.transport, '/blueprints', { include: listFields, ...options });
  }

  get(id: string, include?: readonly string[]): Promise<BlueprintShape> {
    const query = include ? { _include: include.join(',') } : {};
    return this.transport.json('GET', `/blueprints/${encodeURIComponent(id)}`, { query });
  }

  /** Starts an upload; the answer's state is not final yet. */
  upload(id: string, archive: BlueprintArchive | undefined, options: UploadOptions = {}): Promise<BlueprintShape> {
    const mainFile = options.mainFile ?? archive?.mainFile;
    const stream = multipartUpload(
      {
        async_upload: true,
        visibility: options.visibility ?? 'tenant',
        ...(mainFile === undefined ? {} : { application_file_name: encodeURIComponent(mainFile) }),
        ...(options.labels === undefined ? {} : { labels: options.labels }),
        ...(options.archiveUrl === undefined ? {} : { blueprint_archive_url: options.archiveUrl }),
      },
      archive,
    );
    return this.transport.json('PUT', `/blueprints/${encodeURIComponent(id)}`, {
      stream,
      onProgress: (sent) => options.onProgress?.(sent, stream.length),
      whenDone: () => this.get(id),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  }

  /** Sends a blueprint for checking only; the row behind the answer vanishes when the check ends. */
  validate(id: string, archive: BlueprintArchive, options: UploadOptions = {}): Promise<BlueprintShape> {
    const mainFile = options.mainFile ?? archive.mainFile;
    const parameters = {
      visibility: options.visibility ?? 'tenant',
      ...(mainFile === undefined ? {} : { application_file_name: encodeURIComponent(mainFile) }),
    };
    return this.transport.json('PUT', `/blueprints/${encodeURIComponent(id)}/validate`, {
      stream: multipartUpload(parameters, archive),
    });
  }

  /** Waits until the upload has ended, well or badly. */
  async waitUntilFinal(id: string, options: WaitOptions = {}): Promise<BlueprintShape> {
    let pause = 50;
    let lastState: string | undefined;
    for (;;) {
      const blueprint = await this.get(id, ['id', 'state', 'error', 'main_file_name', 'upload_execution']);
      if (blueprint.state !== lastState) {
        lastState = blueprint.state;
        options.onState?.(blueprint.state);
      }
      if (blueprint.state === 'uploaded' || hasFailed(blueprint)) {
        return blueprint;
      }
      await delay(pause, undefined, options.signal ? { signal: options.signal } : {});
      pause = Math.min(pause * 1.5, 1000);
    }
  }

  /** Downloads the archive into a file; returns the name the manager gives it. */
  download(id: string, file: string): Promise<string> {
    return downloadFile(this.transport, `/blueprints/${encodeURIComponent(id)}/archive`, file);
  }

  /** Gives a blueprint a picture, or takes it away. @param file a PNG file */
  async setIcon(id: string, file: string | undefined): Promise<BlueprintShape> {
    const path = `/blueprints/${encodeURIComponent(id)}/icon`;
    return file === undefined
      ? this.transport.json('PATCH', path)
      : this.transport.json('PATCH', path, { stream: fileUpload(file, (await stat(file)).size) });
  }

  delete(id: string, options: { force?: boolean } = {}): Promise<void> {
    return this.transport.json('DELETE', `/blueprints/${encodeURIComponent(id)}`, {
      query: { force: options.force === true },
    });
  }

  /** The execution that works on the upload, if the answer names one. */
  uploadExecution(blueprint: BlueprintShape): ExecutionShape | undefined {
    const execution = blueprint.upload_execution;
    return execution !== null && typeof execution.id === 'string' ? execution : undefined;
  }
}
