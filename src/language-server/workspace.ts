import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { LRUCache } from 'lru-cache';
import { coerceError } from '../domain/errors.ts';
import type { ImportedSource, ImportResolver } from '../dsl/imports/resolver.ts';
import { candidateLocations, splitImport } from '../dsl/imports/locations.ts';
import { ManagerImportResolver } from '../files/import-resolver.ts';
import { YamlModel } from './yaml-model.ts';

/** A file as it is now: in the editor where it is open, else on the disk. */
export interface SourceFile {
  readonly uri: string;
  readonly model: YamlModel;
}

/** A file of a blueprint, and what the names it defines are prefixed with. */
export interface Unit {
  readonly file: SourceFile;
  /** Empty, or a namespace with its delimiter. */
  readonly prefix: string;
  /** Import as written -> the file it means. */
  readonly imports: ReadonlyMap<string, SourceFile>;
}

const maxUnits = 300;
const maxSiblings = 200;
const maxFileBytes = 8 * 1024 * 1024;
const versionField = 'tosca_definitions_version';

/** Texts of open documents, by URI. */
export interface OpenDocuments {
  textOf(uri: string): string | undefined;
  uris(): readonly string[];
}

/** The files of blueprints: what is imported by what, and what they hold. */
export class Workspace {
  readonly #open: OpenDocuments;
  readonly #resources: string;
  readonly #files = new LRUCache<string, { text: string; file: SourceFile }>({ max: 300 });
  /** Texts from other hosts; asking them again at every keystroke would be rude. */
  readonly #remote = new LRUCache<string, ImportedSource>({ max: 100, ttl: 300_000 });

  /** @param resources folder of the product's own resources, with `types/` in it */
  constructor(open: OpenDocuments, resources: string) {
    this.#open = open;
    this.#resources = resources;
  }

  /** A file by its URI; undefined when there is none. */
  async file(uri: string): Promise<SourceFile | undefined> {
    const text = this.#open.textOf(uri) ?? (await this.#read(uri));
    return text === undefined ? undefined : this.fileOf(uri, text);
  }

  /** A file with a given text. */
  fileOf(uri: string, text: string): SourceFile {
    const known = this.#files.get(uri);
    if (known?.text === text) {
      return known.file;
    }
    const file = { uri, model: new YamlModel(text) };
    this.#files.set(uri, { text, file });
    return file;
  }

  /** A file and everything it imports that can be found, breadth first; imports of other blueprints are left out. */
  async unitsOf(main: SourceFile): Promise<Unit[]> {
    const resolver = this.resolverOf(main.uri);
    const units = [{ file: main, prefix: '', imports: new Map<string, SourceFile>() }];
    const seen = new Set([`\0${main.uri}`]);
    const version = main.model.valueAt([versionField]);
    const versionSuffix = typeof version === 'string' ? version.replace('cloudify_dsl_', '') : undefined;
    for (const unit of units) {
      for (const text of importsOf(unit.file)) {
        const found = await this.#find(text, unit.file.uri, main.uri, versionSuffix, resolver);
        if (!found || units.length >= maxUnits) {
          continue;
        }
        unit.imports.set(text, found.file);
        const prefix = found.namespace === undefined ? unit.prefix : `${unit.prefix}${found.namespace}--`;
        const key = `${prefix}\0${found.file.uri}`;
        if (!seen.has(key)) {
          seen.add(key);
          units.push({ file: found.file, prefix, imports: new Map() });
        }
      }
    }
    return units;
  }

