import type { Path } from '../dsl/errors.ts';
import { builtInPrefix } from '../dsl/types/names.ts';
import { meaningOf, propertyOf } from './meaning.ts';
import type { Place } from './meaning.ts';
import { mergedName, Names, writtenName } from './names.ts';
import type { SectionName } from './names.ts';
import type { SourceFile, Unit } from './workspace.ts';
import type { Spot } from './yaml-model.ts';

/** A piece of a file. */
export interface Span {
  readonly file: SourceFile;
  readonly start: number;
  readonly end: number;
}

export interface Edit extends Span {
  readonly text: string;
}

/** Why something cannot be renamed; its message is for the person. */
export class RenameRefusal extends Error {
  override readonly name = 'RenameRefusal';
}

/** A name as its blueprint knows it. */
export interface NameAt {
  readonly section: SectionName;
  readonly name: string;
}

/** Where the thing at a place is defined. */
export function definitionOf(spot: Spot, place: Place): Span | undefined {
  const { names, unit } = place;
  const meaning = meaningOf(spot, place);
  switch (meaning?.kind) {
    case 'name': {
      const name = nameAt(spot, place);
      const found = name && names.find(name.section, name.name);
      return found && spanOf(found.unit.file, found.path);
    }
    case 'property': {
      const declaration = propertyOf(names, meaning);
      return declaration && spanOf(declaration.owner.unit.file, declaration.path);
    }
    case 'interface':
    case 'operation': {
      const { type, side } = meaning;
      const interfaceName = meaning.kind === 'operation' ? meaning.interfaceName : spot.text;
      const operations = names.interfacesOf(type.section, type.name, side).get(interfaceName);
      const owner = meaning.kind === 'operation' ? operations?.get(spot.text) : [...(operations?.values() ?? [])][0];
      const rest = meaning.kind === 'operation' ? [interfaceName, spot.text] : [interfaceName];
      return owner && spanOf(owner.unit.file, [...owner.path, side, ...rest]);
    }
    default:
      return spot.path[0] === 'imports' ? startOf(unit.imports.get(spot.text)) : undefined;
  }
}

const startOf = (file: SourceFile | undefined): Span | undefined => file && { file, start: 0, end: 0 };

function spanOf(file: SourceFile, path: Path): Span | undefined {
  const key = file.model.keyOf(path);
  return key && { file, start: key.start, end: key.end };
}

/** The name at a place, whether it is defined or used there. */
export function nameAt(spot: Spot, place: Place): NameAt | undefined {
  const meaning = meaningOf(spot, place);
  if (meaning?.kind !== 'name') {
    return undefined;
  }
  const name = mergedName(place.unit, spot.text);
  const section = meaning.sections.find((candidate) => place.names.find(candidate, name));
  return section && { section, name };
}

/** Every place at which a blueprint defines or uses a name. */
export function occurrencesOf({ section, name }: NameAt, names: Names): { unit: Unit; spot: Spot }[] {
  return names.units.flatMap((unit) =>
    unit.file.model.spots
      .filter((spot) => {
        // most spots differ in their text already
        if (!name.endsWith(spot.text) || mergedName(unit, spot.text) !== name) {
          return false;
        }
        const found = nameAt(spot, { unit, names });
        return found?.section === section && found.name === name;
      })
      .map((spot) => ({ unit, spot })),
  );
}

/** The written text of a spot without its quotes. */
export function spanWithin({ model, uri }: SourceFile, { start, end }: Spot): Span {
  const isQuoted = /["']/.test(model.text[start] ?? '');
  return { file: { model, uri }, start: isQuoted ? start + 1 : start, end: isQuoted ? end - 1 : end };
}

const plainName = /^[A-Za-z0-9_](?:[\w.\- ]*[\w])?$/;

/**
 * What has to change so that a name is another one everywhere.
 *
 * @param blueprints all that the file is part of
 * @throws RenameRefusal
 */
export function renameEdits(
  written: string,
  spot: Spot,
  fileUri: string,
  blueprints: readonly (readonly Unit[])[],
): Edit[] {
  if (!plainName.test(written) || written.includes('--')) {
    throw new RenameRefusal(`"${written}" cannot be a name: use letters, digits, "_", "-" and "."`);
  }
  const edits = new Map<string, Edit>();
  for (const units of blueprints) {
    const names = new Names(units);
    const from = units.find(({ file }) => file.uri === fileUri);
    const target = from && nameAt(spot, { unit: from, names });
    const definition = target && names.find(target.section, target.name);
    if (!target || !definition) {
      continue;
    }
    if (target.name.startsWith(builtInPrefix)) {
      throw new RenameRefusal(`${target.name} is part of the product and cannot be renamed`);
    }
    // what is typed replaces the name in its own file, wherever it was typed
    const local = stripped(written, from, definition.unit);
    const renamed = definition.unit.prefix + local;
    if (renamed !== target.name && names.find(target.section, renamed)) {
      throw new RenameRefusal(`There is another ${local} already`);
    }
    for (const { unit, spot: place } of occurrencesOf(target, names)) {
      const text = writtenName(unit, renamed) ?? renamed;
      const span = spanWithin(unit.file, place);
      edits.set(`${unit.file.uri}\0${String(span.start)}`, { ...span, text });
    }
  }
  if (edits.size === 0) {
    throw new RenameRefusal('There is nothing here that can be renamed');
  }
  return [...edits.values()];
}

/** A name typed in one file as the file that defines it writes it. */
function stripped(written: string, from: Unit, home: Unit): string {
  const merged = from.prefix + written;
  return merged.startsWith(home.prefix) ? merged.slice(home.prefix.length) : written;
}
