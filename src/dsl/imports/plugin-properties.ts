import { formatError, logicError } from '../errors.ts';
import { pythonText } from '../../domain/python-text.ts';
import { isFunction } from '../functions/index.ts';
import { isDict } from '../schema/element.ts';
import type { Sections } from './fragment.ts';

/**
 * Gives the plugins of an imported file the property values written at the import.
 *
 * @returns the sections with the values set
 * @throws DslError 221 for values of a wrong type and unknown properties, 220 for properties that cannot be given
 */
export function withPluginProperties(
  sections: Sections,
  given: Readonly<Record<string, unknown>> | undefined,
): Sections {
  const plugins = sections.get('plugins');
  if (!given || plugins?.kind !== 'entries') {
    return sections;
  }
  const entries = new Map(plugins.entries);
  for (const [name, entry] of plugins.entries) {
    const plugin = entry.value;
    if (isDict(plugin) && isDict(plugin['properties'])) {
      const properties = setValues(plugin['properties'], given);
      entries.set(name, { ...entry, value: { ...plugin, properties } });
    }
  }
  return new Map(sections).set('plugins', { ...plugins, entries });
}

function setValues(
  declared: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...declared };
  const faults: string[] = [];
  const redundant: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    const property = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (!isDict(property)) {
      redundant.push(`'${name}'`);
    } else if (isFunction(value) || accepts(property['type'], value)) {
      result[name] = { ...property, value };
    } else {
      faults.push(`Property ${name}: value '${pythonText(value)}' should be of type ${pythonText(property['type'])}`);
    }
  }
  if (redundant.length > 0) {
    const names = redundant.join(', ');
    faults.push(`Properties for imported plugin are redundant: [${names}], consider updating import lines`);
  }
  if (faults.length > 0) {
    throw logicError(221, faults.join('.  '));
  }
  return result;
}

function accepts(type: unknown, value: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string' || typeof value === 'boolean' || Number.isInteger(value);
    case 'integer':
      return typeof value === 'boolean' || Number.isInteger(value);
    case 'float':
      return typeof value === 'boolean' || typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'list':
      return Array.isArray(value);
    default:
      throw formatError(220, 'Properties should either be strings, integers, floats, booleans, or lists.');
  }
}
