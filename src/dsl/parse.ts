import type { Plan, PlanVersion } from '../domain/plan.ts';
import { findWrongDefaults } from './constraints/index.ts';
import { DslError, logicError } from './errors.ts';
import { findWrongFunctions, planRequirements } from './functions/index.ts';
import { atStatement, checkImportVersion, collectImports } from './imports/collect.ts';
import type { ImportedUnit, LoadedBlueprint } from './imports/collect.ts';
import { sectionsOf } from './imports/fragment.ts';
import type { Entry, Sections } from './imports/fragment.ts';
import { candidateLocations, directoryOf } from './imports/locations.ts';
import { Merger } from './imports/merge.ts';
import { withPluginProperties } from './imports/plugin-properties.ts';
import type { ImportResolver } from './imports/resolver.ts';
import { MergedBlueprint } from './merged.ts';
import { assemblePlan } from './plan/assemble.ts';
import { possibleScripts } from './plan/scripts.ts';
import { Problems } from './problems.ts';
import { sections as elements } from './schema/blueprint.ts';
import { validateElement } from './schema/validate.ts';
import type { LocalTime } from './sections/schedules.ts';
import { readVersion, versionKey } from './versions.ts';
import type { Version } from './versions.ts';
import { defaultYamlLimits, loadYaml } from './yaml/load.ts';
import type { SourceDocument, YamlLimits } from './yaml/load.ts';
import { locationIn } from './yaml/positions.ts';

export type { ImportedSource, ImportResolver } from './imports/resolver.ts';

/** Keeps loaded files between parses, by their content: files such as the built-in types are loaded once. */
export interface DocumentCache {
  get(key: string): SourceDocument | undefined;
  set(key: string, document: SourceDocument): unknown;
}

export interface ParseLimits extends YamlLimits {
  /** Files of one blueprint, those of imported blueprints not counted. */
  readonly maxImports: number;
  /** Blueprints that import each other in turn. */
  readonly maxBlueprintDepth: number;
}

const defaultParseLimits: ParseLimits = { ...defaultYamlLimits, maxImports: 500, maxBlueprintDepth: 20 };

export interface ParseOptions {
  /** Text of the main blueprint file. */
  readonly text: string;
  /** Path or URL of the main file; scripts and relative imports are looked for beside it. */
  readonly location?: string | undefined;
  readonly resolver: ImportResolver;
  /** Where shared resources such as `cloudify/types/types.yaml` are: a path or URL. */
  readonly resourcesBase?: string | undefined;
  /** Further bases in which scripts are looked for. */
  readonly additionalResourceBases?: readonly string[] | undefined;
  /** Whether constructs newer than the declared version are refused. Default true. */
  readonly validateVersion?: boolean | undefined;
  /** Whether intrinsic functions are validated. Default true. */
  readonly validateFunctions?: boolean | undefined;
  /** Whether input defaults are checked against their constraints. Default true. */
  readonly validateInputDefaults?: boolean | undefined;
  /** Time and zone for times of schedules that do not say which day or zone they mean. */
  readonly localTime?: LocalTime | undefined;
  readonly cache?: DocumentCache | undefined;
  readonly limits?: ParseLimits | undefined;
}

interface Merging {
  readonly merged: MergedBlueprint;
  readonly version: PlanVersion;
  /** Directory of the main file as a URL. */
  readonly base: string | undefined;
}

type Load = (text: string, file: string | undefined, what: string) => SourceDocument;

/** What is judged before anything else, and stops the rest. */
const headSections: ReadonlySet<string> = new Set([versionKey, 'imports', 'dsl_definitions']);

/**
 * Parses a blueprint with everything it imports into its plan.
 *
 * Parts of the plan that are equal may be one object (operations of nodes of one type, plugin records): treat the plan
 * as read-only, and copy it through JSON before changing it.
 *
 * @throws DslError with class, code, place and remedy; `others` holds further independent mistakes.
 */
export async function parseBlueprint(options: ParseOptions): Promise<Plan> {
  const { merged, version, base } = await mergeImports(options, []);
  const bases = [base, ...(options.additionalResourceBases ?? [])].filter((item) => item !== undefined);
  const localScripts = await findScripts(possibleScripts(merged.tree), bases, options.resolver);
  const problems = new Problems();
  try {
    const assembly = {
      version,
      validateVersion: options.validateVersion ?? true,
      localScripts,
      local: options.localTime,
    };
    const plan = assemblePlan(merged, assembly, problems);
    if (options.validateInputDefaults ?? true) {
      findWrongDefaults(plan.inputs, problems);
    }
    if (options.validateFunctions ?? true) {
      findWrongFunctions(plan, problems);
    }
    problems.throwIfAny();
    plan.requirements = planRequirements(plan);
    return plan;
  } catch (error) {
    if (!(error instanceof DslError)) {
      throw error;
    }
    const first = problems.brokenOffBy(error);
    merged.locate(first);
    throw first;
  }
}

async function mergeImports(options: ParseOptions, blueprints: readonly string[]): Promise<Merging> {
  const load: Load = (text, file, what) =>
    loadCached(text, file, what, options.cache, options.limits ?? defaultParseLimits);
  const document = load(options.text, options.location, 'Failed to parse DSL');
  const sections = sectionsOf(document);
  try {
    return await mergeInto({ document, sections }, load, options, blueprints);
  } catch (error) {
    if (error instanceof DslError) {
      error.others = [...error.others, ...misshapen(document, sections)];
    }
    throw error;
  }
}

/**
 * Mistakes in the shape of the main file's sections. They stand whatever else is wrong with its version and with the
 * files it imports.
 */
