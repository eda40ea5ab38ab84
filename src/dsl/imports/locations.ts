import { logicError } from '../errors.ts';
import { namespaceDelimiter } from '../schema/namespace.ts';

const remoteKinds = new Set(['http', 'https', 'file', 'ftp', 'plugin', 'blueprint', 'resource']);
export const blueprintPrefix = 'blueprint:';

/** Whether a location says by itself where it is, as opposed to a path that is looked for in several places. */
function isRemoteLocation(location: string): boolean {
  const colon = location.indexOf(':');
  return colon > 0 && remoteKinds.has(location.slice(0, colon));
}

/**
 * Splits an import entry `[<namespace>--]<target>` at its last delimiter.
 *
 * @throws DslError 212 when the namespace holds the delimiter
 */
export function splitImport(entry: string): { namespace: string | undefined; target: string } {
  const at = entry.lastIndexOf(namespaceDelimiter);
  if (at === -1) {
    return { namespace: undefined, target: entry };
  }
  const namespace = entry.slice(0, at);
  if (namespace.includes(namespaceDelimiter)) {
    throw logicError(212, `Invalid ${namespace}: import's namespace cannotcontain namespace delimiter`, {
      remedy: `Use one namespace; '${namespaceDelimiter}' cannot be part of it, nor of a path or URL`,
    });
  }
  return { namespace: namespace || undefined, target: entry.slice(at + namespaceDelimiter.length) };
}

/** One place in which an import may be. */
export type Candidate =
  /** Tried as it is. */
  | { readonly kind: 'location'; readonly location: string }
  /** Tried when there is such a local file. */
  | { readonly kind: 'path'; readonly path: string };

export interface CandidateContext {
  /** Location of the importing file. */
  readonly importedBy?: string | undefined;
  readonly resourcesBase?: string | undefined;
  /** `1_5`; files made for the version (`types_1_5.yaml`) are preferred. */
  readonly versionSuffix?: string | undefined;
}

/**
 * The places in which an import is looked for, in order. Compatibility: Cloudify 7 import resolution.
 */
export function candidateLocations(name: string, context: CandidateContext): Candidate[] {
  if (isRemoteLocation(name)) {
    return [{ kind: 'location', location: name }];
  }
  const { importedBy, resourcesBase, versionSuffix } = context;
  const candidates: Candidate[] = [];
  const addPaths = (path: string): void => {
    for (const variant of variantsOf(path, versionSuffix)) {
      candidates.push({ kind: 'path', path: variant });
    }
  };
  addPaths(name);
  if (importedBy) {
    candidates.push({ kind: 'location', location: directoryOf(importedBy) + name });
  }
  if (resourcesBase) {
    addPaths(name.startsWith('/') ? name : `${resourcesBase.replace(/\/$/, '')}/${name}`);
  }
  for (const variant of variantsOf(name, versionSuffix)) {
    candidates.push({ kind: 'location', location: `resource:${variant}` });
  }
  return candidates;
}

/** The directory of a location with its trailing slash; empty when it has none. */
export function directoryOf(location: string): string {
  return location.slice(0, location.lastIndexOf('/') + 1);
}

function variantsOf(path: string, versionSuffix: string | undefined): string[] {
  if (!versionSuffix) {
    return [path];
  }
  const slash = path.lastIndexOf('/');
  const dot = path.lastIndexOf('.');
  const end = dot > slash + 1 ? dot : path.length;
  return [`${path.slice(0, end)}_${versionSuffix}${path.slice(end)}`, path];
}
