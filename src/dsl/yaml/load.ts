import { constructFromEvents, EVENT_ID, YAMLException } from 'js-yaml';
import { formatError, inputTypeError } from '../errors.ts';
import type { SourceLocation } from '../errors.ts';
import { refuseEmptyKeys } from './empty-keys.ts';
import { checkExpansion } from './expansion.ts';
import { joinMergeKeys } from './merge-keys.ts';
import { excerptAt, positionOf } from './positions.ts';
import { blueprintYamlSchema } from './schema.ts';
import { parseTolerantly } from './tolerant.ts';

/** A loaded YAML file: its data, and its text, from which positions are found when there is an error to report. */
export interface SourceDocument {
  /** Name under which errors show the file; a path, a URL, or undefined for text without a home. */
  readonly file: string | undefined;
  readonly text: string;
  /** The content as JSON values; an empty file is an empty mapping. Shared and never modified. */
  readonly root: unknown;
}

/** Bounds on what one file may hold; they keep hostile files from using up memory or stack. */
export interface YamlLimits {
  /** Length of the text in UTF-16 units. */
  readonly maxTextLength: number;
  /** Nesting of collections, aliases followed. */
  readonly maxDepth: number;
  /** Values after aliases are replaced by what they refer to. */
  readonly maxExpandedValues: number;
}

export const defaultYamlLimits: YamlLimits = {
  maxTextLength: 32 * 1024 * 1024,
  maxDepth: 100,
  maxExpandedValues: 2_000_000,
};

// Escapes in double quotes that can make a character beyond ASCII out of ASCII text, and such characters themselves.

const perhapsBeyondAscii = /[^\x00-\x7f]|\\[xuUN_LP]/;

const beyondAscii = /[^\x00-\x7f]/;

/**
 * Loads one YAML 1.1 document.
 *
 * @param what begins the message of a syntax error, e.g. `Failed to parse DSL`
 * @throws DslError `DSLParsingFormatException` -1 for malformed YAML, 1 for values the language does not have;
 *   `DSLParsingInputTypeException` 108 for characters beyond ASCII
 */
export function loadYaml(
  text: string,
  file: string | undefined,
  what: string,
  limits: YamlLimits = defaultYamlLimits,
): SourceDocument {
  if (text.length > limits.maxTextLength) {
    const size = `${String(text.length)} characters, ${String(limits.maxTextLength)} are allowed`;
    throw formatError(1, `${what}: the file is too large (${size})`, { location: { ...(file ? { file } : {}) } });
  }
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const roots = construct(source, file, what, limits);
  const root = roots.length === 0 || roots[0] === null ? {} : roots[0];
  const document: SourceDocument = { file, text: source, root };
  checkExpansion(document, limits);
  if (perhapsBeyondAscii.test(source)) {
    checkAscii(document);
  }
  return document;
}

function construct(text: string, file: string | undefined, what: string, limits: YamlLimits): unknown[] {
  try {
    const { events, text: repaired } = parseTolerantly(text, limits.maxDepth);
    const documents = events.filter((event) => event.type === EVENT_ID.DOCUMENT);
    if (documents.length > 1) {
      throw new YAMLException('expected a single document, but found another one');
    }
    refuseEmptyKeys(events, repaired);
    return constructFromEvents([...joinMergeKeys(events, repaired)], {
      source: repaired,
      schema: blueprintYamlSchema,
      json: true,
      maxTotalMergeKeys: limits.maxExpandedValues,
    });
  } catch (error) {
    const reason = error instanceof YAMLException ? error.reason : (error as Error).message;
    const mark = error instanceof YAMLException ? error.mark : undefined;
    const location: SourceLocation = {
      ...(file === undefined ? {} : { file }),
      ...(mark ? { line: mark.line + 1, column: mark.column, excerpt: excerptAt(text, mark.line, mark.column) } : {}),
    };
    throw formatError(-1, `${what}: Illegal yaml; ${reason}`, { location, cause: error });
  }
}

function checkAscii(document: SourceDocument): void {
  const path = findBeyondAscii(document.root, [], new Set());
  if (!path) {
    return;
  }
  const position = positionOf(document, path.path, { ofKey: path.isKey });
  const line = String(position?.line ?? 0);
  const column = String(position?.column ?? 0);
  throw inputTypeError(
    108,
    `illegal characters in line: ${line}, column: ${column}. Only valid ascii chars are supported.`,
    {
      location: {
        ...(document.file === undefined ? {} : { file: document.file }),
        ...(position
          ? {
              line: position.line + 1,
              column: position.column,
              excerpt: excerptAt(document.text, position.line, position.column),
            }
          : {}),
        path: path.path.join('.'),
      },
    },
  );
}

function findBeyondAscii(
  value: unknown,
  path: (string | number)[],
  seen: Set<object>,
): { path: (string | number)[]; isKey: boolean } | undefined {
  if (typeof value === 'string') {
    return beyondAscii.test(value) ? { path, isKey: false } : undefined;
  }
  if (typeof value !== 'object' || value === null || seen.has(value)) {
    return undefined;
  }
  seen.add(value);
  for (const [key, item] of Object.entries(value)) {
    if (!Array.isArray(value) && beyondAscii.test(key)) {
      return { path: [...path, key], isKey: true };
    }
    const found = findBeyondAscii(item, [...path, Array.isArray(value) ? Number(key) : key], seen);
    if (found) {
      return found;
    }
  }
  return undefined;
}