function misshapen(document: SourceDocument, sections: Sections): readonly DslError[] {
  const problems = new Problems();
  const judged = Object.entries(document.root as Record<string, unknown>).filter(([name]) => !headSections.has(name));
  for (const [name, value] of judged) {
    const element = Object.hasOwn(elements, name) ? elements[name] : undefined;
    if (element) {
      validateElement(element, value, [name], { version: undefined, problems, tooNew: problems });
    }
  }
  const merged = new MergedBlueprint(sections, document);
  problems.all.forEach((problem) => merged.locate(problem));
  return problems.all;
}

async function mergeInto(
  { document, sections }: Pick<ImportedUnit, 'document' | 'sections'>,
  load: Load,
  options: ParseOptions,
  blueprints: readonly string[],
): Promise<Merging> {
  const validateVersion = options.validateVersion ?? true;
  const version = readMainVersion(document, validateVersion);
  const numbers = version.definitions_version as unknown as Version;
  const location = await mainLocation(options);
  const main: ImportedUnit = { location, namespace: undefined, document, sections, properties: undefined };
  const { units, namespaces } = await collectImports(main, {
    resolver: options.resolver,
    resourcesBase: options.resourcesBase,
    version: numbers,
    validateVersion,
    maxImports: (options.limits ?? defaultParseLimits).maxImports,
    load,
    loadBlueprint: (id, source) =>
      loadImportedBlueprint(
        id,
        { ...options, text: source.text, location: source.location, resourcesBase: source.resourcesBase },
        blueprints,
      ),
  });
  const merger = new Merger(numbers, [...namespaces.values()]);
  merger.sections.set('namespaces_mapping', {
    kind: 'entries',
    document,
    entries: new Map([...namespaces].map(([name, id]): [string, Entry] => [name, internalEntry(id, document)])),
  });
  for (const unit of units) {
    if (validateVersion) {
      checkImportVersion(unit, numbers, version.raw);
    }
    const withProperties = atStatement(unit, () => withPluginProperties(unit.sections, unit.properties));
    merger.add(withProperties, unit.namespace);
  }
  merger.sections.set('imported_blueprints', { kind: 'value', document, value: merger.importedBlueprints });
  merger.sections.set(versionKey, { kind: 'value', document, value: version.raw });
  const base = location === undefined ? undefined : directoryOf(location).replace(/\/$/, '');
  return { merged: new MergedBlueprint(merger.sections, document), version, base };
}

function internalEntry(value: unknown, document: SourceDocument): Entry {
  return { value, document, path: ['imports'], isBuiltIn: false };
}

/** Imports of an imported blueprint are merged without judging versions: that was done when it was uploaded. */
async function loadImportedBlueprint(
  id: string,
  options: ParseOptions,
  blueprints: readonly string[],
): Promise<LoadedBlueprint> {
  const limits = options.limits ?? defaultParseLimits;
  const chain = [...blueprints, id];
  if (blueprints.includes(id) || chain.length > limits.maxBlueprintDepth) {
    throw logicError(13, `Import failed: blueprints import each other: ${chain.join(' --> ')}`);
  }
  const { merged } = await mergeImports({ ...options, validateVersion: false }, chain);
  const document = { ...merged.main, root: { [versionKey]: merged.tree[versionKey] } };
  return { document, sections: merged.sections };
}

function loadCached(
  text: string,
  file: string | undefined,
  what: string,
  cache: DocumentCache | undefined,
  limits: YamlLimits,
): SourceDocument {
  const key = `${file ?? ''}\0${text}`;
  const known = cache?.get(key);
  if (known) {
    return known;
  }
  const document = loadYaml(text, file, what, limits);
  cache?.set(key, document);
  return document;
}

function readMainVersion(document: SourceDocument, validateVersion: boolean): PlanVersion {
  const root = document.root as Record<string, unknown>;
  try {
    const version = readVersion(root[versionKey]);
    const numbers = validateVersion ? (version.definitions_version as unknown as Version) : undefined;
    const problems = new Problems();
    const element = elements['dsl_definitions'];
    if (element) {
      validateElement(element, root['dsl_definitions'], ['dsl_definitions'], {
        version: numbers,
        problems,
        tooNew: problems,
      });
    }
    problems.throwIfAny();
    return version;
  } catch (error) {
    if (error instanceof DslError && Array.isArray(error.path)) {
      error.location ??= locationIn(document, error.path as readonly (string | number)[]);
    }
    throw error;
  }
}

async function mainLocation(options: ParseOptions): Promise<string | undefined> {
  if (options.location === undefined) {
    return undefined;
  }
  for (const candidate of candidateLocations(options.location, { resourcesBase: options.resourcesBase })) {
    const found =
      candidate.kind === 'location' ? candidate.location : await options.resolver.locateFile(candidate.path);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

/** Files asked for at a time. */
const concurrentLookups = 32;

async function findScripts(
  possible: ReadonlyMap<string, string>,
  bases: readonly string[],
  resolver: ImportResolver,
): Promise<Set<string>> {
  const existing = new Set<string>();
  const waiting = [...new Set(possible.values())].values();
  const lookUp = async (): Promise<void> => {
    for (const path of waiting) {
      for (const base of bases) {
        if (await resolver.resourceExists(scriptLocation(base, path))) {
          existing.add(path);
          break;
        }
      }
    }
  };
  if (bases.length > 0) {
    await Promise.all(Array.from({ length: concurrentLookups }, lookUp));
  }
  return new Set([...possible].filter(([, path]) => existing.has(path)).map(([implementation]) => implementation));
}

/** The script below a base; where that is a URL, the path becomes part of one. */
function scriptLocation(base: string, path: string): string {
  const isUrl = /^[A-Za-z][A-Za-z0-9+.-]*:/.test(base);
  return `${base}/${isUrl ? path.split('/').map(encodeURIComponent).join('/') : path}`;
}
