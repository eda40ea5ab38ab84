import type { FunctionName } from '../dsl/functions/index.ts';
import { isDict } from '../dsl/schema/element.ts';
import { functionHelp } from './function-help.ts';
import { meaningOf, propertyOf } from './meaning.ts';
import type { Meaning, Place } from './meaning.ts';
import { mergedName } from './names.ts';
import type { Definition, Names, PropertyDeclaration, TypeSection } from './names.ts';
import { elementAt } from './schema-at.ts';
import type { Spot } from './yaml-model.ts';

const titles: Readonly<Record<string, string>> = {
  node_types: 'node type',
  relationships: 'relationship type',
  data_types: 'data type',
  node_templates: 'node template',
  inputs: 'input',
  plugins: 'plugin',
  groups: 'group',
  policies: 'policy',
  workflows: 'workflow',
  capabilities: 'capability',
  outputs: 'output',
};

/** Text with its own meaning in Markdown, as code. */
const code = (text: string): string => `\`${text.replaceAll('`', "'")}\``;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return code(text.length > 200 ? `${text.slice(0, 200)}...` : text);
}

/** Documentation in Markdown of what stands at a place. */
export function hoverText(spot: Spot, place: Place): string | undefined {
  const meaning = meaningOf(spot, place);
  const about = meaning && describeMeaning(meaning, spot, place);
  if (about !== undefined) {
    return about;
  }
  const element = spot.role === 'key' ? elementAt(spot.path) : undefined;
  return element?.about === undefined ? undefined : `**${spot.text}**\n\n${element.about}`;
}

function describeMeaning(meaning: Meaning, spot: Spot, place: Place): string | undefined {
  const { names, unit } = place;
  switch (meaning.kind) {
    case 'name': {
      const name = mergedName(unit, spot.text);
      const definition = meaning.sections.map((section) => names.find(section, name)).find((found) => found);
      return definition && describeDefinition(definition, names);
    }
    case 'property': {
      const declaration = propertyOf(names, meaning);
      return declaration && describeProperty(spot.text, declaration);
    }
    case 'interface': {
      const { section, name } = meaning.type;
      const operations = names.interfacesOf(section, name, meaning.side).get(spot.text);
      return operations && `**${spot.text}** (interface)\n\nOperations: ${[...operations.keys()].map(code).join(', ')}`;
    }
    case 'operation': {
      const { section, name } = meaning.type;
      const owner = names.interfacesOf(section, name, meaning.side).get(meaning.interfaceName)?.get(spot.text);
      return (
        owner && `**${spot.text}** (operation of ${code(meaning.interfaceName)})\n\nDeclared by ${code(owner.name)}`
      );
    }
    case 'function': {
      const help = functionHelp[meaning.name as FunctionName];
      return `\`\`\`yaml\n${help.signature}\n\`\`\`\n\n${help.about}`;
    }
  }
}

/** Documentation of a definition. */
export function describeDefinition(definition: Definition, names: Names): string {
  const { section, name, value, unit } = definition;
  const lines = [`**${name}** (${titles[section] ?? section})`];
  const fields = isDict(value) ? value : {};
  const description = typeof fields['description'] === 'string' ? fields['description'] : commentAbove(definition);
  if (description) {
    lines.push(description);
  }
  for (const field of [
    'type',
    'derived_from',
    'required',
    'default',
    'constraints',
    'executor',
    'mapping',
    'members',
  ]) {
    if (fields[field] !== undefined) {
      lines.push(`${field}: ${shown(fields[field])}`);
    }
  }
  if (section === 'node_types' || section === 'relationships' || section === 'data_types') {
    lines.push(...propertyLines(section, name, names));
  }
  lines.push(`Defined in ${code(unit.file.uri.slice(unit.file.uri.lastIndexOf('/') + 1))}`);
  return lines.join('\n\n');
}

function propertyLines(section: TypeSection, name: string, names: Names): string[] {
  const properties = [...names.propertiesOf(section, name)].map(([property, { schema }]) => {
    const type = typeof schema['type'] === 'string' ? `: ${schema['type']}` : '';
    const about = typeof schema['description'] === 'string' ? ` - ${firstLine(schema['description'])}` : '';
    return `- ${code(`${property}${type}`)}${about}`;
  });
  return properties.length === 0 ? [] : [`Properties:\n\n${properties.join('\n')}`];
}

/** Documentation of a property. */
export function describeProperty(name: string, { schema, owner }: PropertyDeclaration): string {
  const lines = [`**${name}** (property of ${code(owner.name)})`];
  if (typeof schema['description'] === 'string') {
    lines.push(schema['description']);
  }
  for (const field of ['type', 'item_type', 'required', 'default', 'constraints']) {
    if (schema[field] !== undefined) {
      lines.push(`${field}: ${shown(schema[field])}`);
    }
  }
  return lines.join('\n\n');
}

const firstLine = (text: string): string => text.trim().split('\n')[0] ?? '';

/** The comment directly above a definition: types have no field for a description. */
function commentAbove({ unit, path }: Definition): string | undefined {
  const { model } = unit.file;
  const key = model.keyOf(path);
  if (!key) {
    return undefined;
  }
  const lines = model.text.slice(0, key.start).split('\n').slice(0, -1);
  const comment: string[] = [];
  for (let line = lines.pop(); line?.trimStart().startsWith('#') === true; line = lines.pop()) {
    comment.unshift(line.trimStart().replace(/^#+ ?/, ''));
  }
  return comment.length === 0 ? undefined : comment.join('\n');
}
