import { DslError, formatError, logicError } from '../errors.ts';
import type { Path, SourceLocation } from '../errors.ts';
import { Problems } from '../problems.ts';
import { typeNameOf } from '../schema/element.ts';
import { namespaceDelimiter } from '../schema/namespace.ts';
import { describeVersion, isOlder, supportedVersions, versionKey, versionNumbers } from '../versions.ts';
import type { Version } from '../versions.ts';
import type { SourceDocument } from '../yaml/load.ts';
import { locationIn } from '../yaml/positions.ts';
import { readImports } from './entries.ts';
import type { ImportEntry } from './entries.ts';
import { isBuiltInTypes, sectionsOf, withStoredSections } from './fragment.ts';
import type { Sections } from './fragment.ts';
import { blueprintPrefix, candidateLocations, splitImport } from './locations.ts';
import type { Candidate } from './locations.ts';
import type { ImportedSource, ImportResolver } from './resolver.ts';

/** A file of the import tree. */
export interface ImportedUnit {
  readonly location: string | undefined;
  readonly namespace: string | undefined;
  readonly document: SourceDocument;
  readonly sections: Sections;
  /** Values given to plugin properties where the file is imported. */
  readonly properties: Readonly<Record<string, unknown>> | undefined;
  /** The statement that imports it; undefined for the main file. */
  readonly statement?: { readonly document: SourceDocument; readonly path: Path };
}

export interface CollectOptions {
  readonly resolver: ImportResolver;
  readonly resourcesBase: string | undefined;
  /** Version of the main file. */
  readonly version: Version;
  /** Whether imports may not be of a later version, nor use constructs the main version does not have. */
  readonly validateVersion: boolean;
  readonly maxImports: number;
  load(text: string, file: string | undefined, what: string): SourceDocument;
  /** Parses an imported blueprint down to its merged sections. */
  loadBlueprint(id: string, source: Extract<ImportedSource, { kind: 'blueprint' }>): Promise<LoadedBlueprint>;
}

export interface LoadedBlueprint {
  readonly document: SourceDocument;
  readonly sections: Sections;
}

export interface CollectedImports {
  /** The main file first, then breadth first. */
  readonly units: readonly ImportedUnit[];
  /** Namespace -> id of the blueprint imported under it. */
  readonly namespaces: ReadonlyMap<string, string>;
}

/**
 * Reads everything a main file imports, directly or not; each location once per namespace.
 *
 * @throws DslError 13 when an import cannot be found, and for the rules of `imports`
 */
export async function collectImports(main: ImportedUnit, options: CollectOptions): Promise<CollectedImports> {
  const collector = new Collector(options);
  await collector.visitAll(main);
  return { units: [...collector.units.values()], namespaces: collector.namespaces };
}

/** Each failure may have cost a wait for a host that does not answer. */
const maxFailures = 5;

class Collector {
  readonly units = new Map<string, ImportedUnit>();
  readonly namespaces = new Map<string, string>();
  private readonly options: CollectOptions;
  private readonly problems = new Problems(maxFailures);
  private readonly fetched = new Map<string, Promise<ImportedSource>>();

  constructor(options: CollectOptions) {
    this.options = options;
  }

  async visitAll(main: ImportedUnit): Promise<void> {
    this.units.set(unitKey(main.location, undefined), main);
    const queue = [main];
    for (let next = queue.shift(); next; next = queue.shift()) {
      for (const entry of this.importsOf(next, next === main)) {
        const unit = await this.attempt(next, entry);
        if (unit) {
          this.units.set(unitKey(unit.location, unit.namespace), unit);
          queue.push(unit);
        }
      }
    }
    this.problems.throwIfAny();
  }

  /** Imports that fail do not keep the others from being looked at. */
  private async attempt(parent: ImportedUnit, entry: ImportEntry): Promise<ImportedUnit | undefined> {
    try {
      return await atImport(parent.document, entry, () => this.visit(entry, parent));
    } catch (error) {
      if (!(error instanceof DslError)) {
        throw error;
      }
      this.problems.add(error);
      if (this.problems.isFull) {
        this.problems.throwIfAny();
      }
      return undefined;
    }
  }

  private importsOf(unit: ImportedUnit, isMain: boolean): ImportEntry[] {
    const { version, validateVersion } = this.options;
    const root = unit.document.root as Record<string, unknown>;
    if (!unit.sections.has('imports') && !(isMain && root['imports'] === null)) {
      return [];
    }
    try {
      return readImports(root['imports'], {
        version: isMain && validateVersion ? version : undefined,
        areUnique: isMain,
      });
    } catch (error) {
      throw placed(error, unit.document);
    }
  }

  private async visit(entry: ImportEntry, parent: ImportedUnit): Promise<ImportedUnit | undefined> {
    const { namespace: own, target } = splitImport(entry.text);
    const namespace = joinNamespaces(parent.namespace, own);
    const candidates = candidateLocations(target, {
      importedBy: parent.location,
      resourcesBase: this.options.resourcesBase,
      versionSuffix: describeVersion(this.options.version).replace('cloudify_dsl_', ''),
    });
    let lastError: DslError | undefined;
    for (const candidate of candidates) {
      const location = await this.locationOf(candidate);
      if (location === undefined) {
        continue;
      }
      const known = this.units.get(unitKey(location, namespace));
      if (known) {
        requireNoNamespace(known.sections, namespace, parent.namespace);
        return undefined;
      }
      const source = await this.tryFetch(location, namespace);
      if (source instanceof DslError) {
        lastError = source;
        continue;
      }
      return this.unitOf(source, location, namespace, parent, entry);
    }
    if (lastError) {
      throw lastError;
    }
    throw logicError(13, `Import failed: no suitable location found for import '${entry.text}'`);
  }

