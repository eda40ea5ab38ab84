import { FUNCTION_NAMES } from '../dsl/functions/index.ts';
import { isDict } from '../dsl/schema/element.ts';
import { primitiveTypes } from '../dsl/types/names.ts';
import { supportedVersions, versionKey } from '../dsl/versions.ts';
import { functionHelp } from './function-help.ts';
import { describeDefinition, describeProperty } from './hover.ts';
import { meaningOf, nodeKeywords, propertyOf } from './meaning.ts';
import type { Meaning, Place } from './meaning.ts';
import { mergedName, writtenName } from './names.ts';
import type { PropertyDeclaration } from './names.ts';
import { choicesAt, fieldsAt, takesFunctions } from './schema-at.ts';
import { YamlModel } from './yaml-model.ts';
import type { Spot } from './yaml-model.ts';

/** Something that can be written at the cursor. */
export interface Proposal {
  readonly label: string;
  readonly kind: 'field' | 'type' | 'node' | 'input' | 'function' | 'value' | 'operation';
  /** What is written; differs from the label for keys, which bring their colon. */
  readonly text: string;
  readonly detail?: string;
  /** Markdown. */
  readonly about?: string;
}

/** The text as if a word stood at the cursor, and that word. */
export interface CompletionSpot {
  readonly model: YamlModel;
  readonly spot: Spot;
  /** Offset in the real text at which the word begins. */
  readonly start: number;
  /** Whether the key there has its colon already. */
  readonly hasColon: boolean;
}

const placeholder = 'Zz9zZ';

