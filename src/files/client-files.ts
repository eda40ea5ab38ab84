import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GantryError } from '../domain/errors.ts';
import type { FileStore, ReceivedArchive } from './file-store.ts';
import { limitBytes } from './limit-bytes.ts';
import { listFiles } from './pack.ts';
import type { ResourcePath } from './resource-path.ts';
import { unpackArchive } from './unpack.ts';

function refuse(path: ResourcePath): never {
  throw new GantryError('forbidden_error', `/${path.parts.join('/')} is outside of the file server`);
}

/** The nearest folder of a path that is there. */
async function nearestFolder(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    const found = await realpath(folder).catch(() => undefined);
    if (found !== undefined) {
      return found;
    }
  }
}

/** What clients write to the file server: working directories of deployments, resources of tenants. */
export class ClientFiles {
  readonly #files: FileStore;

  constructor(files: FileStore) {
    this.#files = files;
  }

  /**
   * Replaces a file by what arrives.
   * @param modifiedAt time the file is said to be from
   * @throws GantryError forbidden_error, request_too_large, bad_parameters_error for a directory
   */
  async write(path: ResourcePath, content: Readable, maxBytes: number, modifiedAt: Date | undefined): Promise<void> {
    if (path.isDirectory) {
      throw new GantryError('bad_parameters_error', 'Name a file to write, or ask for an archive to be extracted');
    }
    const target = await this.#target(path);
    await mkdir(this.#files.incomingDirectory, { recursive: true, mode: 0o700 });
    const unfinished = join(this.#files.incomingDirectory, randomUUID());
    try {
      await pipeline(content, limitBytes(maxBytes, 'The file'), createWriteStream(unfinished));
      if (modifiedAt) {
        await utimes(unfinished, modifiedAt, modifiedAt);
      }
      if ((await stat(target).catch(() => undefined))?.isDirectory()) {
        throw new GantryError('bad_parameters_error', `/${path.parts.join('/')} is a directory`);
      }
      await mkdir(dirname(target), { recursive: true });
      await rename(unfinished, target);
    } finally {
      await rm(unfinished, { force: true });
    }
  }

  /** Unpacks an archive into a directory. @throws GantryError forbidden_error, bad_parameters_error */
  async extract(path: ResourcePath, archive: ReceivedArchive): Promise<void> {
    if (!path.isDirectory) {
      throw new GantryError('bad_parameters_error', 'An archive is extracted into a directory: end the path with /');
    }
    await this.#target(path);
    const holder = await this.#files.temporaryDirectory();
    try {
      const unpacked = join(holder, 'content');
      await unpackArchive(archive.path, unpacked);
      for (const name of (await listFiles(unpacked)).keys()) {
        const parts = [...path.parts, ...name.split(sep)];
        const target = await this.#target({ ...path, parts, isDirectory: false });
        await mkdir(dirname(target), { recursive: true });
        await rename(join(unpacked, name), target);
      }
    } finally {
      await rm(holder, { recursive: true, force: true });
    }
  }

  /** Removes a file. @throws GantryError not_found_error, forbidden_error, bad_parameters_error for a directory */
  async remove(path: ResourcePath): Promise<void> {
    const target = await this.#target(path);
    const found = await stat(target).catch(() => undefined);
    if (!found) {
      throw new GantryError('not_found_error', `The file /${path.parts.join('/')} was not found`);
    }
    if (found.isDirectory()) {
      throw new GantryError('bad_parameters_error', `/${path.parts.join('/')} is a directory; remove its files`);
    }
    await rm(target);
  }

  /** Where a path is on the disk; links that operations left there may not lead out of the directory of its owner. */
  async #target(path: ResourcePath): Promise<string> {
    const [top = '', tenant = ''] = path.parts;
    if (path.tenant === undefined || path.parts.length < 3) {
      return refuse(path);
    }
    const holder = join(this.#files.root, top, tenant);
    await mkdir(holder, { recursive: true });
    const owned = await realpath(holder);
    const target = join(owned, ...path.parts.slice(2));
    const folder = await nearestFolder(path.isDirectory ? target : dirname(target));
    return folder === owned || folder.startsWith(owned + sep) ? target : refuse(path);
  }
}
