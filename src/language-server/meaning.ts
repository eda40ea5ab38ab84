import type { Path } from '../dsl/errors.ts';
import { FUNCTION_NAMES } from '../dsl/functions/index.ts';
import { isDict } from '../dsl/schema/element.ts';
import { mergedName } from './names.ts';
import type { Names, SectionName, TypeSection } from './names.ts';
import { namedSections } from './names.ts';
import type { Unit } from './workspace.ts';
import type { Spot } from './yaml-model.ts';

/** What a key or value of a blueprint stands for. */
export type Meaning =
  /** A name: where it is defined, or where it is used. `sections` are those it may be defined in. */
  | { readonly kind: 'name'; readonly sections: readonly SectionName[]; readonly isDefinition: boolean }
  /** A property of a type; `path` leads into data types. */
  | {
      readonly kind: 'property';
      readonly section: TypeSection;
      readonly type: string;
      readonly path: readonly string[];
    }
  | { readonly kind: 'interface'; readonly type: TypeName; readonly side: string }
  | { readonly kind: 'operation'; readonly type: TypeName; readonly side: string; readonly interfaceName: string }
  | { readonly kind: 'function'; readonly name: string };

/** A type by its name in the blueprint. */
export interface TypeName {
  readonly section: TypeSection;
  readonly name: string;
}

/** Words that stand for nodes in functions. */
export const nodeKeywords: readonly string[] = ['SELF', 'SOURCE', 'TARGET'];

const typeSections = new Set<string>(['node_types', 'relationships', 'data_types']);
const nodeFunctions = new Set<string>(['get_property', 'get_attribute', 'get_attributes_list', 'get_attributes_dict']);
const functionNames = new Set<string>(FUNCTION_NAMES);
const relationshipSides = new Set(['source_interfaces', 'target_interfaces']);
const sectionNames = new Set<string>(namedSections);

const use = (...sections: SectionName[]): Meaning => ({ kind: 'name', sections, isDefinition: false });

/** Where a value stands in one file of a blueprint. */
export interface Place {
  readonly unit: Unit;
  readonly names: Names;
}

/** What a key or value stands for; undefined when nothing is known of it. */
export function meaningOf(spot: Spot, place: Place): Meaning | undefined {
  return spot.role === 'key' ? meaningOfKey(spot.path, place) : meaningOfValue(spot.path, place);
}

function meaningOfKey(path: Path, place: Place): Meaning | undefined {
  const [section, name, field] = path;
  const last = path.at(-1);
  if (path.length === 2 && sectionNames.has(String(section))) {
    return { kind: 'name', sections: [section as SectionName], isDefinition: true };
  }
  if (typeof last === 'string' && functionNames.has(last) && path.length > 2) {
    return { kind: 'function', name: last };
  }
  if (typeSections.has(String(section)) && path.length >= 4 && typeof name === 'string') {
    const own: TypeName = { section: section as TypeSection, name: mergedName(place.unit, name) };
    if (field === 'properties' && path.length === 4) {
      return { kind: 'property', section: own.section, type: own.name, path: [String(last)] };
    }
    return interfaceMeaning(path.slice(2), own);
  }
  return section === 'node_templates' ? meaningOfTemplateKey(path, place) : undefined;
}

function meaningOfTemplateKey(path: Path, place: Place): Meaning | undefined {
  const template = typeOfTemplate(String(path[1]), place);
  if (path[2] === 'relationships' && typeof path[3] === 'number') {
    const type = place.unit.file.model.valueAt([...path.slice(0, 4), 'type']);
    const relationship: TypeName | undefined =
      typeof type === 'string' ? { section: 'relationships', name: mergedName(place.unit, type) } : undefined;
    return relationship && partMeaning(path.slice(4), relationship);
  }
  return template && partMeaning(path.slice(2), template);
}

/** Properties and interfaces of something that has a type. */
function partMeaning(path: Path, type: TypeName): Meaning | undefined {
  if (path[0] === 'properties' && path.length >= 2 && path.every((step) => typeof step === 'string')) {
    return { kind: 'property', section: type.section, type: type.name, path: path.slice(1) };
  }
  return interfaceMeaning(path, type);
}

