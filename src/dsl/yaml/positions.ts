import { EVENT_ID, getScalarValue } from 'js-yaml';
import type { Event } from 'js-yaml';
import type { Path, SourceLocation } from '../errors.ts';
import { parseTolerantly } from './tolerant.ts';
import type { SourceDocument } from './load.ts';

/** Line and column, both from 0. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A node of the text: only what is needed to walk along a path. */
interface TextNode {
  readonly start: number;
  readonly entries?: { key: string; keyStart: number; value: TextNode }[];
  readonly items?: TextNode[];
}

interface TextIndex {
  readonly root: TextNode | undefined;
  /** The text as it was parsed, which may be indented where the author did not. */
  readonly text: string;
  readonly inserted: ReadonlyMap<number, number>;
}

/** Parsed a second time only when an error is to be shown, so that the good case pays nothing for positions. */
const indexes = new WeakMap<SourceDocument, TextIndex>();

/**
 * Finds where a path stands in a document. A mapping entry is found at its key, a list item at its value.
 * Names may carry a namespace prefix that the text does not have.
 *
 * @returns the position of the longest part of the path that exists, or undefined when nothing of it does
 */
export function positionOf(
  document: SourceDocument,
  path: Path,
  { ofKey = true }: { ofKey?: boolean } = {},
): Position | undefined {
  const index = indexOf(document);
  let node = index.root;
  let offset = node?.start;
  for (const step of path) {
    const next = node ? descend(node, step) : undefined;
    if (!next) {
      break;
    }
    node = next.value;
    offset = ofKey ? next.keyStart : next.value.start;
  }
  if (offset === undefined) {
    return undefined;
  }
  const { line, column } = positionAt(index.text, offset);
  return { line, column: Math.max(0, column - (index.inserted.get(line) ?? 0)) };
}

/** The location of a path in a document, with an excerpt of the text. */
export function locationIn(document: SourceDocument, path: Path): SourceLocation {
  const position = positionOf(document, path);
  return {
    ...(document.file === undefined ? {} : { file: document.file }),
    ...(position
      ? {
          line: position.line + 1,
          column: position.column,
          excerpt: excerptAt(document.text, position.line, position.column),
        }
      : {}),
    path: path.join('.'),
  };
}

/** The text of a line with a caret under a column (both from 0). */
export function excerptAt(text: string, line: number, column: number): string {
  const written = (text.split('\n', line + 1)[line] ?? '').replace(/\r$/, '');
  const from = Math.max(0, column - 100);
  const shown = written.slice(from, column + 60);
  return `${shown}\n${' '.repeat(column - from)}^`;
}

function positionAt(text: string, offset: number): Position {
  const before = text.lastIndexOf('\n', offset - 1);
  let line = 0;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) {
    line += 1;
  }
  return { line, column: offset - before - 1 };
}

function descend(node: TextNode, step: string | number): { keyStart: number; value: TextNode } | undefined {
  if (node.items) {
    const item = node.items[Number(step)];
    return item && { keyStart: item.start, value: item };
  }
  const name = String(step);
  let merged: { keyStart: number; value: TextNode } | undefined;
  let unprefixed: { keyStart: number; value: TextNode } | undefined;
  // Backwards, because the last of equal keys wins in the data.
  for (const entry of (node.entries ?? []).toReversed()) {
    if (entry.key === name) {
      return entry;
    }
    if (name.endsWith(`--${entry.key}`)) {
      unprefixed = entry;
    }
    if (entry.key === '<<') {
      for (const source of entry.value.items ?? [entry.value]) {
        merged ??= descend(source, step);
      }
    }
  }
  return merged ?? unprefixed;
}

function indexOf(document: SourceDocument): TextIndex {
  const known = indexes.get(document);
  if (known) {
    return known;
  }
  const parsed = parseTolerantly(document.text, Number.MAX_SAFE_INTEGER);
  const built = { ...parsed, root: buildIndex(parsed.text, parsed.events) };
  indexes.set(document, built);
  return built;
}

interface OpenCollection {
  readonly node: TextNode;
  pendingKey: { key: string; keyStart: number } | undefined;
}

function buildIndex(text: string, events: readonly Event[]): TextNode | undefined {
  const anchors = new Map<string, TextNode>();
  const open: OpenCollection[] = [];
  let root: TextNode | undefined;

  const add = (node: TextNode, keyText: string): void => {
    const top = open.at(-1);
    root ??= node;
    if (top?.node.items) {
      top.node.items.push(node);
    } else if (top?.node.entries && top.pendingKey === undefined) {
      top.pendingKey = { key: keyText, keyStart: node.start };
    } else if (top?.node.entries && top.pendingKey) {
      const pending = top.pendingKey;
      top.pendingKey = undefined;
      top.node.entries.push({ ...pending, value: node });
    }
  };

  for (const event of events) {
    switch (event.type) {
      case EVENT_ID.MAPPING:
      case EVENT_ID.SEQUENCE: {
        const isMapping = event.type === EVENT_ID.MAPPING;
        const node: TextNode = { start: event.start, ...(isMapping ? { entries: [] } : { items: [] }) };
        remember(text, event, node, anchors);
        add(node, '');
        open.push({ node, pendingKey: undefined });
        break;
      }
      case EVENT_ID.SCALAR: {
        const node: TextNode = { start: startOfScalar(text, event) };
        remember(text, event, node, anchors);
        add(node, getScalarValue(text, event));
        break;
      }
      case EVENT_ID.ALIAS: {
        const node = anchors.get(text.slice(event.anchorStart, event.anchorEnd));
        add(node ?? { start: event.anchorStart - 1 }, '');
        break;
      }
      case EVENT_ID.POP:
        open.pop();
        break;
      default:
        break;
    }
  }
  return root;
}

function remember(
  text: string,
  event: { anchorStart: number; anchorEnd: number },
  node: TextNode,
  anchors: Map<string, TextNode>,
): void {
  if (event.anchorStart >= 0) {
    anchors.set(text.slice(event.anchorStart, event.anchorEnd), node);
  }
}

type ScalarEvent = Extract<Event, { type: typeof EVENT_ID.SCALAR }>;

function startOfScalar(text: string, event: ScalarEvent): number {
  const before = text[event.valueStart - 1];
  return before === '"' || before === "'" ? event.valueStart - 1 : event.valueStart;
}
