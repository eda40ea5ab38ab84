import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { GantryError, coerceError } from '../domain/errors.ts';
import { DslError, logicError } from '../dsl/errors.ts';
import { readByRules } from '../dsl/imports/rules.ts';
import type { ImportRules } from '../dsl/imports/rules.ts';
import type { ImportedSource, ImportResolver, StoredPluginSections } from '../dsl/imports/resolver.ts';
import { fetchRemoteText } from './remote.ts';
import type { RemotePolicy } from './remote.ts';

/** A `plugin:` import as written. */
export interface PluginImport {
  readonly name: string;
  /** PEP 440 specifiers, comma separated, e.g. `>=1.2,<2`. */
  readonly version: readonly string[];
  readonly distribution: readonly string[];
}

export interface FoundPlugin {
  /** The YAML file to import, on this machine. */
  readonly yamlPath: string;
  readonly storedSections?: StoredPluginSections;
}

export interface FoundBlueprint {
  /** Directory with the unpacked blueprint. */
  readonly directory: string;
  readonly mainFileName: string;
}

/** What the resolver asks the store; both look in the tenant of the blueprint that is parsed. */
export interface ImportCatalogue {
  /** @throws DslError InvalidBlueprintImport when the specification is wrong; undefined when there is none */
  findPlugin(plugin: PluginImport): Promise<FoundPlugin | undefined>;
  findBlueprint(id: string): Promise<FoundBlueprint | undefined>;
}

export interface ImportResolverOptions {
  /** The unpacked blueprint; local imports may not leave it. */
  readonly blueprintDirectory: string;
  /** Directory of the product's own resources: `cloudify/types/types.yaml` is looked for there and in its `types/`. */
  readonly sharedRoot: string;
  /** Root of the file server; only its shared directories and the tenant's own may be read. */
  readonly filesRoot: string;
  readonly tenant: string;
  readonly policy: RemotePolicy;
  readonly catalogue: ImportCatalogue;
  /** Imports that are read as another one: the line as written -> the line to use. */
  readonly rewrites?: ReadonlyMap<string, string>;
  /** Rules that replace prefixes of the locations of files. */
  readonly rules?: ImportRules;
  readonly signal?: AbortSignal;
}

const maxImportBytes = 8 * 1024 * 1024;
const remoteTimeout = 10_000;
/** Addresses under which the type definitions were once published; they are part of the product. */
const publishedTypes =
  /^https?:\/\/(?:www\.getcloudify\.org|cloudify\.co)\/spec\/cloudify\/(?<major>\d+)[^/]*\/(?<file>types[\w.]*\.yaml)$/;
/** The first release whose types are of a later language version than 1.3. */
const firstCurrentRelease = 7;

function cannotOpen(location: string, reason: string, cause?: unknown): DslError {
  const message = `Import failed: Unable to open import url ${location}; ${reason}`;
  return logicError(13, message, cause === undefined ? {} : { cause });
}

function invalidImport(message: string): DslError {
  return new DslError('InvalidBlueprintImport', message);
}

/** Takes a `plugin:` import apart. @throws DslError InvalidBlueprintImport for a parameter that is not known */
export function parsePluginImport(specification: string): PluginImport {
  const [name = '', query = ''] = specification.split(/\?(.*)/s);
  const version: string[] = [];
  const distribution: string[] = [];
  for (const pair of query.split('&').filter((entry) => entry.trim() !== '')) {
    const [key = '', value = ''] = pair.split(/=(.*)/s);
    const target = { version, distribution }[key.trim()];
    if (!target) {
      throw invalidImport(`Error parsing spec for plugin ${name}: invalid parameter ${key.trim()}`);
    }
    target.push(decodeURIComponent(value.replaceAll('+', ' ')).trim());
  }
  return { name: name.trim(), version, distribution };
}

function isBelow(path: string, directory: string): boolean {
  const offset = relative(directory, path);
  return offset !== '' && !isAbsolute(offset) && offset !== '..' && !offset.startsWith(`..${sep}`);
}

/** Reaches what blueprints import: their own files, the product's types, stored plugins and blueprints, allowed hosts. */
export class ManagerImportResolver implements ImportResolver {
  readonly #options: ImportResolverOptions;
  readonly #roots: string[];
  readonly #texts = new Map<string, Promise<string>>();

