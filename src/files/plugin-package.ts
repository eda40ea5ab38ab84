import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
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

/** An uploaded plugin taken apart; its files are moved to where they stay, then it is disposed of. */
export interface PluginPackage {
  readonly archivePath: string;
  readonly yamlPaths: readonly string[];
  readonly description: PluginDescription;
  readonly sections: PluginSections;
  dispose(): Promise<void>;
}

const archiveEnding = /\.(wgn|tgz|tar\.gz)$/;
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

/**
 * Takes an uploaded plugin apart: a bare archive with package.json (a wagon or a Node package), or an archive of
 * exactly one such archive and its YAML files.
 * @throws GantryError invalid_plugin_error; bad_parameters_error when an archive is refused, see `unpackArchive`
 */
export async function openPluginPackage(files: FileStore, received: ReceivedArchive): Promise<PluginPackage> {
  const holder = await files.temporaryDirectory();
  const dispose = (): Promise<void> => rm(holder, { recursive: true, force: true });
  try {
    const outer = join(holder, 'outer');
    await unpackArchive(received.path, outer);
    const bare = await readDescription(outer);
    if (bare) {
      const sections = await readSections([]);
      return { archivePath: received.path, yamlPaths: [], description: describe(bare), sections, dispose };
    }
    const names = (await readdir(outer, { withFileTypes: true })).filter((entry) => entry.isFile());
    const archives = names.filter(({ name }) => archiveEnding.test(name));
    const [archive] = archives;
    if (!archive || archives.length !== 1) {
      return refuse('Archive must include one wgn file, and its YAML files beside it');
    }
    const archivePath = join(outer, archive.name);
    const inner = join(holder, 'inner');
    await unpackArchive(archivePath, inner);
    const description = (await readDescription(inner)) ?? refuse('The archive of the plugin has no package.json');
    const yamlPaths = names.filter(({ name }) => yamlEnding.test(name)).map(({ name }) => join(outer, name));
    return {
      archivePath,
      yamlPaths,
      description: describe(description),
      sections: await readSections(yamlPaths),
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
