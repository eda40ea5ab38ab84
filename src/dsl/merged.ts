import { DslError } from './errors.ts';
import { inOrderOfPlace } from './problems.ts';
import type { Path, SourceLocation } from './errors.ts';
import { treeOf } from './imports/fragment.ts';
import type { Entry, Sections } from './imports/fragment.ts';
import { pythonText } from '../domain/python-text.ts';
import type { SourceDocument } from './yaml/load.ts';
import { locationIn } from './yaml/positions.ts';

/** A blueprint with everything it imports, as one tree, which still knows where each part is written. */
export class MergedBlueprint {
  readonly sections: Sections;
  readonly tree: Record<string, unknown>;
  readonly main: SourceDocument;

  constructor(sections: Sections, main: SourceDocument) {
    this.sections = sections;
    this.main = main;
    this.tree = treeOf(sections);
  }

  /** Gives an error and those that came with it their location, from their paths. */
  locate(error: unknown): void {
    if (!(error instanceof DslError)) {
      return;
    }
    for (const each of [error, ...error.others]) {
      if (each.path !== undefined && each.location?.line === undefined) {
        each.location = this.locationOf(typeof each.path === 'string' ? this.sourcePath(each.path) : each.path);
      }
    }
    error.others = inOrderOfPlace(error.others, this.main.file);
  }

  private locationOf(path: Path): SourceLocation {
    const value = this.valueText(path);
    const location = { ...this.placeOf(path), path: path.join('.') };
    return value === undefined ? location : { ...location, value };
  }

  private placeOf(path: Path): SourceLocation {
    const section = this.sections.get(String(path[0]));
    const entry = section?.kind === 'entries' ? section.entries.get(String(path[1])) : undefined;
    if (!entry) {
      return locationIn(section?.document ?? this.main, path);
    }
    const { from, rest } = sourceOf(entry, path.slice(2));
    return locationIn(from.document, [...from.path, ...rest]);
  }

  private valueText(path: Path): string | undefined {
    let value: unknown = this.tree;
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) {
        return undefined;
      }
      value = (value as Record<string | number, unknown>)[step];
    }
    const text = pythonText(value);
    return text.length > 300 ? `${text.slice(0, 300)}...` : text;
  }

  /** The path in the blueprint of a dotted path in the plan, as far as it can be told. */
  private sourcePath(planPath: string): Path {
    const text = planPath.replace(/^nodes\./, 'node_templates.').replace(/\[(\d+)\]/g, '.$1');
    const path: (string | number)[] = [];
    let value: unknown = this.tree;
    let rest = text;
    while (rest !== '' && typeof value === 'object' && value !== null) {
      // Names hold dots themselves: the longest key that fits is meant.
      const key = Object.keys(value)
        .filter((name) => rest === name || rest.startsWith(`${name}.`))
        .reduce<string | undefined>(
          (best, name) => (best !== undefined && best.length >= name.length ? best : name),
          undefined,
        );
      if (key === undefined) {
        break;
      }
      path.push(Array.isArray(value) ? Number(key) : key);
      value = (value as Record<string, unknown>)[key];
      rest = rest.slice(key.length + 1);
    }
    return path;
  }
}

/** The file entry that a part of a merged entry comes from. */
function sourceOf(entry: Entry, rest: Path): { from: Entry; rest: Path } {
  const index = rest[0] === 'relationships' && typeof rest[1] === 'number' ? rest[1] : undefined;
  for (const addition of (entry.additions ?? []).toReversed()) {
    if (index !== undefined && index >= addition.from) {
      return { from: addition.entry, rest: ['relationships', index - addition.from, ...rest.slice(2)] };
    }
  }
  return { from: entry, rest };
}
