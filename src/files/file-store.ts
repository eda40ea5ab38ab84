import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { GantryError } from '../domain/errors.ts';
import { archiveFormats, detectArchiveFormat } from './archive-format.ts';
import type { ArchiveFormat } from './archive-format.ts';
import { defaultUnpackLimits } from './limits.ts';
import type { UnpackLimits } from './limits.ts';
import type { ByteLimit } from './limit-bytes.ts';
import { directoryBytes, packDirectory } from './pack.ts';
import { saveStream } from './save-stream.ts';
import { singleTopDirectory, unpackArchive, unrecognizedFormat } from './unpack.ts';

export interface FileStoreOptions {
  /** Directory of the file server; made when it is not there. */
  readonly root: string;
  /** Directory of the product's own resources (`resourcePath()`), served below the root when a file is not there. */
  readonly sharedRoot: string;
  readonly limits?: UnpackLimits;
}

export interface StoredFile {
  readonly path: string;
  readonly bytes: number;
  /** Name for a download, e.g. `b1.tar.gz`. */
  readonly fileName: string;
}

export interface StoredArchive extends StoredFile {
  readonly format: ArchiveFormat;
}

/** An archive that arrived completely and has a known format; it is not anybody's yet. */
export interface ReceivedArchive {
  readonly path: string;
  readonly format: ArchiveFormat;
  readonly bytes: number;
  /** Removes it, unless it was kept. */
  discard(): Promise<void>;
}

/** A blueprint unpacked beside the published ones: parse it there, then `publish` or `discard` it. */
export interface StagedBlueprint {
  /** The single top directory of the archive. */
  readonly directory: string;
  /** Bytes by which the file server grows when it is published. */
  growth(): Promise<number>;
  /** Makes it the blueprint's directory on the file server, replacing what was there. */
  publish(): Promise<void>;
  discard(): Promise<void>;
}

/** Files that were taken out of the way: `discard` them, or `putBack` what nobody has replaced meanwhile. */
export interface SetAside {
  discard(): Promise<void>;
  putBack(): Promise<void>;
}

/** Ids become directory names, so whatever could mean another directory is refused. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) {
    throw new GantryError('bad_parameters_error', `Not usable as a file name: ${JSON.stringify(name.slice(0, 200))}`);
  }
  return name;
}

/** Directories below one at the top that name an owner: tenant, and blueprint or deployment. */
const ownerDepth = 2;

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The file server's directory tree, with the layout that clients and plugins of Cloudify Manager know. */
export class FileStore {
  readonly root: string;
  readonly sharedRoot: string;
  readonly #limits: UnpackLimits;

  constructor(options: FileStoreOptions) {
    this.root = resolve(options.root);
    this.sharedRoot = resolve(options.sharedRoot);
    this.#limits = options.limits ?? defaultUnpackLimits;
  }

  /** Makes the directories; call it once before anything else. */
  async prepare(): Promise<void> {
    for (const name of ['blueprints', 'uploaded-blueprints', 'deployments', 'tenant-resources', 'plugins']) {
      await mkdir(join(this.root, name), { recursive: true });
    }
    await mkdir(this.incomingDirectory, { recursive: true, mode: 0o700 });
  }

  /** Where unfinished files are; on the same file system as the root, so that they can be moved into place. */
  get incomingDirectory(): string {
    return join(this.root, '.incoming');
  }

  blueprintDirectory(tenant: string, blueprintId: string): string {
    return join(this.root, 'blueprints', segment(tenant), segment(blueprintId));
  }

  uploadedBlueprintDirectory(tenant: string, blueprintId: string): string {
    return join(this.root, 'uploaded-blueprints', segment(tenant), segment(blueprintId));
  }

  deploymentDirectory(tenant: string, deploymentId: string): string {
    return join(this.root, 'deployments', segment(tenant), segment(deploymentId));
  }

  pluginDirectory(pluginId: string): string {
    return join(this.root, 'plugins', segment(pluginId));
  }