/** Finds what is being written at an offset; a stand-in makes a place of nothing. */
export function completionSpotAt(text: string, offset: number): CompletionSpot | undefined {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const lineEnd = text.indexOf('\n', offset) === -1 ? text.length : text.indexOf('\n', offset);
  const before = text.slice(lineStart, offset);
  const after = text.slice(offset, lineEnd);
  const hasColon = /^[\w.-]*\s*:(\s|$)/.test(after);
  const isAlone = /^\s*(- +)?[\w.-]*$/.test(before) && /^[\w.-]*\s*$/.test(after);
  const isItem = /^\s*- +[\w.-]*$/.test(before);
  const attempts = isAlone && !isItem ? [':', ''] : [''];
  for (const ending of attempts) {
    const rest = ending === '' ? text.slice(offset) : text.slice(offset + (/^[\w.-]*/.exec(after)?.[0].length ?? 0));
    const model = new YamlModel(`${text.slice(0, offset)}${placeholder}${ending}${rest}`);
    const spot = model.spots.find((each) => each.text.includes(placeholder) && each.start <= offset);
    if (spot) {
      const isQuoted = /["']/.test(text[spot.start] ?? '') && spot.start < offset;
      return { model, spot, start: spot.start + (isQuoted ? 1 : 0), hasColon };
    }
  }
  return undefined;
}

/** Everything that makes sense at the cursor. */
export function proposalsFor({ spot, model, hasColon }: CompletionSpot, place: Place): Proposal[] {
  const here: Place = { ...place, unit: { ...place.unit, file: { ...place.unit.file, model } } };
  const proposals = spot.role === 'key' ? keyProposals(spot, here, hasColon) : valueProposals(spot, here);
  const unique = new Map(proposals.map((proposal) => [proposal.label, proposal]));
  return [...unique.values()].filter(({ label }) => !label.includes(placeholder));
}

function keyProposals(spot: Spot, place: Place, hasColon: boolean): Proposal[] {
  const parent = spot.path.slice(0, -1);
  const present = place.unit.file.model.valueAt(parent);
  const taken = new Set(isDict(present) ? Object.keys(present) : []);
  const asKey = (name: string): string => (hasColon ? name : `${name}: `);
  const fields = [...fieldsAt(parent)].map(([label, { about }]): Proposal => ({
    label,
    kind: 'field',
    text: asKey(label),
    ...(about ? { about } : {}),
  }));
  const meaning = meaningOf({ ...spot, text: '' }, place);
  const members = meaning ? memberProposals(meaning, place, asKey) : [];
  const isTopOfProperties = meaning?.kind === 'property' && meaning.path.length === 1;
  const functions = takesFunctions(parent) && !isTopOfProperties && taken.size <= 1 ? functionProposals(asKey) : [];
  return [...fields, ...members, ...functions].filter(({ label }) => !taken.has(label));
}

function memberProposals(meaning: Meaning, { names }: Place, asKey: (name: string) => string): Proposal[] {
  switch (meaning.kind) {
    case 'property':
      return propertyProposals(siblingsOf(meaning, names), asKey);
    case 'interface': {
      const interfaces = names.interfacesOf(meaning.type.section, meaning.type.name, meaning.side);
      return [...interfaces.keys()].map((label) => ({ label, kind: 'operation', text: asKey(label) }));
    }
    case 'operation': {
      const interfaces = names.interfacesOf(meaning.type.section, meaning.type.name, meaning.side);
      const operations = interfaces.get(meaning.interfaceName) ?? new Map<string, { name: string }>();
      return [...operations].map(([label, owner]) => ({
        label,
        kind: 'operation',
        text: asKey(label),
        detail: owner.name,
      }));
    }
    default:
      return [];
  }
}

/** Properties beside the one at the cursor. */
function siblingsOf(
  meaning: Extract<Meaning, { kind: 'property' }>,
  names: Place['names'],
): Map<string, PropertyDeclaration> {
  const above = meaning.path.slice(0, -1);
  if (above.length === 0) {
    return names.propertiesOf(meaning.section, meaning.type);
  }
  const owner = propertyOf(names, { ...meaning, path: above });
  const type = owner?.schema['type'];
  return owner && typeof type === 'string'
    ? names.propertiesOf('data_types', mergedName(owner.owner.unit, type))
    : new Map<string, PropertyDeclaration>();
}

function propertyProposals(
  properties: ReadonlyMap<string, PropertyDeclaration>,
  written: (name: string) => string,
): Proposal[] {
  return [...properties].map(([label, declaration]) => ({
    label,
    kind: 'field',
    text: written(label),
    about: describeProperty(label, declaration),
    ...(typeof declaration.schema['type'] === 'string' ? { detail: declaration.schema['type'] } : {}),
  }));
}

function functionProposals(written: (name: string) => string): Proposal[] {
  return FUNCTION_NAMES.map((label) => ({
    label,
    kind: 'function',
    text: written(label),
    detail: functionHelp[label].signature,
    about: functionHelp[label].about,
  }));
}

function valueProposals(spot: Spot, place: Place): Proposal[] {
  const { path } = spot;
  const meaning = meaningOf(spot, place);
  const plain = (label: string): Proposal => ({ label, kind: 'value', text: label });
  if (path.length === 1 && path[0] === versionKey) {
    return supportedVersions.map(plain);
  }
  if (meaning?.kind === 'property') {
    return propertyProposals(siblingsOf(meaning, place.names), (name) => name);
  }
  if (meaning?.kind === 'name') {
    return nameProposals(meaning, path, place);
  }
  if (path.at(-1) === 'implementation' || path.at(-1) === 'mapping' || isOperation(spot, place)) {
    return [...place.names.of('plugins').keys()].map((name) => ({
      label: `${name}.`,
      kind: 'operation',
      text: `${name}.`,
    }));
  }
  return [...choicesAt(path), ...schemaValues(spot, place)].map(plain);
}

const isOperation = (spot: Spot, place: Place): boolean =>
  meaningOf({ ...spot, role: 'key' }, place)?.kind === 'operation';

function nameProposals(
  { sections }: Extract<Meaning, { kind: 'name' }>,
  path: Spot['path'],
  { names, unit }: Place,
): Proposal[] {
  const kinds: Partial<Record<string, Proposal['kind']>> = { node_templates: 'node', inputs: 'input', groups: 'node' };
  const proposals = sections.flatMap((section) =>
    [...names.of(section).values()].flatMap((definition): Proposal[] => {
      const label = writtenName(unit, definition.name);
      return label === undefined
        ? []
        : [{ label, kind: kinds[section] ?? 'type', text: label, about: describeDefinition(definition, names) }];
    }),
  );
  const isArgument = path.at(-1) === 0 && sections.includes('node_templates') && path[0] !== 'groups';
  const words = isArgument ? nodeKeywords : sections.includes('data_types') ? primitiveTypes : [];
  return [...proposals, ...[...words].map((label): Proposal => ({ label, kind: 'value', text: label }))];
}

/** Values that the schema of a property lists. */
function schemaValues(spot: Spot, place: Place): string[] {
  const meaning = meaningOf({ ...spot, role: 'key' }, place);
  const schema = meaning?.kind === 'property' ? propertyOf(place.names, meaning)?.schema : undefined;
  const constraints = Array.isArray(schema?.['constraints']) ? (schema['constraints'] as unknown[]) : [];
  const listed = constraints.flatMap((constraint) => {
    const values = isDict(constraint) ? constraint['valid_values'] : undefined;
    return Array.isArray(values) ? (values as unknown[]).map(String) : [];
  });
  return schema?.['type'] === 'boolean' ? ['true', 'false'] : listed;
}
