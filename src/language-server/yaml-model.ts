import { isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import type { Document, Node, Pair, YAMLMap } from 'yaml';
import type { Path } from '../dsl/errors.ts';
import { setOwn } from '../dsl/yaml/marks.ts';

/** A key or a plain value of a text, with the way to it. */
export interface Spot {
  /** Of the value; a key has the path of the value it stands before. */
  readonly path: Path;
  readonly role: 'key' | 'value';
  readonly text: string;
  /** Offsets of the written text, quotes included. */
  readonly start: number;
  readonly end: number;
}

/** Deeper nesting is not looked at; no blueprint has it. */
const maxDepth = 100;

/**
 * A YAML text as far as it can be understood: what is being typed is usually broken, and everything before and after
 * the broken line must still be found.
 */
export class YamlModel {
  readonly text: string;
  /** Every key and plain value in the order of the text. */
  readonly spots: readonly Spot[];
  /** The content as JSON values; undefined where nothing could be understood. */
  readonly value: unknown;
  readonly #ends = new Map<string, readonly [start: number, end: number]>();

  constructor(text: string) {
    this.text = text;
    const document = readDocument(text);
    const spots: Spot[] = [];
    if (document?.contents) {
      this.#visit(document.contents, [], spots);
    }
    this.spots = spots;
    this.value = document ? valueOf(document.contents, document, new Map(), 0) : undefined;
  }

  /** The key or value at an offset, its end included. */
  spotAt(offset: number): Spot | undefined {
    return this.spots.findLast(({ start, end }) => start <= offset && offset <= end);
  }

  /** Offsets of the whole value at a path. */
  extentOf(path: Path): readonly [start: number, end: number] | undefined {
    return this.#ends.get(JSON.stringify(path));
  }

  /** The key a value is written under. */
  keyOf(path: Path): Spot | undefined {
    return this.spots.find((spot) => spot.role === 'key' && isSamePath(spot.path, path));
  }

  /** The value at a path. */
  valueAt(path: Path): unknown {
    let value = this.value;
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) {
        return undefined;
      }
      value = (value as Record<string | number, unknown>)[step];
    }
    return value;
  }

  #visit(node: Node, path: Path, spots: Spot[]): void {
    if (path.length > maxDepth) {
      return;
    }
    if (node.range) {
      this.#ends.set(JSON.stringify(path), [node.range[0], node.range[1]]);
    }
    if (isScalar(node) && node.range) {
      spots.push({ path, role: 'value', text: textOf(node.value), start: node.range[0], end: node.range[1] });
    } else if (isMap(node)) {
      for (const { key, value } of node.items as Pair<Node, Node | null>[]) {
        const name = isScalar(key) ? textOf(key.value) : '';
        const inner = [...path, name];
        if (isScalar(key) && key.range) {
          spots.push({ path: inner, role: 'key', text: name, start: key.range[0], end: key.range[1] });
        }
        if (value) {
          this.#visit(value, inner, spots);
        }
      }
    } else if (isSeq(node)) {
      (node.items as (Node | null)[]).forEach((item, index) => {
        if (item) {
          this.#visit(item, [...path, index], spots);
        }
      });
    }
  }
}

function isSamePath(left: Path, right: Path): boolean {
  return left.length === right.length && left.every((step, index) => step === right[index]);
}

function readDocument(text: string): Document | undefined {
  try {
    return parseDocument(text, {
      version: '1.1',
      strict: false,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
    });
  } catch {
    // nested deeper than the stack; diagnostics say so
    return undefined;
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'symbol') {
    // the merge key of YAML 1.1
    return value.description ?? '';
  }
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string' ? String(value) : '';
}

function valueOf(node: Node | null, document: Document, known: Map<Node, unknown>, depth: number): unknown {
  if (!node || depth > maxDepth) {
    return null;
  }
  if (known.has(node)) {
    return known.get(node);
  }
  if (isAlias(node)) {
    const target = node.resolve(document);
    return target && known.has(target) ? known.get(target) : null;
  }
  if (isScalar(node)) {
    return node.value;
  }
  if (isSeq(node)) {
    const list: unknown[] = [];
    known.set(node, list);
    for (const item of node.items as (Node | null)[]) {
      list.push(valueOf(item, document, known, depth + 1));
    }
    return list;
  }
  return isMap(node) ? mappingOf(node, document, known, depth) : null;
}

function mappingOf(node: YAMLMap, document: Document, known: Map<Node, unknown>, depth: number): object {
  const mapping: Record<string, unknown> = {};
  known.set(node, mapping);
  for (const { key, value } of node.items as Pair<Node, Node | null>[]) {
    const name = isScalar(key) ? textOf(key.value) : '';
    const item = valueOf(value, document, known, depth + 1);
    const merged = name === '<<' ? (Array.isArray(item) ? (item as unknown[]) : [item]) : undefined;
    if (!merged) {
      setOwn(mapping, name, item);
      continue;
    }
    for (const source of merged) {
      for (const [inherited, inheritedValue] of Object.entries(source ?? {})) {
        if (!Object.hasOwn(mapping, inherited)) {
          setOwn(mapping, inherited, inheritedValue);
        }
      }
    }
  }
  return mapping;
}
