import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { StreamBody } from './transport.ts';

/** A blueprint ready to upload. `dispose` removes what was made for it. */
export interface BlueprintArchive {
  path: string;
  bytes: number;
  /** Main YAML file inside the archive's folder. */
  mainFile: string | undefined;
  dispose(): Promise<void>;
}

const archiveEndings = ['.zip', '.tar', '.tar.gz', '.tgz', '.tar.bz2', '.tbz2'];
const yamlEndings = new Set(['.yaml', '.yml']);
/** Never part of a blueprint, and big. */
const skippedFolders = new Set(['.git', 'node_modules', '__pycache__', '.venv']);

/** Whether the path names an archive that is uploaded as it is. */
export function isArchive(path: string): boolean {
  return archiveEndings.some((ending) => path.toLowerCase().endsWith(ending));
}

/**
 * Makes an uploadable archive of a blueprint: an archive is taken as it is, of a YAML file its whole folder is packed
 * (as Cloudify's clients do), a folder is packed with `blueprint.yaml` or its only YAML file as main file.
 * @param mainFile overrides the main file that was found
 * @throws Error naming the path and what is missing
 */
export async function packBlueprint(path: string, mainFile?: string): Promise<BlueprintArchive> {
  const source = resolve(path);
  const information = await stat(source).catch(() => undefined);
  if (!information) {
    throw new Error(`There is no file or folder ${path}`);
  }
  if (information.isDirectory()) {
    return packFolder(source, mainFile ?? (await findMainFile(source)));
  }
  if (isArchive(source)) {
    return { path: source, bytes: information.size, mainFile, dispose: async () => undefined };
  }
  if (yamlEndings.has(extname(source).toLowerCase())) {
    return packFolder(dirname(source), mainFile ?? basename(source));
  }
  throw new Error(`${path} is neither a folder, a YAML file nor an archive (${archiveEndings.join(', ')})`);
}

/** The main file of a blueprint folder: `blueprint.yaml`, else its only YAML file. */
export async function findMainFile(folder: string): Promise<string> {
  const names = await readdir(folder);
  if (names.includes('blueprint.yaml')) {
    return 'blueprint.yaml';
  }
  const candidates = names.filter((name) => yamlEndings.has(extname(name).toLowerCase()));
  const [only, ...others] = candidates;
  if (only === undefined) {
    throw new Error(`${folder} has no YAML file`);
  }
  if (others.length > 0) {
    throw new Error(
      `${folder} has no blueprint.yaml and several YAML files: ${candidates.join(', ')}. Name one of them`,
    );
  }
  return only;
}

async function packFolder(folder: string, mainFile: string): Promise<BlueprintArchive> {
  const temporary = await mkdtemp(join(tmpdir(), 'gantry-upload-'));
  const file = join(temporary, 'blueprint.tar.gz');
  try {
    // only who packs something needs it
    const { create } = await import('tar');
    await create(
      {
        file,
        gzip: { level: 6 },
        cwd: dirname(folder),
        portable: true,
        follow: true,
        filter: (entry) => !skippedFolders.has(basename(entry)),
      },
      // "./" keeps a folder whose name starts with @ or - from being read as an option
      [`./${basename(folder)}`],
    );
    const { size } = await stat(file);
    return { path: file, bytes: size, mainFile, dispose: () => rm(temporary, { recursive: true, force: true }) };
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/**
 * The multipart body of a blueprint upload: part `params` with JSON and part `blueprint_archive` with the file.
 * Compatibility: Cloudify 7 blueprint upload.
 */
export function multipartUpload(
  parameters: Record<string, unknown>,
  archive: BlueprintArchive | undefined,
): StreamBody {
  const boundary = `gantry-${process.pid}-${Math.floor(performance.now() * 1000).toString(36)}-boundary`;
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="params"\r\n\r\n${JSON.stringify(parameters)}\r\n` +
      (archive
        ? `--${boundary}\r\nContent-Disposition: form-data; name="blueprint_archive"; filename="filename"\r\n` +
          `Content-Type: application/octet-stream\r\n\r\n`
        : ''),
  );
  const tail = Buffer.from(`${archive ? '\r\n' : ''}--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    length: head.length + (archive?.bytes ?? 0) + tail.length,
    open: () =>
      Readable.from(
        (async function* parts() {
          yield head;
          if (archive) {
            yield* createReadStream(archive.path) as AsyncIterable<Buffer>;
          }
          yield tail;
        })(),
        { objectMode: false },
      ),
  };
}

/** A body that is one file, for uploads of plugins. */
export function fileUpload(path: string, bytes: number): StreamBody {
  return { contentType: 'application/octet-stream', length: bytes, open: () => createReadStream(path) };
}
