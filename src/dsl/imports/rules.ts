import { DslError, logicError } from '../errors.ts';
import { isDict, typeNameOf } from '../schema/element.ts';

/** A prefix of import URLs and what stands in its place. */
export interface ImportRule {
  readonly prefix: string;
  readonly replacement: string;
}

export interface ImportRules {
  readonly rules: readonly ImportRule[];
  /** Whether the URL as written is tried when no rule leads to the file. */
  readonly fallback: boolean;
}

/**
 * Reads the parameters of the import resolver: `{rules: [{<prefix>: <replacement>}], fallback: true}`.
 *
 * @throws DslError `ResolverInstantiationError`
 */
export function readImportRules(parameters: unknown): ImportRules {
  const refuse = (why: string): never => {
    throw new DslError('ResolverInstantiationError', `Failed to instantiate resolver (DefaultImportResolver). ${why}`);
  };
  if (parameters === undefined || parameters === null) {
    return { rules: [], fallback: true };
  }
  if (!isDict(parameters)) {
    return refuse(
      `Invalid parameters supplied for the resolver: they must be a dictionary and not ${typeNameOf(parameters)}`,
    );
  }
  const written = parameters['rules'] ?? [];
  if (!Array.isArray(written)) {
    return refuse(`The \`rules\` parameter must be a list but it is of type ${typeNameOf(written)}`);
  }
  const rules = written.map((rule: unknown): ImportRule => {
    const [first, ...others] = isDict(rule) ? Object.entries(rule) : [];
    if (!first || others.length > 0 || typeof first[1] !== 'string') {
      return refuse('Each rule must be a dictionary with one (key,value) pair: a prefix and its replacement');
    }
    return { prefix: first[0], replacement: first[1] };
  });
  return { rules, fallback: parameters['fallback'] !== false };
}

/** The URLs that rules make of one, in order and each once; the URL as written comes last if it may be tried. */
export function rewrittenLocations(location: string, { rules, fallback }: ImportRules): string[] {
  const matching = rules.filter(({ prefix }) => location.startsWith(prefix));
  const rewritten = matching.map(({ prefix, replacement }) => replacement + location.slice(prefix.length));
  return [...new Set([...rewritten, ...(fallback || matching.length === 0 ? [location] : [])])];
}

/**
 * Reads a URL through rules.
 *
 * @param read gives the text of one URL, or throws
 * @throws DslError 13 when none of the URLs can be read
 */
export async function readByRules<T>(
  location: string,
  rules: ImportRules,
  read: (location: string) => Promise<T>,
): Promise<T> {
  const failures = new Map<string, string>();
  for (const candidate of rewrittenLocations(location, rules)) {
    try {
      return await read(candidate);
    } catch (error) {
      failures.set(candidate, error instanceof Error ? error.message : String(error));
    }
  }
  const original = failures.get(location);
  failures.delete(location);
  if (failures.size === 0) {
    const applicable = rules.rules.length > 0 ? 'None of the resolver rules was applicable, ' : '';
    throw logicError(13, `${applicable}failed to resolve the original import url - ${original ?? location}`);
  }
  const tried = [...failures].map(([url, why]) => `'${url}': ${why}`).join('; ');
  const also = original === undefined ? '' : `. In addition, failed to resolve the original import url - ${original}`;
  throw logicError(13, `Failed to resolve the following urls: {${tried}}${also}`);
}
