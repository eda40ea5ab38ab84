import { formatError } from '../errors.ts';
import type { Path } from '../errors.ts';
import { isFunction } from '../functions/index.ts';
import { isDict, typeNameOf } from '../schema/element.ts';
import { versionError } from '../schema/validate.ts';
import { isOlder } from '../versions.ts';
import type { Version } from '../versions.ts';

/** An entry of an `imports` list. */
export interface ImportEntry {
  readonly text: string;
  readonly properties: Readonly<Record<string, unknown>> | undefined;
  readonly path: Path;
}

const propertiesSince: Version = [1, 5];

/**
 * Reads an `imports` list.
 *
 * @param version of the main blueprint, for the entries with properties; undefined to allow them
 * @throws DslError 1, 2 (only when `areUnique`), 102, 220
 */
export function readImports(
  value: unknown,
  { version, areUnique }: { version: Version | undefined; areUnique: boolean },
): ImportEntry[] {
  if (value === undefined) {
    return [];
  }
  if (!Array.isArray(value)) {
    throw formatError(1, `Expected 'list' type but found '${typeNameOf(value)}' type`, { path: ['imports'] });
  }
  const entries = value.map((item, index) => readEntry(item, ['imports', index], version));
  const seen = new Set<string>();
  for (const entry of entries) {
    if (areUnique && seen.has(entry.text)) {
      throw formatError(2, 'Duplicate imports', { path: entry.path, remedy: `Remove the second '${entry.text}'` });
    }
    seen.add(entry.text);
  }
  return entries;
}

function readEntry(item: unknown, path: Path, version: Version | undefined): ImportEntry {
  if (typeof item === 'string') {
    return { text: item, properties: undefined, path };
  }
  if (item === null) {
    throw formatError(220, 'The import statement should be either a string or a dictionary', { path });
  }
  if (!isDict(item)) {
    throw formatError(1, `Expected ['string', 'dict'] type but found '${typeNameOf(item)}' type`, { path });
  }
  const [first, ...others] = Object.entries(item);
  if (!first || others.length > 0) {
    throw formatError(220, 'Import with properties should be a single-entry dictionary', { path });
  }
  const [text, properties] = first;
  if (properties === null) {
    return { text, properties: undefined, path };
  }
  if (!isDict(properties)) {
    const message = `Expected 'dict' type but found '${typeNameOf(properties)}' type`;
    throw formatError(1, message, { path: [...path, text] });
  }
  if (version && isOlder(version, propertiesSince)) {
    throw versionError(text, properties, version, propertiesSince, path);
  }
  for (const [name, given] of Object.entries(properties)) {
    if (given === null || (isDict(given) && !isFunction(given))) {
      const kinds = 'strings, integers, floats, booleans, lists or intrinsic functions';
      throw formatError(220, `Properties of imported node should either be ${kinds}`, { path: [...path, text, name] });
    }
  }
  return { text, properties, path };
}