  /**
   * Every blueprint the file is part of, as far as they are open or stand beside it; the file alone when there is none.
   */
  async blueprintsWith(uri: string): Promise<Unit[][]> {
    const candidates = new Set([uri, ...this.#open.uris(), ...(await siblingsOf(uri))]);
    const blueprints: Unit[][] = [];
    for (const candidate of candidates) {
      const file = await this.file(candidate);
      if (!file || (candidate !== uri && !isMainFile(file))) {
        continue;
      }
      const units = await this.unitsOf(file);
      if (units.some((unit) => unit.file.uri === uri)) {
        blueprints.push(units);
      }
    }
    return blueprints;
  }

  /** Reaches what the blueprint of a main file imports, open documents first. */
  resolverOf(mainUri: string): ImportResolver {
    const folder = mainUri.startsWith('file:') ? dirname(fileURLToPath(mainUri)) : this.#resources;
    const disk = new ManagerImportResolver({
      blueprintDirectory: folder,
      sharedRoot: this.#resources,
      filesRoot: this.#resources,
      tenant: 'default_tenant',
      policy: { allowedHosts: ['*'] },
      catalogue: { findPlugin: async () => undefined, findBlueprint: async () => undefined },
    });
    return {
      locateFile: (path) => disk.locateFile(path),
      resourceExists: (url) => disk.resourceExists(url),
      fetch: async (location) => {
        const text = location.startsWith('file:') ? this.#open.textOf(normalUri(location)) : undefined;
        if (text !== undefined) {
          return { kind: 'file', text };
        }
        const known = this.#remote.get(location);
        const source = known ?? (await disk.fetch(location));
        if (/^https?:/.test(location)) {
          this.#remote.set(location, source);
        }
        return source;
      },
    };
  }

  /** The URI under which an editor can open a location; the product's own resources are files here. */
  uriOf(location: string): string {
    if (location.startsWith('resource:')) {
      const name = location.slice('resource:'.length).replace(/^cloudify\/types\//, 'types/');
      return pathToFileURL(join(this.#resources, name)).href;
    }
    return normalUri(location);
  }

  async #find(
    text: string,
    importedBy: string,
    main: string,
    versionSuffix: string | undefined,
    resolver: ImportResolver,
  ): Promise<{ file: SourceFile; namespace: string | undefined } | undefined> {
    try {
      const { namespace, target } = splitImport(text);
      const resourcesBase = main.slice(0, main.lastIndexOf('/'));
      for (const candidate of candidateLocations(target, { importedBy, resourcesBase, versionSuffix })) {
        const location = candidate.kind === 'location' ? candidate.location : await resolver.locateFile(candidate.path);
        const source = location === undefined ? undefined : await resolver.fetch(location).catch(() => undefined);
        if (location !== undefined && source?.kind === 'file') {
          return { file: this.fileOf(this.uriOf(location), source.text), namespace };
        }
      }
    } catch (error) {
      // diagnostics tell of imports that are wrong; here they are only not followed
      coerceError(error);
    }
    return undefined;
  }

  async #read(uri: string): Promise<string | undefined> {
    if (!uri.startsWith('file:')) {
      return undefined;
    }
    const path = fileURLToPath(uri);
    const information = await stat(path).catch(() => undefined);
    return information?.isFile() && information.size <= maxFileBytes ? readFile(path, 'utf8') : undefined;
  }
}

/** Whether the file is a blueprint of its own and not only a part of others. */
export function isMainFile(file: SourceFile): boolean {
  const version = file.model.valueAt([versionField]);
  return version !== undefined && file.model.valueAt(['node_templates']) !== undefined;
}

/** Editors and Node may write the same file differently, e.g. escape a character or not. */
export function normalUri(uri: string): string {
  try {
    return uri.startsWith('file:') ? pathToFileURL(fileURLToPath(uri)).href : uri;
  } catch {
    return uri;
  }
}

function importsOf(file: SourceFile): string[] {
  const imports = file.model.valueAt(['imports']);
  return (Array.isArray(imports) ? (imports as unknown[]) : []).flatMap((entry) => {
    const text = typeof entry === 'object' && entry !== null ? Object.keys(entry)[0] : entry;
    return typeof text === 'string' && text !== '' ? [text] : [];
  });
}

async function siblingsOf(uri: string): Promise<string[]> {
  if (!uri.startsWith('file:')) {
    return [];
  }
  const folder = dirname(fileURLToPath(uri));
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => /\.ya?ml$/i.test(name))
    .slice(0, maxSiblings)
    .map((name) => pathToFileURL(join(folder, name)).href);
}
