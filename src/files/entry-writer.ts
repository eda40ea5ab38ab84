import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { GantryError } from '../domain/errors.ts';
import type { UnpackLimits } from './limits.ts';

export type EntryKind = 'file' | 'directory' | 'link' | 'other';

export interface ArchiveEntry {
  readonly path: string;
  readonly kind: EntryKind;
  /** File mode; only whether it is executable is kept. */
  readonly mode: number;
}

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

/**
 * The path of an archive entry as its parts, e.g. `./app/blueprint.yaml` -> `['app', 'blueprint.yaml']`.
 * @throws GantryError bad_parameters_error for anything that could leave the target directory
 */
export function entryParts(path: string, limits: UnpackLimits): string[] {
  const shown = JSON.stringify(path.slice(0, 200));
  if (path.includes('\0')) {
    refuse(`The archive has an entry with a NUL character in its name: ${shown}`);
  }
  const unified = path.replaceAll('\\', '/');
  if (unified.startsWith('/') || /^[A-Za-z]:/.test(unified)) {
    refuse(`The archive has an entry with an absolute path: ${shown}; pack it with relative paths`);
  }
  if (path.length > limits.maxPathLength) {
    refuse(`The archive has an entry whose path is longer than ${limits.maxPathLength} characters: ${shown}`);
  }
  const parts = unified.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) {
    refuse(`The archive has an entry that points outside of it: ${shown}`);
  }
  if (parts.length > limits.maxDepth) {
    refuse(`The archive has an entry more than ${limits.maxDepth} directories deep: ${shown}`);
  }
  return parts;
}

/**
 * Writes the entries of one archive below `target`, which must be a fresh private directory, and counts what
 * they cost. Links and devices are refused, so nothing below `target` can lead outside.
 */
export class EntryWriter {
  readonly #target: string;
  readonly #limits: UnpackLimits;
  readonly #packedBytes: number;
  readonly #directories = new Set<string>();
  #entries = 0;
  #bytes = 0;

  constructor(target: string, packedBytes: number, limits: UnpackLimits) {
    this.#target = target;
    this.#packedBytes = packedBytes;
    this.#limits = limits;
  }

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Writes one entry. `content` is read for files only; it is destroyed when the entry is refused.
   * @throws GantryError bad_parameters_error
   */
  async write(entry: ArchiveEntry, content: () => Promise<Readable>): Promise<void> {
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries) {
      refuse(`The archive has more than ${this.#limits.maxEntries} entries`);
    }
    const parts = entryParts(entry.path, this.#limits);
    if (entry.kind === 'link') {
      refuse(`The archive has a link, which is not allowed: ${JSON.stringify(entry.path)}; pack the file itself`);
    }
    if (entry.kind === 'other') {
      refuse(`The archive has an entry that is neither a file nor a directory: ${JSON.stringify(entry.path)}`);
    }
    if (parts.length === 0) {
      return;
    }
    const path = join(this.#target, ...parts);
    if (entry.kind === 'directory') {
      await this.#makeDirectory(path);
      return;
    }
    await this.#makeDirectory(dirname(path));
    await this.#writeFile(path, entry, await content());
  }

  async #makeDirectory(path: string): Promise<void> {
    if (this.#directories.has(path)) {
      return;
    }
    try {
      await mkdir(path, { recursive: true });
    } catch (error) {
      throw new GantryError('bad_parameters_error', 'The archive has a file and a directory of the same name', {
        cause: error,
      });
    }
    this.#directories.add(path);
  }

  async #writeFile(path: string, entry: ArchiveEntry, content: Readable): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    try {
      const file = await open(path, flags, (entry.mode & 0o111) === 0 ? 0o644 : 0o755).catch((error: unknown) => {
        throw new GantryError(
          'bad_parameters_error',
          `The archive entry ${JSON.stringify(entry.path)} cannot be made`,
          {
            cause: error,
          },
        );
      });
      try {
        for await (const chunk of content as AsyncIterable<Uint8Array>) {
          this.#count(chunk.length);
          await file.write(chunk);
        }
      } finally {
        await file.close();
      }
    } finally {
      content.destroy();
    }
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const { maxBytes, maxRatio, ratioFreeBytes } = this.#limits;
    if (this.#bytes > maxBytes) {
      refuse(`The archive unpacks to more than ${maxBytes} bytes`);
    }
    if (this.#bytes > ratioFreeBytes && this.#bytes > this.#packedBytes * maxRatio) {
      refuse(`The archive unpacks to more than ${maxRatio} times its size; it looks like an archive bomb`);
    }
  }
}
