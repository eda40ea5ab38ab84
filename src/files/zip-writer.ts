import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { coerceError } from '../domain/errors.ts';

/** What went into an archive under a name. */
export interface WrittenEntry {
  readonly bytes: number;
  /** sha256 of the content in hex. */
  readonly sha256: string;
}

const packedAlready = new Set(['.zip', '.gz', '.tgz', '.bz2', '.wgn', '.xz', '.png', '.jpg', '.whl']);

/** Counts and hashes what flows through. */
function measure(): { stream: Transform; result: () => WrittenEntry } {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, result: () => ({ bytes, sha256: hash.digest('hex') }) };
}

/**
 * Writes a zip archive entry by entry, holding no more than a few packets of it in memory. Entries are added one after
 * the other; call `end` when the last one is in, or `abort`.
 */
export class ZipWriter {
  readonly #zip = new ZipFile();
  readonly #done: Promise<void>;
  readonly #abort = new AbortController();
  #failure: Error | undefined;

  /** @param path file to write; must not exist */
  constructor(path: string) {
    this.#zip.on('error', (error) => this.#fail(coerceError(error)));
    this.#done = pipeline(
      this.#zip.outputStream as unknown as Readable,
      createWriteStream(path, { flags: 'wx', mode: 0o600 }),
      { signal: this.#abort.signal },
    );
    this.#done.catch((error: unknown) => this.#fail(coerceError(error)));
  }

  /** Adds an entry; resolves when its content is in the archive. */
  async add(name: string, content: AsyncIterable<Uint8Array | string>, mtime?: Date): Promise<WrittenEntry> {
    const { stream, result } = measure();
    this.#throwFailure();
    this.#zip.addReadStream(stream, name, {
      mode: 0o100600,
      compress: !packedAlready.has(extname(name)),
      ...(mtime ? { mtime } : {}),
    });
    await pipeline(Readable.from(content), stream, { signal: this.#abort.signal }).catch((error: unknown) => {
      throw this.#failure ?? error;
    });
    return result();
  }

  /** Adds a file as it is on the disk. @throws Error with code ENOENT, before anything is written, when it is gone */
  async addFile(name: string, path: string): Promise<WrittenEntry> {
    const { mtime } = await stat(path);
    const content = createReadStream(path);
    await new Promise<void>((resolve, reject) => {
      content.once('open', () => resolve());
      content.once('error', reject);
    });
    return this.add(name, content, mtime);
  }

  addDirectory(name: string): void {
    this.#zip.addEmptyDirectory(name);
  }

  /** Completes the archive. */
  async end(): Promise<void> {
    this.#throwFailure();
    this.#zip.end();
    await this.#done.catch((error: unknown) => {
      throw this.#failure ?? error;
    });
  }

  /** Gives the archive up; the file is left to the caller. */
  async abort(): Promise<void> {
    this.#abort.abort();
    await this.#done.catch(() => undefined);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#abort.abort();
  }

  #throwFailure(): void {
    if (this.#failure) {
      throw this.#failure;
    }
  }
}