function interfaceMeaning(path: Path, type: TypeName): Meaning | undefined {
  const side = String(path[0]);
  if (side !== 'interfaces' && !relationshipSides.has(side)) {
    return undefined;
  }
  if (path.length === 2) {
    return { kind: 'interface', type, side };
  }
  return path.length === 3 ? { kind: 'operation', type, side, interfaceName: String(path[1]) } : undefined;
}

function meaningOfValue(path: Path, place: Place): Meaning | undefined {
  const called = meaningOfArgument(path, place);
  if (called) {
    return called;
  }
  const [section, , field, index, inner] = path;
  const last = path.at(-1);
  if (last === 'derived_from' && path.length === 3 && typeSections.has(String(section))) {
    return use(section as SectionName);
  }
  const isSchema = path.length === 5 && field === 'properties' && typeSections.has(String(section));
  if ((isSchema || (section === 'inputs' && path.length === 3)) && ['type', 'item_type'].includes(String(last))) {
    return use('data_types');
  }
  if (section === 'node_templates') {
    if (path.length === 3 && field === 'type') {
      return use('node_types');
    }
    if (path.length === 5 && field === 'relationships' && typeof index === 'number') {
      return inner === 'type' ? use('relationships') : inner === 'target' ? use('node_templates') : undefined;
    }
  }
  if (section === 'groups' && path.length === 4 && field === 'members') {
    return use('node_templates', 'groups');
  }
  return section === 'policies' && path.length === 4 && field === 'targets' ? use('groups') : undefined;
}

/** Arguments of functions: `{get_input: NAME}`, `{get_property: [NODE, property]}`. */
function meaningOfArgument(path: Path, place: Place): Meaning | undefined {
  const last = path.at(-1);
  const isInList = typeof last === 'number';
  const name = String(isInList ? path.at(-2) : last);
  const isFirst = !isInList || last === 0;
  if (path.length < 3) {
    return undefined;
  }
  if (name === 'get_input' && isFirst) {
    return use('inputs');
  }
  if (!nodeFunctions.has(name) || !isInList) {
    return undefined;
  }
  if (isFirst) {
    return use('node_templates');
  }
  const node = place.unit.file.model.valueAt([...path.slice(0, -1), 0]);
  const type = typeof node === 'string' ? typeOfNamed(node, path, place) : undefined;
  if (!type || name !== 'get_property') {
    return undefined;
  }
  const steps = place.unit.file.model.valueAt(path.slice(0, -1));
  const names = Array.isArray(steps) ? (steps as unknown[]).slice(1, last + 1).map(String) : [];
  return { kind: 'property', section: type.section, type: type.name, path: names };
}

/** The type of a node as a function names it, SELF and the like included. */
function typeOfNamed(name: string, path: Path, place: Place): TypeName | undefined {
  const isTemplate = path[0] === 'node_templates';
  if (name === 'SELF' || name === 'SOURCE') {
    return isTemplate ? typeOfTemplate(String(path[1]), place) : undefined;
  }
  if (name === 'TARGET') {
    const target = isTemplate ? place.unit.file.model.valueAt([...path.slice(0, 4), 'target']) : undefined;
    return typeof target === 'string' ? typeOfTemplate(target, place) : undefined;
  }
  return typeOfTemplate(name, place);
}

/** The type of a node template by the name a file gives it. */
function typeOfTemplate(written: string, { names, unit }: Place): TypeName | undefined {
  const definition = names.find('node_templates', mergedName(unit, written));
  const local = definition?.value ?? unit.file.model.valueAt(['node_templates', written]);
  const type = isDict(local) ? local['type'] : undefined;
  return typeof type === 'string'
    ? { section: 'node_types', name: mergedName(definition?.unit ?? unit, type) }
    : undefined;
}

/** The declaration of a property, through data types where the path leads into one. */
export function propertyOf(
  names: Names,
  meaning: Extract<Meaning, { kind: 'property' }>,
): ReturnType<Names['propertiesOf']> extends Map<string, infer Declaration> ? Declaration | undefined : never {
  const [first = '', ...rest] = meaning.path;
  const declaration = names.propertiesOf(meaning.section, meaning.type).get(first);
  const type = declaration?.schema['type'];
  if (!declaration || rest.length === 0) {
    return declaration;
  }
  return typeof type === 'string'
    ? propertyOf(names, {
        kind: 'property',
        section: 'data_types',
        type: mergedName(declaration.owner.unit, type),
        path: rest,
      })
    : undefined;
}