  constructor(options: ImportResolverOptions) {
    this.#options = options;
    const { filesRoot, tenant } = options;
    const shared = ['cloudify', 'spec', 'global-resources', join('tenant-resources', tenant)];
    this.#roots = [
      resolve(options.blueprintDirectory),
      resolve(options.sharedRoot),
      ...shared.map((directory) => resolve(filesRoot, directory)),
    ];
  }

  async fetch(written: string): Promise<ImportedSource> {
    const location = this.#options.rewrites?.get(written) ?? written;
    if (location.startsWith('plugin:')) {
      return this.#fetchPlugin(location.slice('plugin:'.length));
    }
    if (location.startsWith('blueprint:')) {
      return this.#fetchBlueprint(location.slice('blueprint:'.length));
    }
    let text = this.#texts.get(location);
    if (!text) {
      text = this.#readByRules(location);
      text.catch(() => undefined);
      this.#texts.set(location, text);
    }
    return { kind: 'file', text: await text };
  }

  async locateFile(path: string): Promise<string | undefined> {
    const found = await this.#localFile(path);
    return found === undefined ? undefined : pathToFileURL(found).href;
  }

  async resourceExists(url: string): Promise<boolean> {
    if (/^https?:/.test(url)) {
      return this.#read(url).then(
        () => true,
        () => false,
      );
    }
    return (await this.#localFile(url)) !== undefined;
  }

  #readByRules(location: string): Promise<string> {
    const { rules } = this.#options;
    return rules && rules.rules.length > 0
      ? readByRules(location, rules, (candidate) => this.#read(candidate))
      : this.#read(location);
  }

  async #read(location: string): Promise<string> {
    const published = publishedTypes.exec(location)?.groups;
    if (published) {
      const isOld = Number(published['major']) < firstCurrentRelease && published['file'] === 'types.yaml';
      const file = isOld ? 'types_1_3.yaml' : (published['file'] ?? '');
      return this.#readLocal(`resource:cloudify/types/${file}`, location);
    }
    if (/^https?:/.test(location)) {
      try {
        return await fetchRemoteText(location, this.#options.policy, {
          maxBytes: maxImportBytes,
          timeout: remoteTimeout,
          ...(this.#options.signal ? { signal: this.#options.signal } : {}),
        });
      } catch (error) {
        throw cannotOpen(location, coerceError(error).message, error);
      }
    }
    return this.#readLocal(location, location);
  }

  async #readLocal(location: string, shown: string): Promise<string> {
    const path = await this.#localFile(location);
    if (path === undefined) {
      throw cannotOpen(shown, 'there is no such file in the blueprint or among the shared resources');
    }
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      throw cannotOpen(shown, coerceError(error).message, error);
    }
  }

  /** The file behind a location if it is one that blueprints may read. */
  async #localFile(location: string): Promise<string | undefined> {
    for (const candidate of this.#candidates(location)) {
      const isAllowed = this.#roots.some((root) => isBelow(candidate, root));
      const found = isAllowed ? await stat(candidate).catch(() => undefined) : undefined;
      if (found?.isFile()) {
        return candidate;
      }
    }
    return undefined;
  }

  #candidates(location: string): string[] {
    if (location.startsWith('file:')) {
      return URL.canParse(location) ? [this.#pathOf(location)] : [];
    }
    const isShared = location.startsWith('resource:');
    const name = isShared ? location.slice('resource:'.length) : location;
    if (isAbsolute(name)) {
      return isShared ? [] : [resolve(name)];
    }
    const { blueprintDirectory, sharedRoot, filesRoot } = this.#options;
    const shared = [join(sharedRoot, name), join(filesRoot, name)];
    if (name.startsWith('cloudify/types/')) {
      shared.unshift(join(sharedRoot, 'types', name.slice('cloudify/types/'.length)));
    }
    return isShared ? shared : [resolve(blueprintDirectory, name), ...shared];
  }

  #pathOf(url: string): string {
    try {
      return fileURLToPath(url);
    } catch {
      return '';
    }
  }

  async #fetchPlugin(specification: string): Promise<ImportedSource> {
    const plugin = parsePluginImport(specification);
    const found = await this.#options.catalogue.findPlugin(plugin);
    if (!found) {
      const version = plugin.version.length > 0 ? ` with version ${plugin.version.join(',')}` : '';
      throw invalidImport(
        `Couldn't find plugin "${plugin.name}"${version} in the plugins catalog. ` +
          'Please upload the plugin using the console, or cfy plugins upload',
      );
    }
    const text = await readFile(found.yamlPath, 'utf8').catch((error: unknown) => {
      throw cannotOpen(`plugin:${specification}`, coerceError(error).message, error);
    });
    return { kind: 'file', text, ...(found.storedSections ? { storedSections: found.storedSections } : {}) };
  }

  async #fetchBlueprint(id: string): Promise<ImportedSource> {
    const found = await this.#options.catalogue.findBlueprint(id);
    if (!found) {
      throw invalidImport(
        `Requested blueprint import \`${id}\` was not found, please first upload the blueprint with that id.`,
      );
    }
    const path = resolve(found.directory, found.mainFileName);
    if (!isBelow(path, found.directory)) {
      throw new GantryError('forbidden_error', `The main file of blueprint \`${id}\` is outside of it`);
    }
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw cannotOpen(`blueprint:${id}`, coerceError(error).message, error);
    });
    this.#roots.push(resolve(found.directory));
    return {
      kind: 'blueprint',
      text,
      location: pathToFileURL(path).href,
      resourcesBase: pathToFileURL(found.directory).href,
    };
  }
}
