import { randomUUID } from 'node:crypto';
import { readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { create } from 'tar';
import { ZipFile } from 'yazl';
import { coerceError } from '../domain/errors.ts';

/**
 * Packs a directory as tar.gz, streaming.
 * @param topDirectory name of the single top directory inside the archive; the files stand at the top without it
 */
export function packDirectory(directory: string, topDirectory?: string): Readable {
  const prefix = topDirectory === undefined ? {} : { prefix: topDirectory };
  // it starts when it is read, so that its reader gets the error when the directory has gone
  async function* chunks(): AsyncGenerator<Buffer> {
    const pack = create({ gzip: true, cwd: directory, portable: true, follow: false, ...prefix }, ['.']);
    pack.on('error', (error) => stream.destroy(coerceError(error)));
    yield* pack;
  }
  const stream = Readable.from(chunks(), { objectMode: false });
  return stream;
}

/** Index of a directory in its archive, by which clients find out what changed. */
const indexFile = '.cloudify-index.json';

/**
 * The index of a directory: path -> time of the last change.
 *
 * Compatibility: Cloudify 7; whole seconds, as files of an archive have them.
 */
export async function indexOf(directory: string): Promise<Record<string, string>> {
  const files = [...(await listFiles(directory))].filter(([name]) => name !== indexFile);
  return Object.fromEntries(files.map(([name, time]) => [name, `${time.toISOString().slice(0, 19)}+00:00`]));
}

/** Puts the index of a directory into it. */
export async function writeIndex(directory: string): Promise<void> {
  const unfinished = join(directory, `${indexFile}.${randomUUID()}`);
  await writeFile(unfinished, JSON.stringify(await indexOf(directory)));
  await rename(unfinished, join(directory, indexFile));
}

/** Every file below a directory, as path relative to it -> time of its last change. */
export async function listFiles(directory: string): Promise<Map<string, Date>> {
  const files = new Map<string, Date>();
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name);
      files.set(path.slice(directory.length + 1), (await stat(path)).mtime);
    }
  }
  return files;
}

/** Packs the files at the top of a directory as a zip of known length, streaming. */
export async function zipFiles(directory: string): Promise<{ content: Readable; bytes: number }> {
  const entries = await readdir(directory, { withFileTypes: true });
  const zip = new ZipFile();
  for (const { name } of entries.filter((entry) => entry.isFile())) {
    // what is in it is packed already; and the length is known beforehand only without compression
    zip.addFile(join(directory, name), name, { compress: false });
  }
  const bytes = await new Promise<number>((resolve, reject) => {
    zip.on('error', reject);
    zip.end({ forceZip64Format: false, comment: '' }, ((size: number) => resolve(size)) as () => void);
  });
  return { content: Readable.from(zip.outputStream), bytes };
}

/** Files whose size is asked for at the same time. */
const askedAtOnce = 100;

/** Bytes of all files below a directory; 0 when it is not there. */
export async function directoryBytes(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  let bytes = 0;
  for (let start = 0; start < files.length; start += askedAtOnce) {
    const sizes = await Promise.all(
      files.slice(start, start + askedAtOnce).map(async (entry) => {
        // what is removed meanwhile does not count
        const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
        return found?.size ?? 0;
      }),
    );
    bytes += sizes.reduce((sum, size) => sum + size, 0);
  }
  return bytes;
}