  private async locationOf(candidate: Candidate): Promise<string | undefined> {
    return candidate.kind === 'location' ? candidate.location : this.options.resolver.locateFile(candidate.path);
  }

  private async tryFetch(location: string, namespace: string | undefined): Promise<ImportedSource | DslError> {
    if (location.startsWith(blueprintPrefix)) {
      this.reserveNamespace(location, namespace);
    }
    if (this.units.size > this.options.maxImports) {
      const limit = String(this.options.maxImports);
      throw logicError(13, `Import failed: more than ${limit} files are imported; do files import each other in turn?`);
    }
    let fetching = this.fetched.get(location);
    if (!fetching) {
      fetching = this.options.resolver.fetch(location);
      this.fetched.set(location, fetching);
    }
    try {
      return await fetching;
    } catch (error) {
      if (error instanceof DslError) {
        return error;
      }
      throw error;
    }
  }

  private reserveNamespace(location: string, namespace: string | undefined): void {
    if (namespace === undefined) {
      throw logicError(213, `Invalid ${location}: blueprint import cannotbe used without namespace`, {
        remedy: `Write '<namespace>--${location}'`,
      });
    }
    if (this.namespaces.has(namespace)) {
      const message = `Import failed ${namespace}: can not use the samenamespace for importing blueprints`;
      throw logicError(214, message, { remedy: 'Give each blueprint import a namespace of its own' });
    }
    this.namespaces.set(namespace, location.slice(blueprintPrefix.length));
  }

  private async unitOf(
    source: ImportedSource,
    location: string,
    namespace: string | undefined,
    parent: ImportedUnit,
    entry: ImportEntry,
  ): Promise<ImportedUnit> {
    const { properties } = entry;
    const statement = { document: parent.document, path: entry.path };
    if (source.kind === 'blueprint') {
      const id = location.slice(blueprintPrefix.length);
      const loaded = await this.options.loadBlueprint(id, source);
      return { location, namespace, properties, statement, ...loaded };
    }
    const document = this.options.load(
      source.text,
      location,
      `Failed to parse import '${entry.text}'(via '${location}')`,
    );
    let sections = sectionsOf(document);
    if (source.storedSections) {
      sections = withStoredSections(sections, source.storedSections, document);
    }
    requireNoNamespace(sections, namespace, parent.namespace);
    return {
      location,
      namespace: isBuiltInTypes(sections) ? undefined : namespace,
      document,
      sections,
      properties,
      statement,
    };
  }
}

function unitKey(location: string | undefined, namespace: string | undefined): string {
  return `${namespace ?? ''}\0${location ?? ''}`;
}

function joinNamespaces(outer: string | undefined, own: string | undefined): string | undefined {
  return outer !== undefined && own !== undefined ? outer + namespaceDelimiter + own : (own ?? outer);
}

function requireNoNamespace(
  sections: Sections,
  namespace: string | undefined,
  parentNamespace: string | undefined,
): void {
  if (namespace !== undefined && namespace !== parentNamespace && isBuiltInTypes(sections)) {
    const message = `Invalid import namespace ${namespace}: cannot be used on Cloudify basic types.`;
    throw logicError(214, message, { remedy: 'Import the types without a namespace' });
  }
}

/** Runs the work of one import; its mistakes stand at the import statement unless they say otherwise. */
async function atImport<T>(document: SourceDocument, entry: ImportEntry, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DslError && !error.location) {
      error.location = locationIn(document, entry.path);
    }
    throw error;
  }
}

function placed(error: unknown, document: SourceDocument): unknown {
  if (error instanceof DslError && !error.location && Array.isArray(error.path)) {
    error.location = locationIn(document, error.path as readonly (string | number)[]);
  }
  return error;
}

/**
 * Runs what belongs to the statement that imports a file; its mistakes stand there unless they say otherwise.
 *
 * @throws DslError
 */
export function atStatement<T>({ statement }: ImportedUnit, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof DslError && statement) {
      error.location ??= locationIn(statement.document, statement.path);
    }
    throw error;
  }
}

/**
 * Checks that a file is not of a later version than the main file.
 *
 * @throws DslError 28, or 29 for a version there is none of
 */
export function checkImportVersion(unit: ImportedUnit, main: Version, mainText: string): void {
  const written = (unit.document.root as Record<string, unknown>)[versionKey];
  if (written === undefined || written === null) {
    return;
  }
  const at = (): SourceLocation => locationIn(unit.document, [versionKey]);
  if (typeof written !== 'string') {
    throw formatError(1, `Expected 'string' type but found '${typeNameOf(written)}' type`, { location: at() });
  }
  const version = versionNumbers(written);
  if (!version) {
    const known = supportedVersions.map((name) => `'${name}'`).join(', ');
    throw logicError(29, `Unexpected ${versionKey} ${written}; Currently supported versions are: [${known}]`, {
      location: at(),
    });
  }
  if (isOlder(main, version)) {
    const intro = `An import uses a different ${versionKey} than the one defined in the main blueprint's file`;
    const versions = `main blueprint's file version is '${mainText}', import with different version is`;
    const which = `'${unit.location ?? ''}', version of problematic import is '${written}'`;
    throw logicError(28, `${intro}: ${versions} ${which}`, {
      location: at(),
      remedy: `Raise the version of the main blueprint to ${written}`,
    });
  }
}