  /**
   * Removes what processes that were killed have left unfinished.
   * @param before time in milliseconds; what was begun later may still be worked on
   * @returns how much there was
   */
  async removeUnfinished(before: number): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.incomingDirectory).catch(() => [])) {
      const path = join(this.incomingDirectory, name);
      const found = await stat(path).catch(() => undefined);
      if (found && found.mtimeMs < before) {
        await rm(path, { recursive: true, force: true });
        removed += 1;
      }
    }
    return removed;
  }

  /** A fresh private directory; the caller removes it. */
  async temporaryDirectory(): Promise<string> {
    await mkdir(this.incomingDirectory, { recursive: true, mode: 0o700 });
    return mkdtemp(join(this.incomingDirectory, 't-'));
  }

  /**
   * Takes in an archive as it arrives; nothing of it is visible before it is kept.
   * @param what names it in messages, e.g. `Blueprint`
   * @throws GantryError bad_parameters_error for an empty or unknown archive, request_too_large or what the limit says
   */
  async receiveArchive(source: Readable, limit: ByteLimit, what: string): Promise<ReceivedArchive> {
    await mkdir(this.incomingDirectory, { recursive: true, mode: 0o700 });
    const path = join(this.incomingDirectory, randomUUID());
    const discard = (): Promise<void> => rm(path, { force: true });
    try {
      const size = await saveStream(source, limit, `The ${what.toLowerCase()} archive`, path);
      if (size === 0) {
        throw new GantryError('bad_parameters_error', `The request has no ${what.toLowerCase()} archive`);
      }
      const format = await detectArchiveFormat(path);
      if (!format) {
        throw unrecognizedFormat(what);
      }
      return { path, format, bytes: size, discard };
    } catch (error) {
      await discard();
      throw error;
    }
  }

  /** Makes a received archive the uploaded archive of a blueprint, replacing what was there. */
  async keepBlueprintArchive(tenant: string, blueprintId: string, received: ReceivedArchive): Promise<StoredArchive> {
    const directory = this.uploadedBlueprintDirectory(tenant, blueprintId);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    const fileName = `${blueprintId}.${received.format}`;
    const path = join(directory, fileName);
    await rename(received.path, path);
    return { path, format: received.format, bytes: received.bytes, fileName };
  }

  /**
   * Stores the archive of a blueprint as it arrives, e.g. from a download.
   * @param maxBytes largest accepted archive
   * @throws GantryError bad_parameters_error for an empty or unknown archive, request_too_large
   */
  async saveBlueprintArchive(
    tenant: string,
    blueprintId: string,
    source: Readable,
    maxBytes: number,
  ): Promise<StoredArchive> {
    const received = await this.receiveArchive(source, maxBytes, 'Blueprint');
    try {
      return await this.keepBlueprintArchive(tenant, blueprintId, received);
    } finally {
      await received.discard();
    }
  }

  /** The stored archive of a blueprint, if there is one. */
  async blueprintArchive(tenant: string, blueprintId: string): Promise<StoredArchive | undefined> {
    const directory = this.uploadedBlueprintDirectory(tenant, blueprintId);
    for (const format of archiveFormats) {
      const fileName = `${blueprintId}.${format}`;
      const path = join(directory, fileName);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile()) {
        return { path, format, bytes: found.size, fileName };
      }
    }
    return undefined;
  }

  /**
   * Unpacks the stored archive of a blueprint for parsing.
   * @throws GantryError not_found_error without an archive; bad_parameters_error when it is refused (see
   *   `unpackArchive`) or does not have exactly one top directory
   */
  async stageBlueprint(tenant: string, blueprintId: string, signal?: AbortSignal): Promise<StagedBlueprint> {
    const archive = await this.blueprintArchive(tenant, blueprintId);
    if (!archive) {
      throw new GantryError('not_found_error', `The archive of blueprint \`${blueprintId}\` was not found`);
    }
    const holder = await this.temporaryDirectory();
    const discard = (): Promise<void> => rm(holder, { recursive: true, force: true });
    try {
      const unpacked = join(holder, 'content');
      await unpackArchive(archive.path, unpacked, { limits: this.#limits, ...(signal ? { signal } : {}) });
      const directory = await singleTopDirectory(unpacked);
      const published = this.blueprintDirectory(tenant, blueprintId);
      const publish = async (): Promise<void> => {
        await this.#publishDirectory(directory, published);
        await discard();
      };
      const growth = async (): Promise<number> => (await directoryBytes(directory)) - (await directoryBytes(published));
      return { directory, growth, publish, discard };
    } catch (error) {
      await discard();
      throw error;
    }
  }

  async #publishDirectory(from: string, to: string): Promise<void> {
    await rm(to, { recursive: true, force: true });
    await mkdir(join(to, '..'), { recursive: true });
    await rename(from, to);
  }

  /** Replaces the uploaded archive of a blueprint by one packed from its published directory (after an icon change). */
  async repackBlueprint(tenant: string, blueprintId: string): Promise<void> {
    const directory = this.blueprintDirectory(tenant, blueprintId);
    await this.saveBlueprintArchive(
      tenant,
      blueprintId,
      packDirectory(directory, blueprintId),
      Number.MAX_SAFE_INTEGER,
    );
  }

  /**
   * Sets or (when empty) removes the picture of a published blueprint, and packs its archive anew.
   * @throws GantryError conflict_error while the blueprint has no files
   */
  async setBlueprintIcon(tenant: string, blueprintId: string, icon: Buffer): Promise<void> {
    const directory = this.blueprintDirectory(tenant, blueprintId);
    if (!(await isThere(directory))) {
      throw new GantryError(
        'conflict_error',
        `Blueprint \`${blueprintId}\` has no files yet, so its icon cannot be changed`,
      );
    }
    const path = join(directory, 'icon.png');
    if (icon.length === 0) {
      await rm(path, { force: true });
    } else {
      await this.#replaceFile(path, icon);
    }
    await this.repackBlueprint(tenant, blueprintId);
  }

  /** What cannot be written completely leaves what was there. */
  async #replaceFile(path: string, content: Buffer): Promise<void> {
    await mkdir(this.incomingDirectory, { recursive: true, mode: 0o700 });
    const unfinished = join(this.incomingDirectory, randomUUID());
    try {
      await writeFile(unfinished, content);
      await rename(unfinished, path);
    } finally {
      await rm(unfinished, { force: true });
    }
  }

  /** Gives a blueprint the published files and the archive of another one, in place of its own. */
  async copyBlueprint(tenant: string, from: string, to: string): Promise<void> {
    const archive = await this.blueprintArchive(tenant, from);
    const holder = await this.temporaryDirectory();
    try {
      const files = join(holder, 'content');
      await cp(this.blueprintDirectory(tenant, from), files, { recursive: true, mode: constants.COPYFILE_FICLONE });
      await this.#publishDirectory(files, this.blueprintDirectory(tenant, to));
      if (archive) {
        const path = join(holder, 'archive');
        await copyFile(archive.path, path, constants.COPYFILE_FICLONE);
        const { format, bytes } = archive;
        await this.keepBlueprintArchive(tenant, to, { path, format, bytes, discard: () => Promise.resolve() });
      }
    } finally {
      await rm(holder, { recursive: true, force: true });
    }
  }

  /** Removes the uploaded archive only; what a failed upload leaves behind. */
  async removeBlueprintArchive(tenant: string, blueprintId: string): Promise<void> {
    await rm(this.uploadedBlueprintDirectory(tenant, blueprintId), { recursive: true, force: true });
  }

  /**
   * Takes everything of a blueprint out of the way while its row is being removed, so that whoever uploads another one
   * under its id as soon as the row has gone does not lose its files with those of the old one.
   */
  async setBlueprintAside(tenant: string, blueprintId: string): Promise<SetAside> {
    const holder = await this.temporaryDirectory();
    const moved: { from: string; to: string }[] = [];
    const places = [this.uploadedBlueprintDirectory(tenant, blueprintId), this.blueprintDirectory(tenant, blueprintId)];
    for (const [index, from] of places.entries()) {
      const to = join(holder, String(index));
      if (await isThere(from)) {
        await rename(from, to);
        moved.push({ from, to });
      }
    }
    const discard = (): Promise<void> => rm(holder, { recursive: true, force: true });
    const putBack = async (): Promise<void> => {
      for (const { from, to } of moved) {
        if (!(await isThere(from))) {
          await mkdir(dirname(from), { recursive: true });
          await rename(to, from);
        }
      }
      await discard();
    };
    return { discard, putBack };
  }

  /** Removes everything of a blueprint; nothing there is not an error. */
  async removeBlueprint(tenant: string, blueprintId: string): Promise<void> {
    await this.removeBlueprintArchive(tenant, blueprintId);
    await rm(this.blueprintDirectory(tenant, blueprintId), { recursive: true, force: true });
  }

  /** Bytes of everything of a tenant, with the plugins and archives of these ids. */
  async tenantBytes(
    tenant: string,
    ids: { plugins: readonly string[]; snapshots: readonly string[]; logBundles: readonly string[] },
  ): Promise<number> {
    const name = segment(tenant);
    const tops = ['blueprints', 'uploaded-blueprints', 'deployments', 'tenant-resources'];
    const directories = [
      ...tops.map((top) => join(this.root, top, name)),
      ...ids.plugins.map((id) => this.pluginDirectory(id)),
    ];
    let bytes = 0;
    for (const directory of directories) {
      bytes += await directoryBytes(directory);
    }
    for (const [kind, archives] of [
      ['snapshots', ids.snapshots],
      ['log_bundles', ids.logBundles],
    ] as const) {
      for (const id of archives) {
        bytes += (await this.findArchive(kind, id))?.bytes ?? 0;
      }
    }
    return bytes;
  }

  /** Removes everything of a tenant; nothing there is not an error. */
  async removeTenant(tenant: string): Promise<void> {
    const name = segment(tenant);
    const tops = ['blueprints', 'uploaded-blueprints', 'deployments', 'tenant-resources'];
    await Promise.all(tops.map((top) => rm(join(this.root, top, name), { recursive: true, force: true })));
  }

  /** Makes the working directory of a deployment and returns its path. */
  async createDeploymentDirectory(tenant: string, deploymentId: string): Promise<string> {
    const directory = this.deploymentDirectory(tenant, deploymentId);
    await mkdir(directory, { recursive: true });
    return directory;
  }

  /** Removes the working directory of a deployment; nothing there is not an error. */
  async removeDeploymentDirectory(tenant: string, deploymentId: string): Promise<void> {
    await rm(this.deploymentDirectory(tenant, deploymentId), { recursive: true, force: true });
  }

  /** Makes files the content of a plugin's directory; all or nothing. */
  async keepPlugin(pluginId: string, moved: readonly { from: string; name: string }[]): Promise<void> {
    const staging = await this.temporaryDirectory();
    try {
      for (const { from, name } of moved) {
        await rename(from, join(staging, segment(name)));
      }
      await this.#publishDirectory(staging, this.pluginDirectory(pluginId));
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }

  /** The archive of a plugin, and its YAML files as paths of the file server. */
  async pluginFiles(pluginId: string): Promise<{ archive: StoredFile | undefined; yamlPaths: string[] }> {
    const directory = this.pluginDirectory(pluginId);
    const names = (await readdir(directory).catch(() => [])).sort();
    const yamlNames = names.filter((name) => /\.ya?ml$/.test(name));
    const fileName = names.find((name) => !yamlNames.includes(name) && name !== 'icon.png');
    const path = join(directory, fileName ?? '');
    const found = fileName === undefined ? undefined : await stat(path).catch(() => undefined);
    return {
      archive: found && fileName !== undefined ? { path, fileName, bytes: found.size } : undefined,
      yamlPaths: yamlNames.map((name) => `plugins/${pluginId}/${name}`),
    };
  }

  /** Where the archive of a snapshot or log bundle lies. */
  archivePath(kind: 'snapshots' | 'log_bundles', id: string): string {
    return kind === 'snapshots'
      ? join(this.root, kind, segment(id), `${id}.zip`)
      : join(this.root, kind, `${segment(id)}.zip`);
  }

  /** Where processes put their logs for a log bundle. */
  logDirectory(bundleId: string): string {
    return join(this.incomingDirectory, `logs-${segment(bundleId)}`);
  }

  /** Makes a finished file the archive of a snapshot or log bundle, replacing what was there. */
  async keepArchive(kind: 'snapshots' | 'log_bundles', id: string, from: string): Promise<void> {
    const path = this.archivePath(kind, id);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rename(from, path);
  }

  /** The archive of a snapshot or log bundle, if there is one. */
  async findArchive(kind: 'snapshots' | 'log_bundles', id: string): Promise<StoredFile | undefined> {
    const path = this.archivePath(kind, id);
    const found = await stat(path).catch(() => undefined);
    return found?.isFile() ? { path, bytes: found.size, fileName: `${id}.zip` } : undefined;
  }

  /** Removes the archive of a snapshot or log bundle; nothing there is not an error. */
  async removeArchive(kind: 'snapshots' | 'log_bundles', id: string): Promise<void> {
    const path = this.archivePath(kind, id);
    await rm(kind === 'snapshots' ? dirname(path) : path, { recursive: true, force: true });
  }

  /** Copies a directory of the store, e.g. a blueprint's for a plugins update. */
  async copyDirectory(from: string, to: string): Promise<void> {
    await cp(this.#confined(from), this.#confined(to), { recursive: true });
  }

  #confined(path: string): string {
    const absolute = resolve(path);
    if (!absolute.startsWith(this.root + sep)) {
      throw new GantryError('forbidden_error', `${basename(path)} is outside of the file server`);
    }
    return absolute;
  }

  /**
   * Finds what a checked path (`parseResourcePath`) names, below the root or among the product's own resources.
   * @returns undefined when there is nothing; hidden files are never found, nor what a link leads to outside of the
   *   directory of the blueprint, deployment or tenant it lies in
   */
  async find(parts: readonly string[]): Promise<{ path: string; isDirectory: boolean; bytes: number } | undefined> {
    if (parts.length === 0 || parts[0]?.startsWith('.')) {
      return undefined;
    }
    const names = parts.map(segment);
    const candidates = [join(this.root, ...names), join(this.sharedRoot, ...names)];
    if (names[0] === 'cloudify' && names[1] === 'types') {
      candidates.push(join(this.sharedRoot, ...names.slice(1)));
    }
    for (const path of candidates) {
      const found = await stat(path).catch(() => undefined);
      if (found) {
        const isOwn = !path.startsWith(this.root + sep) || (await this.#staysWithOwner(path, names));
        return isOwn ? { path, isDirectory: found.isDirectory(), bytes: found.size } : undefined;
      }
    }
    return undefined;
  }

  /** Operations may leave links; a directory at the top may be one that an administrator made. */
  async #staysWithOwner(path: string, names: readonly string[]): Promise<boolean> {
    const [top = '', ...below] = names;
    const owned = join(await realpath(join(this.root, top)), ...below.slice(0, ownerDepth));
    const real = await realpath(path);
    return real === owned || real.startsWith(owned + sep);
  }

  /** Whether the blueprint's directory was published. */
  async hasBlueprint(tenant: string, blueprintId: string): Promise<boolean> {
    return isThere(this.blueprintDirectory(tenant, blueprintId));
  }
}
