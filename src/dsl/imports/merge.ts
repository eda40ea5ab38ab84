import { formatError, logicError } from '../errors.ts';
import type { DslError, SourceLocation } from '../errors.ts';
import { isDict, typeNameOf } from '../schema/element.ts';
import { sections as elements } from '../schema/blueprint.ts';
import { prefixName, prefixValue } from '../schema/namespace.ts';
import { builtInPrefix } from '../types/names.ts';
import { isOlder } from '../versions.ts';
import type { Version } from '../versions.ts';
import { locationIn } from '../yaml/positions.ts';
import type { Entry, Section, Sections } from './fragment.ts';

const dropped = new Set(['imports', 'dsl_definitions', 'tosca_definitions_version']);
const firstWins = new Set(['description', 'metadata']);
const mergedByKey = new Set([
  'interfaces',
  'node_types',
  'plugins',
  'workflows',
  'relationships',
  'policy_types',
  'groups',
  'policy_triggers',
  'data_types',
]);
const mergedByKeySince13 = new Set([
  'inputs',
  'outputs',
  'node_templates',
  'capabilities',
  'blueprint_labels',
  'labels',
  'resource_tags',
]);
const firstEntryWins = new Set(['blueprint_labels', 'labels', 'resource_tags']);
/** Sections that a namespace leaves alone, because their keys are fixed. */
const withoutNames = new Set(['deployment_settings']);

/** Merges files in the order given, the main file first. Compatibility: Cloudify 7 import merging. */
export class Merger {
  readonly sections: Sections = new Map();
  readonly importedBlueprints: unknown[];
  private readonly version: Version;

  constructor(version: Version, importedBlueprints: readonly string[]) {
    this.version = version;
    this.importedBlueprints = [...importedBlueprints];
  }

  /**
   * Adds a file.
   *
   * @throws DslError `DSLParsingLogicException` 3 for a section that only one file may have, 4 for a name two files
   *   define
   */
  add(file: Sections, namespace: string | undefined): void {
    for (const [name, section] of file) {
      if (dropped.has(name)) {
        continue;
      }
      if (name === 'imported_blueprints') {
        this.addImportedBlueprints(section);
        continue;
      }
      const incoming = namespace === undefined ? section : inNamespace(name, section, namespace);
      const present = this.sections.get(name);
      if (!present) {
        const copy = incoming.kind === 'entries' ? { ...incoming, entries: new Map(incoming.entries) } : incoming;
        this.sections.set(name, copy);
      } else if (!firstWins.has(name)) {
        this.combine(name, present, incoming);
      }
    }
  }

  private addImportedBlueprints(section: Section): void {
    if (section.kind !== 'value' || !Array.isArray(section.value)) {
      throw wrongKind('imported_blueprints', section, 'list');
    }
    for (const id of section.value as unknown[]) {
      if (!this.importedBlueprints.includes(id)) {
        this.importedBlueprints.push(id);
      }
    }
  }

  private combine(name: string, present: Section, incoming: Section): void {
    if (name !== 'namespaces_mapping') {
      this.requireMergeable(name, incoming);
    }
    if (present.kind !== 'entries') {
      throw wrongKind(name, present, 'dict');
    }
    if (incoming.kind !== 'entries') {
      throw wrongKind(name, incoming, 'dict');
    }
    for (const [key, entry] of incoming.entries) {
      const old = present.entries.get(key);
      if (!old || entry.isBuiltIn || key.startsWith(builtInPrefix)) {
        present.entries.set(key, entry);
      } else if (!firstEntryWins.has(name)) {
        present.entries.set(key, mergeEntries(name, key, old, entry));
      }
    }
  }

  private requireMergeable(name: string, incoming: Section): void {
    if (mergedByKey.has(name)) {
      return;
    }
    const at = (): SourceLocation => locationIn(incoming.document, [name]);
    const message = `Import failed: non-mergeable field: '${name}'`;
    if (!mergedByKeySince13.has(name)) {
      throw logicError(3, message, { location: at(), remedy: 'Only one of the merged files may have this section' });
    }
    if (isOlder(this.version, [1, 3])) {
      const rule = `${name} can be imported multiple times only from cloudify_dsl_1_3 and above.`;
      throw logicError(3, `${message}. ${rule}`, { location: at() });
    }
  }
}

function wrongKind(name: string, section: Section, wanted: string): DslError {
  const found = section.kind === 'entries' ? 'dict' : typeNameOf(section.value);
  const location = locationIn(section.document, [name]);
  return formatError(1, `Expected '${wanted}' type but found '${found}' type`, { location });
}

/** The section with its names and references in a namespace; entries of the manager's own types stay as they are. */
function inNamespace(name: string, section: Section, namespace: string): Section {
  if (section.kind !== 'entries') {
    return section;
  }
  const element = Object.hasOwn(elements, name) ? elements[name] : undefined;
  const inner = element?.schemas.find((schema) => schema.kind === 'dict');
  const entries = new Map<string, Entry>();
  for (const [key, entry] of section.entries) {
    if (entry.isBuiltIn || withoutNames.has(name)) {
      entries.set(key, entry);
    } else {
      const value = inner ? prefixValue(inner.of, entry.value, namespace) : entry.value;
      entries.set(prefixName(namespace, key), { ...entry, value });
    }
  }
  return { ...section, entries };
}

function mergeEntries(section: string, key: string, old: Entry, incoming: Entry): Entry {
  const merged =
    section === 'node_templates'
      ? extendNodeTemplate(old, incoming)
      : section === 'workflows'
        ? completeWorkflow(old, incoming)
        : undefined;
  if (!merged) {
    const first = old.document.file === undefined ? '' : ` It is also defined in ${old.document.file}.`;
    throw logicError(4, `Import failed: Could not merge '${section}' due to conflict on '${key}'`, {
      location: locationIn(incoming.document, incoming.path),
      remedy: `Rename one of them, or import the file with a namespace.${first}`,
    });
  }
  return merged;
}

/** One file may add relationships to a node template that another defines. */
function extendNodeTemplate(old: Entry, incoming: Entry): Entry | undefined {
  const present = old.value;
  const added = incoming.value;
  if (!isDict(present) || !isDict(added) || !Array.isArray(present['relationships'])) {
    return undefined;
  }
  const onlyRelationships = Object.keys(added).length === 1 && Array.isArray(added['relationships']);
  const isExtension = Object.keys(present).length === 1 && Object.hasOwn(added, 'type');
  if (!onlyRelationships && !isExtension) {
    return undefined;
  }
  const more = Array.isArray(added['relationships']) ? (added['relationships'] as unknown[]) : [];
  const relationships = [...(present['relationships'] as unknown[]), ...more];
  const additions = [...(old.additions ?? []), { from: relationships.length - more.length, entry: incoming }];
  return { ...old, value: { ...added, ...present, relationships }, additions };
}

/** Fields a workflow of an earlier file leaves out come from the later file. */
function completeWorkflow(old: Entry, incoming: Entry): Entry | undefined {
  return isDict(old.value) && isDict(incoming.value)
    ? { ...old, value: { ...incoming.value, ...old.value } }
    : undefined;
}
