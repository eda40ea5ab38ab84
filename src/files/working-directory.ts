/** Working directories of deployments as archives: how clients save and restore them. */
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { ZipFile } from 'yazl';
import { coerceError, GantryError } from '../domain/errors.ts';
import { detectArchiveFormat } from './archive-format.ts';
import type { FileStore } from './file-store.ts';
import { directoryBytes } from './pack.ts';
import { unpackArchive } from './unpack.ts';

/** Largest working directory that goes into one answer, in bytes: the archive is held in memory, and grows by a third as text. */
export const mostWorkingBytes = 128 * 1024 * 1024;

/** A working directory unpacked beside the others; `publish` or `discard` it. */
export interface StagedDirectory {
  /** Bytes by which the file server grows when it is published. */
  growth(): Promise<number>;
  /** Makes it the working directory of the deployment, in place of what was there; once is enough. */
  publish(): Promise<void>;
  /** Removes it, unless it was published. */
  discard(): Promise<void>;
}

function tooLarge(deploymentId: string, most: number): GantryError {
  return new GantryError(
    'illegal_action_error',
    `The working directory of deployment ${deploymentId} is larger than ${most} bytes, too large to be told at once; get its ` +
      `files below /resources/deployments instead`,
  );
}

async function addTo(zip: ZipFile, path: string, name: string): Promise<void> {
  // a link that has taken the place of the file since it was found leads nowhere
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { mtime, mode } = await file.stat();
    zip.addBuffer(await file.readFile(), name, { mtime, mode });
  } finally {
    await file.close();
  }
}

async function addTree(zip: ZipFile, directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(directory, path);
    // what has been removed since, and links, are left out
    if (entry.isDirectory()) {
      zip.addEmptyDirectory(name);
    } else if (entry.isFile() && (await lstat(path).catch(() => undefined))?.isFile()) {
      await addTo(zip, path, name);
    }
  }
}

async function contentOf(zip: ZipFile, most: number, refusal: () => GantryError): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of zip.outputStream as unknown as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > most) {
      throw refusal();
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Packs the working directory of a deployment as a zip archive, links left out; an empty archive where there is none.
 * @param most bytes of its files
 * @throws GantryError illegal_action_error when it is larger
 */
export async function packWorkingDirectory(
  files: FileStore,
  tenant: string,
  deploymentId: string,
  most: number = mostWorkingBytes,
): Promise<Buffer> {
  const directory = files.deploymentDirectory(tenant, deploymentId);
  if ((await directoryBytes(directory)) > most) {
    throw tooLarge(deploymentId, most);
  }
  const zip = new ZipFile();
  if (await lstat(directory).catch(() => undefined)) {
    await addTree(zip, directory);
  }
  zip.end();
  return contentOf(zip, 2 * most, () => tooLarge(deploymentId, most));
}

/**
 * Unpacks what is to be the working directory of a deployment, with everything refused that archives of blueprints are
 * refused for.
 * @param content a zip archive
 * @throws GantryError bad_parameters_error, see `unpackArchive`
 */
export async function stageWorkingDirectory(
  files: FileStore,
  tenant: string,
  deploymentId: string,
  content: Buffer,
): Promise<StagedDirectory> {
  const target = files.deploymentDirectory(tenant, deploymentId);
  const holder = await files.temporaryDirectory();
  const discard = (): Promise<void> => rm(holder, { recursive: true, force: true });
  const unpacked = join(holder, 'content');
  try {
    const archive = join(holder, 'archive');
    await writeFile(archive, content);
    if ((await detectArchiveFormat(archive)) !== 'zip') {
      throw new GantryError('bad_parameters_error', 'it must be a zip archive as base64 text');
    }
    await unpackArchive(archive, unpacked);
  } catch (thrown) {
    await discard();
    const { message } = coerceError(thrown);
    throw thrown instanceof GantryError
      ? new GantryError(thrown.code, `workdir_zip: ${message}`, { cause: thrown })
      : thrown;
  }
  let isPublished = false;
  return {
    growth: async () => (await directoryBytes(unpacked)) - (await directoryBytes(target)),
    publish: async () => {
      // the transaction around it may be repeated
      if (!isPublished) {
        await rm(target, { recursive: true, force: true });
        await mkdir(dirname(target), { recursive: true });
        await rename(unpacked, target);
        isPublished = true;
      }
    },
    discard,
  };
}
