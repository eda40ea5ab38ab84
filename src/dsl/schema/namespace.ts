import { isFunction } from '../functions/index.ts';
import { builtInPrefix, primitiveTypes } from '../types/names.ts';
import { keepMarks, setOwn } from '../yaml/marks.ts';
import { isDict } from './element.ts';
import type { Element } from './element.ts';

export const namespaceDelimiter = '--';
const nodeKeywords = new Set(['SELF', 'SOURCE', 'TARGET']);
const nodeFunctions = new Set(['get_property', 'get_attribute', 'get_attributes_list', 'get_attributes_dict']);

/** The name in a namespace; the manager's own names stay as they are. */
export function prefixName(namespace: string, name: string): string {
  return name.startsWith(builtInPrefix) ? name : namespace + namespaceDelimiter + name;
}

/**
 * A copy of an element's value in which every name it defines and every name it refers to is in the namespace.
 * Values of a wrong shape are left to validation. The given value is not modified.
 */
export function prefixValue(element: Element, value: unknown, namespace: string): unknown {
  if (typeof value === 'string') {
    return element.isReference && !isScriptText(value) && !primitiveTypes.has(value)
      ? prefixName(namespace, value)
      : value;
  }
  if (Array.isArray(value)) {
    const list = element.schemas.find((schema) => schema.kind === 'list');
    return value.map((item) => (list ? prefixValue(list.of, item, namespace) : prefixFunctions(item, namespace)));
  }
  if (!isDict(value)) {
    return value;
  }
  const schema = element.schemas.find(({ kind }) => kind === 'dict' || kind === 'fields');
  if (schema?.kind === 'dict') {
    return mapEntries(value, (key, item) => [
      schema.hasNames ? prefixName(namespace, key) : key,
      prefixValue(schema.of, item, namespace),
    ]);
  }
  if (schema?.kind === 'fields') {
    return mapEntries(value, (key, item) => {
      const field = Object.hasOwn(schema.fields, key) ? schema.fields[key] : undefined;
      return [key, field ? prefixValue(field, item, namespace) : item];
    });
  }
  return prefixFunctions(value, namespace);
}

/** Scripts written in place and URLs of scripts are not names. */
function isScriptText(text: string): boolean {
  return text.trim().includes('\n') || /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text);
}

function prefixFunctions(value: unknown, namespace: string): unknown {
  if (Array.isArray(value)) {
    return value.map((item) => prefixFunctions(item, namespace));
  }
  if (!isDict(value)) {
    return value;
  }
  const isCall = isFunction(value);
  return mapEntries(value, (key, item) => {
    if (isCall && key === 'get_input') {
      return [key, prefixFirst(item, namespace, () => true)];
    }
    if (isCall && nodeFunctions.has(key) && Array.isArray(item)) {
      return [key, prefixFirst(item, namespace, (name) => !nodeKeywords.has(name))];
    }
    return [key, prefixFunctions(item, namespace)];
  });
}

function prefixFirst(argument: unknown, namespace: string, isName: (text: string) => boolean): unknown {
  if (typeof argument === 'string') {
    return isName(argument) ? prefixName(namespace, argument) : argument;
  }
  if (Array.isArray(argument)) {
    const [first, ...rest] = argument as unknown[];
    return [prefixFirst(first, namespace, isName), ...rest.map((item) => prefixFunctions(item, namespace))];
  }
  return prefixFunctions(argument, namespace);
}

function mapEntries(
  value: Record<string, unknown>,
  change: (key: string, item: unknown) => [string, unknown],
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const [newKey, newItem] = change(key, item);
    setOwn(result, newKey, newItem);
  }
  keepMarks(value, result);
  return result;
}
