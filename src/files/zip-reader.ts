import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { openPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { WrittenEntry } from './zip-writer.ts';

/** Reads entries of a zip archive by name, streaming. */
export class ZipReader {
  readonly #zip: ZipFile;
  readonly #entries: ReadonlyMap<string, Entry>;

  private constructor(zip: ZipFile, entries: ReadonlyMap<string, Entry>) {
    this.#zip = zip;
    this.#entries = entries;
  }

  /** @throws GantryError bad_parameters_error for a file that is no zip archive, or a damaged one */
  static async open(path: string): Promise<ZipReader> {
    try {
      const zip = await openPromise(path, { lazyEntries: true, autoClose: false });
      const entries = new Map<string, Entry>();
      for await (const entry of zip.eachEntry()) {
        entries.set(entry.fileName, entry);
      }
      return new ZipReader(zip, entries);
    } catch (error) {
      const { message } = coerceError(error);
      throw new GantryError('bad_parameters_error', `The archive is not a zip file, or it is damaged: ${message}`, {
        cause: error,
      });
    }
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** A small entry as text. @throws GantryError bad_parameters_error when it is missing or larger than `mostBytes` */
  async text(name: string, mostBytes: number): Promise<string> {
    const entry = this.#entry(name);
    if (entry.uncompressedSize > mostBytes) {
      throw new GantryError('bad_parameters_error', `${name} in the archive is too large`);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of await this.#open(entry)) {
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /**
   * The content of an entry; after its end it is compared with what is `expected`.
   * @throws GantryError bad_parameters_error when it is missing or differs
   */
  async *content(name: string, expected: WrittenEntry): AsyncGenerator<Buffer, void, undefined> {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of await this.#open(this.#entry(name))) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > expected.bytes) {
        break;
      }
      yield chunk as Buffer;
    }
    if (bytes !== expected.bytes || hash.digest('hex') !== expected.sha256) {
      throw new GantryError(
        'bad_parameters_error',
        `${name} in the archive is not what was written (its checksum differs); transfer the archive again`,
      );
    }
  }

  close(): void {
    this.#zip.close();
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) {
      throw new GantryError('bad_parameters_error', `The archive has no ${name}`);
    }
    return entry;
  }

  async #open(entry: Entry): Promise<Readable> {
    try {
      return await this.#zip.openReadStreamPromise(entry);
    } catch (error) {
      throw new GantryError('bad_parameters_error', `${entry.fileName} in the archive cannot be read`, {
        cause: error,
      });
    }
  }
}
