import { formatError } from '../errors.ts';
import { sections as knownSections } from '../schema/blueprint.ts';
import { isDict, typeNameOf } from '../schema/element.ts';
import { builtInPrefix } from '../types/names.ts';
import type { SourceDocument } from '../yaml/load.ts';
import { locationIn } from '../yaml/positions.ts';
import { keepMarks, setOwn } from '../yaml/marks.ts';
import type { StoredPluginSections } from './resolver.ts';

/** One named element of a section, and where it is written. */
export interface Entry {
  readonly value: unknown;
  readonly document: SourceDocument;
  /** The section and name under which the file writes it. */
  readonly path: readonly string[];
  /** Whether it comes from the manager's own types: never prefixed, and replacing what has its name. */
  readonly isBuiltIn: boolean;
  /** Relationships that other files add; the first of them has this index among the relationships. */
  readonly additions?: readonly { readonly from: number; readonly entry: Entry }[];
}

/** A section of one file, or of the merged blueprint. */
export type Section =
  | { readonly kind: 'entries'; readonly entries: Map<string, Entry>; readonly document: SourceDocument }
  | { readonly kind: 'value'; readonly value: unknown; readonly document: SourceDocument };

export type Sections = Map<string, Section>;

const rootType = `${builtInPrefix}nodes.Root`;

/**
 * Splits a loaded file into sections and their entries. Empty sections that the language has are left out.
 *
 * @throws DslError `DSLParsingFormatException` 1 when the file is not a mapping
 */
export function sectionsOf(document: SourceDocument): Sections {
  const { root } = document;
  if (!isDict(root)) {
    const message = `Expected 'dict' type but found '${typeNameOf(root)}' type`;
    throw formatError(1, message, { location: locationIn(document, []) });
  }
  const nodeTypes = root['node_types'];
  const isBuiltIn = isDict(nodeTypes) && isDict(nodeTypes[rootType]);
  const sections: Sections = new Map();
  for (const [name, value] of Object.entries(root)) {
    if (isDict(value)) {
      const entries = new Map<string, Entry>();
      for (const [key, item] of Object.entries(value)) {
        entries.set(key, { value: item, document, path: [name, key], isBuiltIn });
      }
      sections.set(name, { kind: 'entries', entries, document });
    } else if (value !== null || !Object.hasOwn(knownSections, name)) {
      sections.set(name, { kind: 'value', value, document });
    }
  }
  return sections;
}

/** Whether a file holds the manager's own types, as opposed to having imported them. */
export function isBuiltInTypes(sections: Sections): boolean {
  const nodeTypes = sections.get('node_types');
  const root = nodeTypes?.kind === 'entries' ? nodeTypes.entries.get(rootType) : undefined;
  return root?.isBuiltIn === true && nodeTypes?.document === root.document;
}

/** Replaces labels and tags a plugin's YAML writes by those stored with the plugin. */
export function withStoredSections(
  sections: Sections,
  stored: StoredPluginSections,
  document: SourceDocument,
): Sections {
  const result = new Map(sections);
  for (const name of ['labels', 'blueprint_labels', 'resource_tags'] as const) {
    result.delete(name);
    const values = stored[name];
    if (values && Object.keys(values).length > 0) {
      const entries = new Map<string, Entry>();
      for (const [key, value] of Object.entries(values)) {
        const item = name === 'resource_tags' ? value : { values: value };
        entries.set(key, { value: item, document, path: [name, key], isBuiltIn: false });
      }
      result.set(name, { kind: 'entries', entries, document });
    }
  }
  return result;
}

/** The sections as one tree. */
export function treeOf(sections: Sections): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const [name, section] of sections) {
    if (section.kind === 'value') {
      setOwn(tree, name, section.value);
      continue;
    }
    const content: Record<string, unknown> = {};
    for (const [key, entry] of section.entries) {
      setOwn(content, key, entry.value);
    }
    const { root } = section.document;
    if (isDict(root) && isDict(root[name])) {
      keepMarks(root[name], content);
    }
    setOwn(tree, name, content);
  }
  return tree;
}
