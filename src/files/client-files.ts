import { randomUUID } from 'node:crypto';
import { mkdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { GantryError } from '../domain/errors.ts';
import type { FileStore, ReceivedArchive } from './file-store.ts';
import type { StorageGate } from './limit-bytes.ts';
import { listFiles } from './pack.ts';
import type { ResourcePath } from './resource-path.ts';
import { saveStream } from './save-stream.ts';
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

/** A file that arrived completely; it is not anybody's yet. */
export interface ReceivedFile {
  readonly place: string;
  readonly bytes: number;
  /** Removes it, unless it was placed. */
  discard(): Promise<void>;
}

export interface PlacedFile {
  readonly path: ResourcePath;
  readonly received: ReceivedFile;
}

interface Move {
  readonly from: string;
  readonly target: string;
  /** Bytes by which the owner's files grow. */
  readonly growth: number;
}

async function move(moves: readonly Move[], gate: StorageGate): Promise<void> {
  const growth = moves.reduce((sum, one) => sum + one.growth, 0);
  await gate.admit(growth, async () => {
    for (const { from, target } of moves) {
      await mkdir(dirname(target), { recursive: true });
      await rename(from, target);
    }
  });
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch(() => undefined);
  return found?.size ?? 0;
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
   * @throws GantryError forbidden_error, request_too_large, quota_exceeded_error, bad_parameters_error for a directory
   */
  async write(path: ResourcePath, content: Readable, gate: StorageGate, modifiedAt?: Date): Promise<void> {
    const received = await this.receive(path, content, gate);
    try {
      await this.place([{ path, received }], gate, modifiedAt);
    } finally {
      await received.discard();
    }
  }

  /** Takes in a file for a path as it arrives; nothing of it is visible before it is placed. @throws GantryError as `write` */
  async receive(path: ResourcePath, content: Readable, gate: StorageGate): Promise<ReceivedFile> {
    await mkdir(this.#files.incomingDirectory, { recursive: true, mode: 0o700 });
    const place = join(this.#files.incomingDirectory, randomUUID());
    const discard = (): Promise<void> => rm(place, { force: true });
    const replaced = await sizeOf(await this.#target(path));
    return { place, bytes: await saveStream(content, gate.limit(replaced), 'The file', place), discard };
  }

  /** Puts files that arrived in their places: all of them, or none that is not in order. @throws GantryError as `write` */
  async place(files: readonly PlacedFile[], gate: StorageGate, modifiedAt?: Date): Promise<void> {
    const moves = await Promise.all(
      files.map(async ({ path, received }) => {
        if (path.isDirectory) {
          throw new GantryError('bad_parameters_error', 'Name a file to write, or ask for an archive to be extracted');
        }
        const target = await this.#target(path);
        if ((await stat(target).catch(() => undefined))?.isDirectory()) {
          throw new GantryError('bad_parameters_error', `/${path.parts.join('/')} is a directory`);
        }
        return { from: received.place, target, growth: received.bytes - (await sizeOf(target)) };
      }),
    );
    if (modifiedAt) {
      await Promise.all(moves.map(({ from }) => utimes(from, modifiedAt, modifiedAt)));
    }
    await move(moves, gate);
  }

  /** Unpacks an archive into a directory. @throws GantryError forbidden_error, bad_parameters_error, quota_exceeded_error */
  async extract(path: ResourcePath, archive: ReceivedArchive, gate: StorageGate): Promise<void> {
    if (!path.isDirectory) {
      throw new GantryError('bad_parameters_error', 'An archive is extracted into a directory: end the path with /');
    }
    await this.#target(path);
    const holder = await this.#files.temporaryDirectory();
    try {
      const unpacked = join(holder, 'content');
      await unpackArchive(archive.path, unpacked);
      const moves: Move[] = [];
      for (const name of (await listFiles(unpacked)).keys()) {
        const parts = [...path.parts, ...name.split(sep)];
        const target = await this.#target({ ...path, parts, isDirectory: false });
        const from = join(unpacked, name);
        moves.push({ from, target, growth: (await stat(from)).size - (await sizeOf(target)) });
      }
      await move(moves, gate);
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
