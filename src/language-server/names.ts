import type { Path } from '../dsl/errors.ts';
import { isDict } from '../dsl/schema/element.ts';
import { builtInPrefix } from '../dsl/types/names.ts';
import type { Unit } from './workspace.ts';

/** Sections whose entries other parts of a blueprint name. */
export const namedSections = [
  'node_types',
  'relationships',
  'data_types',
  'node_templates',
  'inputs',
  'plugins',
  'groups',
  'policies',
  'policy_types',
  'policy_triggers',
  'workflows',
  'capabilities',
  'outputs',
] as const;
export type SectionName = (typeof namedSections)[number];

/** Sections of types that can be derived from each other. */
export type TypeSection = 'node_types' | 'relationships' | 'data_types';

/** Where a name is defined. */
export interface Definition {
  readonly section: SectionName;
  /** As the main file of the blueprint has to write it. */
  readonly name: string;
  readonly unit: Unit;
  readonly path: Path;
  readonly value: unknown;
}

/** A property with the type that declares it. */
export interface PropertyDeclaration {
  readonly schema: Record<string, unknown>;
  readonly owner: Definition;
  readonly path: Path;
}

/** The name in the blueprint of a name written in one of its files. */
export function mergedName(unit: Unit, written: string): string {
  return written.startsWith(builtInPrefix) ? written : unit.prefix + written;
}

/** How a file of the blueprint has to write a name; undefined when it cannot. */
export function writtenName(unit: Unit, merged: string): string | undefined {
  if (merged.startsWith(builtInPrefix)) {
    return merged;
  }
  return merged.startsWith(unit.prefix) ? merged.slice(unit.prefix.length) : undefined;
}

/** Every name of a blueprint. */
export class Names {
  readonly units: readonly Unit[];
  readonly #definitions = new Map<SectionName, Map<string, Definition>>();

  constructor(units: readonly Unit[]) {
    this.units = units;
    for (const unit of units) {
      for (const section of namedSections) {
        const entries = unit.file.model.valueAt([section]);
        for (const [written, value] of isDict(entries) ? Object.entries(entries) : []) {
          const name = mergedName(unit, written);
          const known = this.of(section);
          if (!known.has(name)) {
            known.set(name, { section, name, unit, path: [section, written], value });
          }
        }
      }
    }
  }

  /** Definitions of a section, by name. */
  of(section: SectionName): Map<string, Definition> {
    const known = this.#definitions.get(section) ?? new Map<string, Definition>();
    this.#definitions.set(section, known);
    return known;
  }

  find(section: SectionName, name: string): Definition | undefined {
    return this.of(section).get(name);
  }

  /** A type and what it is derived from, itself first. */
  chainOf(section: TypeSection, name: string): Definition[] {
    const chain: Definition[] = [];
    let next = this.find(section, name);
    while (next && !chain.includes(next)) {
      chain.push(next);
      const parent = isDict(next.value) ? next.value['derived_from'] : undefined;
      next = typeof parent === 'string' ? this.find(section, mergedName(next.unit, parent)) : undefined;
    }
    return chain;
  }

  /** Properties of a type with those it inherits. */
  propertiesOf(section: TypeSection, name: string): Map<string, PropertyDeclaration> {
    const properties = new Map<string, PropertyDeclaration>();
    for (const owner of this.chainOf(section, name)) {
      const declared = isDict(owner.value) ? owner.value['properties'] : undefined;
      for (const [property, schema] of isDict(declared) ? Object.entries(declared) : []) {
        if (!properties.has(property)) {
          const path = [...owner.path, 'properties', property];
          properties.set(property, { schema: isDict(schema) ? schema : {}, owner, path });
        }
      }
    }
    return properties;
  }

  /**
   * Interfaces of a type with those it inherits.
   * @param side field of the type that holds them
   * @returns interface -> operation -> the type that declares it
   */
  interfacesOf(section: TypeSection, name: string, side: string): Map<string, Map<string, Definition>> {
    const interfaces = new Map<string, Map<string, Definition>>();
    for (const owner of this.chainOf(section, name)) {
      const declared = isDict(owner.value) ? owner.value[side] : undefined;
      for (const [interfaceName, operations] of isDict(declared) ? Object.entries(declared) : []) {
        const known = interfaces.get(interfaceName) ?? new Map<string, Definition>();
        interfaces.set(interfaceName, known);
        for (const operation of isDict(operations) ? Object.keys(operations) : []) {
          if (!known.has(operation)) {
            known.set(operation, owner);
          }
        }
      }
    }
    return interfaces;
  }
}
