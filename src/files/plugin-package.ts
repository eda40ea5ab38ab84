import { access, readFile, readdir, rm } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { parse } from 'yaml';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { FileStore, ReceivedArchive } from './file-store.ts';
import { unpackArchive } from './unpack.ts';

/** What the package.json inside a plugin's archive says. */
export interface PluginDescription {
  readonly archiveName: string;
  readonly packageName: string;
  readonly packageVersion: string | undefined;
  readonly packageSource: string | undefined;
  readonly supportedPlatform: Json | undefined;
  readonly distribution: string | undefined;
  readonly distributionRelease: string | undefined;
  readonly distributionVersion: string | undefined;
  readonly supportedPyVersions: readonly string[];
  readonly wheels: readonly string[];
  readonly excludedWheels: readonly string[];
}

/** Sections of plugin.yaml that are kept with the plugin and replace those written there. */
export interface PluginSections {
  readonly labels: JsonObject | undefined;
  readonly blueprintLabels: JsonObject | undefined;
  readonly resourceTags: JsonObject | undefined;
}

/** One plugin of an upload; its files are moved to where they stay. */
export interface PluginPackage {
  readonly archivePath: string;
  readonly yamlPaths: readonly string[];
  /** Picture of the plugin. */
  readonly iconPath: string | undefined;
  readonly description: PluginDescription;
  readonly sections: PluginSections;
}

/** An upload taken apart, to be disposed of when the files were moved. */
export interface PluginUploadContent {
  readonly packages: readonly PluginPackage[];
  /** Whether it is a collection that may hold any number of plugins. */
  readonly isCaravan: boolean;
  dispose(): Promise<void>;
}

const archiveEnding = /\.(wgn|tgz|tar\.gz)$/;
/** Index of a caravan. */
const caravanFile = 'METADATA';
const iconFile = 'icon.png';
const yamlEnding = /\.ya?ml$/;

function refuse(message: string, cause?: unknown): never {
  throw new GantryError('invalid_plugin_error', message, cause === undefined ? {} : { cause });
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Reads package.json at the top of an unpacked plugin, or in the one directory there. */
async function readDescription(directory: string): Promise<JsonObject | undefined> {
  const entries = await readdir(directory, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory());
  const [only] = folders;
  const places = [directory, ...(only && folders.length === 1 ? [join(directory, only.name)] : [])];
  for (const place of places) {
    const text = await readFile(join(place, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) {
      try {
        const content = JSON.parse(text) as unknown;
        return isObject(content) ? content : refuse('The package.json of the plugin is no object');
      } catch (error) {
        return refuse('The package.json of the plugin is not JSON', error);
      }
    }
  }
  return undefined;
}

/** Wagons and Node packages name the same things differently. */
function describe(content: JsonObject): PluginDescription {
  const name = textOf(content['package_name']) ?? textOf(content['name']);
  const version = textOf(content['package_version']) ?? textOf(content['version']);
  if (name === undefined || name.length > 256) {
    return refuse('The package.json of the plugin has no package_name');
  }
  const system = isObject(content['build_server_os_properties']) ? content['build_server_os_properties'] : {};
  return {
    archiveName: textOf(content['archive_name']) ?? `${name.replaceAll(/[^\w.-]/g, '_')}-${version ?? '0'}.tgz`,
    packageName: name,
    packageVersion: version,
    packageSource: textOf(content['package_source']),
    supportedPlatform: content['supported_platform'] ?? undefined,
    distribution: textOf(system['distribution']),
    distributionRelease: textOf(system['distribution_release']),
    distributionVersion: textOf(system['distribution_version']),
    supportedPyVersions: texts(content['supported_python_versions']),
    wheels: texts(content['wheels']),
    excludedWheels: texts(content['excluded_wheels']),
  };
}

function flatten(labels: unknown): JsonObject | undefined {
  if (!isObject(labels)) {
    return undefined;
  }
  return Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [key, isObject(value) ? (value['values'] ?? []) : value]),
  );
}

