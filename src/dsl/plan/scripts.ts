import { scriptPathOf } from '../interfaces/implementation.ts';
import { isDict } from '../schema/element.ts';

/** Every implementation of a blueprint that may be the path of a file: text -> path without namespaces. */
export function possibleScripts(tree: Readonly<Record<string, unknown>>): Map<string, string> {
  const found = new Map<string, string>();
  const add = (value: unknown, key: string): void => {
    const text = isDict(value) ? value[key] : value;
    const path = typeof text === 'string' && text !== '' ? scriptPathOf(text) : undefined;
    if (path !== undefined) {
      found.set(text as string, path);
    }
  };
  const addInterfaces = (interfaces: unknown): void => {
    for (const operations of valuesOf(interfaces)) {
      for (const operation of valuesOf(operations)) {
        add(operation, 'implementation');
      }
    }
  };
  const addSides = (relationship: unknown): void => {
    if (isDict(relationship)) {
      addInterfaces(relationship['source_interfaces']);
      addInterfaces(relationship['target_interfaces']);
    }
  };
  for (const type of valuesOf(tree['node_types'])) {
    addInterfaces(isDict(type) ? type['interfaces'] : undefined);
  }
  for (const type of valuesOf(tree['relationships'])) {
    addSides(type);
  }
  for (const template of valuesOf(tree['node_templates'])) {
    if (isDict(template)) {
      addInterfaces(template['interfaces']);
      valuesOf(template['relationships']).forEach(addSides);
    }
  }
  for (const workflow of valuesOf(tree['workflows'])) {
    add(workflow, 'mapping');
  }
  return found;
}

function valuesOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}
