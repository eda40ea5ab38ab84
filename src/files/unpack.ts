import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Parser } from 'tar';
import type { ReadEntry } from 'tar';
import { openPromise } from 'yauzl';
import type { Entry } from 'yauzl';
import { coerceError, GantryError } from '../domain/errors.ts';
import { archiveFormats, detectArchiveFormat } from './archive-format.ts';
import type { ArchiveFormat } from './archive-format.ts';
import { bunzip2 } from './bunzip2.ts';
import { diskFull, isDiskFull } from './disk-full.ts';
import { EntryWriter } from './entry-writer.ts';
import type { EntryKind } from './entry-writer.ts';
import { defaultUnpackLimits } from './limits.ts';
import type { UnpackLimits } from './limits.ts';

export interface UnpackOptions {
  readonly limits?: UnpackLimits;
  readonly signal?: AbortSignal;
}

export interface UnpackedArchive {
  readonly format: ArchiveFormat;
  readonly entries: number;
  readonly bytes: number;
}

/** The refusal of a file that is none of the archive formats, in the words clients know. */
export function unrecognizedFormat(what: string): GantryError {
  const formats = archiveFormats.map((format) => `'${format}'`).join(', ');
  return new GantryError(
    'bad_parameters_error',
    `${what} archive is of an unrecognized format. Supported formats are: [${formats}]`,
  );
}

function damaged(thrown: unknown): GantryError {
  if (thrown instanceof GantryError) {
    return thrown;
  }
  if (isDiskFull(thrown)) {
    return diskFull(thrown);
  }
  const error = coerceError(thrown);
  return new GantryError('bad_parameters_error', `The archive is damaged: ${error.message}`, { cause: error });
}

function zipEntryKind(entry: Entry): { kind: EntryKind; mode: number } {
  const isMadeOnUnix = entry.versionMadeBy >>> 8 === 3;
  const mode = isMadeOnUnix ? entry.externalFileAttributes >>> 16 : 0o644;
  const type = mode & 0o170000;
  if (type === 0o120000) {
    return { kind: 'link', mode };
  }
  if (entry.fileName.endsWith('/') || type === 0o040000) {
    return { kind: 'directory', mode };
  }
  return { kind: type === 0 || type === 0o100000 ? 'file' : 'other', mode };
}

async function unpackZip(path: string, writer: EntryWriter, signal: AbortSignal | undefined): Promise<void> {
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false, strictFileNames: false });
  try {
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted();
      if (entry.isEncrypted()) {
        throw new GantryError('bad_parameters_error', 'The archive is encrypted; upload it without a password');
      }
      await writer.write({ path: entry.fileName, ...zipEntryKind(entry) }, () => zip.openReadStreamPromise(entry));
    }
  } finally {
    zip.close();
  }
}

const tarKinds: Readonly<Record<string, EntryKind>> = {
  File: 'file',
  OldFile: 'file',
  ContiguousFile: 'file',
  Directory: 'directory',
  GNUDumpDir: 'directory',
  Link: 'link',
  SymbolicLink: 'link',
};

/** Feeds a tar stream through the parser; one entry is written at a time, so the parser's queue stays short. */
async function unpackTar(source: Readable, writer: EntryWriter, signal: AbortSignal | undefined): Promise<void> {
  let chain = Promise.resolve();
  let failure: Error | undefined;
  let content: Readable | undefined;
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry: ReadEntry) => {
      chain = chain.then(async () => {
        if (failure) {
          entry.resume();
          return;
        }
        try {
          const kind = tarKinds[entry.type] ?? 'other';
          await writer.write({ path: entry.path, kind, mode: entry.mode ?? 0o644 }, async () => {
            content = Readable.from(entry);
            // the reader sees the error; later ones have no listener
            content.on('error', () => undefined);
            return content;
          });
          if (kind !== 'file') {
            entry.resume();
          }
        } catch (error) {
          failure = coerceError(error);
          entry.resume();
          source.destroy(failure);
        }
      });
    },
  });
  const finished = new Promise<void>((resolve, reject) => {
    parser.on('end', resolve);
    parser.on('error', reject);
    parser.on('abort', reject);
  });
  finished.catch(() => undefined);
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      if (failure) {
        break;
      }
      if (!parser.write(chunk)) {
        await Promise.race([new Promise<void>((resolve) => parser.once('drain', resolve)), finished]);
      }
    }
    if (!failure) {
      parser.end();
      await finished;
    }
  } catch (error) {
    failure ??= coerceError(error);
  }
  if (failure) {
    // what is being written gets no more bytes; it must have let go of its file before the target is removed
    content?.destroy(failure);
    await chain;
    throw failure;
  }
  await chain;
  if (failure) {
    throw coerceError(failure);
  }
}

function openTar(path: string, format: ArchiveFormat): Readable {
  return format === 'tar.bz2' ? Readable.from(bunzip2(path)) : createReadStream(path);
}

/**
 * Unpacks an archive into a new directory. Refused are: entries that leave the directory, absolute paths, links,
 * devices, encrypted or damaged archives and everything beyond the limits. When it is refused, `target` is gone.
 *
 * @param path the archive; its format is told from its content
 * @param target directory that must not exist yet
 * @throws GantryError bad_parameters_error naming the entry and the remedy
 */
export async function unpackArchive(
  path: string,
  target: string,
  options: UnpackOptions = {},
): Promise<UnpackedArchive> {
  const format = await detectArchiveFormat(path);
  if (!format) {
    throw unrecognizedFormat('The');
  }
  const { size } = await stat(path);
  const writer = new EntryWriter(target, size, options.limits ?? defaultUnpackLimits);
  await mkdir(target);
  try {
    if (format === 'zip') {
      await unpackZip(path, writer, options.signal);
    } else {
      await unpackTar(openTar(path, format), writer, options.signal);
    }
  } catch (error) {
    await rm(target, { recursive: true, force: true });
    throw damaged(error);
  }
  return { format, entries: writer.entries, bytes: writer.bytes };
}

/** Names that archivers add beside the content. */
const archiverLitter = new Set(['__MACOSX', '.DS_Store', 'pax_global_header']);

/**
 * The one directory an archive of a blueprint must consist of.
 * @returns its path
 * @throws GantryError bad_parameters_error when there is not exactly one
 */
export async function singleTopDirectory(directory: string): Promise<string> {
  const entries = (await readdir(directory, { withFileTypes: true })).filter(({ name }) => !archiverLitter.has(name));
  const [top] = entries;
  if (entries.length !== 1 || !top?.isDirectory()) {
    throw new GantryError(
      'bad_parameters_error',
      `The archive must contain exactly one directory at its top, it has ${
        entries
          .map(({ name }) => name)
          .slice(0, 5)
          .join(', ') || 'nothing'
      }; pack the directory of the blueprint, not its files`,
    );
  }
  return join(directory, top.name);
}
