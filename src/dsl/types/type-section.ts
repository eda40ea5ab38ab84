import type { PropertySchema } from '../../domain/plan.ts';
import type { Path } from '../errors.ts';
import { inheritInterfaces, readTypeInterfaces } from '../interfaces/merge.ts';
import type { TypeInterfaces } from '../interfaces/merge.ts';
import { requireParent } from './data-types.ts';
import { hostTypeMark } from './names.ts';
import { orderByDependencies } from './order.ts';
import { inheritProperties, readProperties } from './schemas.ts';
import type { Raw, SchemaContext } from './schemas.ts';

export interface NodeType {
  readonly name: string;
  /** Root first, the type itself last. */
  readonly hierarchy: readonly string[];
  readonly properties: Record<string, PropertySchema>;
  readonly interfaces: TypeInterfaces;
  /** Whether its nodes are hosts. A mark inside a name counts, so that hosts of namespaces are recognised. */
  readonly isHost: boolean;
}

export interface RelationshipType {
  readonly name: string;
  readonly derivedFrom: string | undefined;
  readonly hierarchy: readonly string[];
  readonly properties: Record<string, PropertySchema>;
  readonly sourceInterfaces: TypeInterfaces;
  readonly targetInterfaces: TypeInterfaces;
}

/** Reads the section `node_types`: parents first. */
export function readNodeTypes(section: unknown, context: SchemaContext): Map<string, NodeType> {
  return readTypes<NodeType>('type', section, context, ({ name, raw, path, parent, properties }) => {
    // Runtime properties are only checked: nothing in a plan comes from them.
    readProperties(raw['runtime_properties'], name, [...path, 'runtime_properties'], context);
    const interfaces = readTypeInterfaces(raw['interfaces'], [...path, 'interfaces'], context);
    const hierarchy = [...(parent?.hierarchy ?? []), name];
    return {
      name,
      hierarchy,
      properties,
      interfaces: parent ? inheritInterfaces(interfaces, parent.interfaces) : interfaces,
      isHost: hierarchy.some((item) => item.includes(hostTypeMark)),
    };
  });
}

/** Reads the section `relationships`: parents first. */
export function readRelationshipTypes(section: unknown, context: SchemaContext): Map<string, RelationshipType> {
  return readTypes<RelationshipType>('relationship', section, context, ({ name, raw, path, parent, properties }) => {
    const side = (key: 'source_interfaces' | 'target_interfaces', inherited: TypeInterfaces | undefined) => {
      const interfaces = readTypeInterfaces(raw[key], [...path, key], context);
      return inherited ? inheritInterfaces(interfaces, inherited) : interfaces;
    };
    return {
      name,
      derivedFrom: (raw['derived_from'] as string | null | undefined) ?? undefined,
      hierarchy: [...(parent?.hierarchy ?? []), name],
      properties,
      sourceInterfaces: side('source_interfaces', parent?.sourceInterfaces),
      targetInterfaces: side('target_interfaces', parent?.targetInterfaces),
    };
  });
}

interface TypeParts<T> {
  readonly name: string;
  readonly raw: Raw;
  readonly path: Path;
  readonly parent: T | undefined;
  /** With those of the parent. */
  readonly properties: Record<string, PropertySchema>;
}

function readTypes<T extends { readonly properties: Record<string, PropertySchema> }>(
  kind: 'type' | 'relationship',
  section: unknown,
  context: SchemaContext,
  build: (parts: TypeParts<T>) => T,
): Map<string, T> {
  const sectionName = kind === 'type' ? 'node_types' : 'relationships';
  const raws = new Map(Object.entries((section ?? {}) as Record<string, Raw>));
  const parentOf = (name: string): string | undefined =>
    (raws.get(name)?.['derived_from'] as string | null | undefined) ?? undefined;
  const order = context.problems.attemptSection(sectionName, () =>
    orderByDependencies(
      raws.keys(),
      (name) => [parentOf(name)].filter((parent) => parent !== undefined),
      (name) => [sectionName, name],
    ),
  );
  const types = new Map<string, T>();
  for (const name of order ?? []) {
    const path = [sectionName, name];
    const raw = raws.get(name) ?? {};
    context.problems.attempt(path, () => {
      const parent = context.problems.attempt(path, () =>
        requireParent(kind, name, parentOf(name), raws, types, context.problems),
      );
      const own = readProperties(raw['properties'], name, [...path, 'properties'], context);
      const properties = parent ? inheritProperties(own, parent.properties, context.dataTypes) : own.schemas;
      types.set(name, build({ name, raw, path, parent, properties }));
    });
  }
  return inOrderOf(raws.keys(), types);
}

function inOrderOf<T>(names: Iterable<string>, types: ReadonlyMap<string, T>): Map<string, T> {
  const result = new Map<string, T>();
  for (const name of names) {
    const type = types.get(name);
    if (type !== undefined) {
      result.set(name, type);
    }
  }
  return result;
}