async function readSections(yamlPaths: readonly string[]): Promise<PluginSections> {
  const [first] = [...yamlPaths].sort().reverse();
  if (first === undefined) {
    return { labels: undefined, blueprintLabels: undefined, resourceTags: undefined };
  }
  let content: unknown;
  try {
    content = parse(await readFile(first, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    return refuse(`A YAML file of the plugin cannot be read: ${coerceError(error).message}`, error);
  }
  const sections = isObject(content) ? content : {};
  return {
    labels: flatten(sections['labels']),
    blueprintLabels: flatten(sections['blueprint_labels']),
    resourceTags: isObject(sections['resource_tags']) ? sections['resource_tags'] : undefined,
  };
}

/** The one directory of an unpacked archive, if it has just one. */
async function onlyFolder(directory: string): Promise<string | undefined> {
  const folders = (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  return folders.length === 1 && folders[0] ? join(directory, folders[0].name) : undefined;
}

/** What a caravan says it holds: path of a plugin's archive -> path of its YAML file, both inside `folder`. */
async function readCaravan(folder: string): Promise<readonly [string, string][] | undefined> {
  const text = await readFile(join(folder, caravanFile), 'utf8').catch(() => undefined);
  if (text === undefined) {
    return undefined;
  }
  let content: unknown;
  try {
    content = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    return refuse(`The file ${caravanFile} of the caravan cannot be read: ${coerceError(error).message}`, error);
  }
  if (!isObject(content) || Object.keys(content).length === 0) {
    return refuse(`The file ${caravanFile} of the caravan must map archives to YAML files`);
  }
  return Object.entries(content).map(([archive, yaml]) => {
    if (typeof yaml !== 'string') {
      return refuse(`The file ${caravanFile} of the caravan names no YAML file for ${archive}`);
    }
    return [insideOf(folder, archive), insideOf(folder, yaml)];
  });
}

function insideOf(folder: string, name: string): string {
  const path = resolve(folder, name);
  return path.startsWith(folder + sep) ? path : refuse(`${name} is outside of the caravan`);
}

async function openArchive(
  archivePath: string,
  yamlPaths: readonly string[],
  workDirectory: string,
): Promise<PluginPackage> {
  await unpackArchive(archivePath, workDirectory);
  const description = (await readDescription(workDirectory)) ?? refuse('The archive of the plugin has no package.json');
  const sections = await readSections(yamlPaths);
  return { archivePath, yamlPaths, iconPath: undefined, description: describe(description), sections };
}

async function openCaravan(entries: readonly [string, string][], holder: string): Promise<PluginPackage[]> {
  const packages: PluginPackage[] = [];
  for (const [index, [archive, yaml]] of entries.entries()) {
    for (const path of [archive, yaml]) {
      await access(path).catch((error: unknown) => refuse(`The caravan has no file ${basename(path)}`, error));
    }
    packages.push(await openArchive(archive, [yaml], join(holder, `inner-${index}`)));
  }
  return packages;
}

/**
 * Takes an upload of plugins apart: a bare archive with package.json (a wagon or a Node package), an archive of
 * exactly one such archive and its YAML files, or a caravan: a directory of archives and YAML files with an index.
 * @throws GantryError invalid_plugin_error; bad_parameters_error when an archive is refused, see `unpackArchive`
 */
export async function openPluginUpload(files: FileStore, received: ReceivedArchive): Promise<PluginUploadContent> {
  const holder = await files.temporaryDirectory();
  const dispose = (): Promise<void> => rm(holder, { recursive: true, force: true });
  const single = (content: PluginPackage): PluginUploadContent => ({ packages: [content], isCaravan: false, dispose });
  try {
    const outer = join(holder, 'outer');
    await unpackArchive(received.path, outer);
    const folder = await onlyFolder(outer);
    const caravan = folder === undefined ? undefined : await readCaravan(folder);
    if (caravan) {
      return { packages: await openCaravan(caravan, holder), isCaravan: true, dispose };
    }
    const bare = await readDescription(outer);
    if (bare) {
      const sections = await readSections([]);
      return single({
        archivePath: received.path,
        yamlPaths: [],
        iconPath: undefined,
        description: describe(bare),
        sections,
      });
    }
    const names = (await readdir(outer, { withFileTypes: true })).filter((entry) => entry.isFile());
    const archives = names.filter(({ name }) => archiveEnding.test(name));
    const [archive] = archives;
    if (!archive || archives.length !== 1) {
      return refuse('Archive must include one wgn file, and its YAML files beside it');
    }
    const yamlPaths = names.filter(({ name }) => yamlEnding.test(name)).map(({ name }) => join(outer, name));
    const opened = await openArchive(join(outer, archive.name), yamlPaths, join(holder, 'inner'));
    const iconPath = names.some(({ name }) => name === iconFile) ? join(outer, iconFile) : undefined;
    return single({ ...opened, iconPath });
  } catch (error) {
    await dispose();
    throw error;
  }
}
