import { parseEvents, YAMLException } from 'js-yaml';
import type { Event } from 'js-yaml';

/** Events of a text, and the text they refer to. */
export interface ParsedText {
  readonly events: readonly Event[];
  readonly text: string;
  /** Line (from 0) -> characters put before it that the author did not write. */
  readonly inserted: ReadonlyMap<number, number>;
}

/** Bounds the lines that are repaired, and the work of it. */
const maxRepairs = 1000;
const maxRepairWork = 64 * 1024 * 1024;

/**
 * Parses a text into events. Brackets and quotes may be closed, and continued, at any indentation, as blueprints have
 * always been allowed to: lines the YAML parser finds too far to the left are moved to the right.
 *
 * @throws YAMLException
 */
export function parseTolerantly(text: string, maxDepth: number): ParsedText {
  const inserted = new Map<number, number>();
  let current = text;
  for (;;) {
    try {
      return { events: parseEvents(current, { maxDepth }), text: current, inserted };
    } catch (error) {
      const line = lineToRepair(error);
      const isSpent = inserted.size >= maxRepairs || inserted.size * text.length > maxRepairWork;
      if (line === undefined || inserted.has(line) || isSpent) {
        throw error;
      }
      const width = deepestIndentation(text) + 1;
      current = indentLine(current, line, width);
      inserted.set(line, width);
    }
  }
}

function lineToRepair(error: unknown): number | undefined {
  return error instanceof YAMLException && error.reason === 'deficient indentation' ? error.mark?.line : undefined;
}

function deepestIndentation(text: string): number {
  let deepest = 0;
  for (const [spaces] of text.matchAll(/^ */gm)) {
    deepest = Math.max(deepest, spaces.length);
  }
  return Math.min(deepest, 1000);
}

function indentLine(text: string, line: number, width: number): string {
  let at = 0;
  for (let count = 0; count < line; count++) {
    at = text.indexOf('\n', at) + 1;
  }
  return text.slice(0, at) + ' '.repeat(width) + text.slice(at);
}
