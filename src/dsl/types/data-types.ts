import type { Json, JsonObject, PropertySchema } from '../../domain/plan.ts';
import { logicError } from '../errors.ts';
import { nearestName } from '../schema/names.ts';
import type { Problems } from '../problems.ts';
import { primitiveTypes } from './names.ts';
import { orderByDependencies } from './order.ts';
import { inheritProperties, readProperties } from './schemas.ts';
import type { Raw } from './schemas.ts';

export interface DataType {
  readonly properties: Record<string, PropertySchema>;
  readonly description: Json;
  readonly derived_from: string | null;
  readonly version: Json;
}

/** Reads the section `data_types`: nested types first, each with what it inherits. */
export function readDataTypes(section: unknown, problems: Problems): Map<string, DataType> {
  const raws = new Map(Object.entries((section ?? {}) as Record<string, Raw>));
  const types = new Map<string, DataType>();
  const order = problems.attemptSection('data_types', () =>
    orderByDependencies(
      raws.keys(),
      (name) => partsOf(raws.get(name)),
      (name) => ['data_types', name],
    ),
  );
  for (const name of order ?? []) {
    const path = ['data_types', name];
    problems.attempt(path, () => {
      if (primitiveTypes.has(name)) {
        throw logicError(104, `Can't redefine primitive type ${name}`, { path });
      }
      const raw = raws.get(name) ?? {};
      const parentName = (raw['derived_from'] as string | null | undefined) ?? null;
      const parent = problems.attempt(path, () => requireParent('data type', name, parentName, raws, types, problems));
      const own = readProperties(raw['properties'], name, [...path, 'properties'], { dataTypes: types, problems });
      types.set(name, {
        properties: parent ? inheritProperties(own, parent.properties, types) : own.schemas,
        description: (raw['description'] ?? null) as Json,
        derived_from: parentName,
        version: (raw['version'] ?? null) as Json,
      });
    });
  }
  return new Map([...raws.keys()].flatMap((name) => (types.has(name) ? [[name, types.get(name) as DataType]] : [])));
}

function partsOf(raw: Raw | undefined): string[] {
  const properties = Object.values((raw?.['properties'] ?? {}) as Record<string, PropertySchema | null>);
  const parts = properties.map((schema) => schema?.type);
  return [raw?.['derived_from'] as string | undefined, ...parts].filter((name) => typeof name === 'string');
}

/**
 * The type another extends.
 *
 * @param kind as messages name it
 * @throws DslError 103 when there is no such type; KnownMistake when it is wrong itself
 */
export function requireParent<T>(
  kind: 'type' | 'relationship' | 'data type',
  name: string,
  parentName: string | null | undefined,
  declared: ReadonlyMap<string, unknown>,
  done: ReadonlyMap<string, T>,
  problems: Problems,
): T | undefined {
  if (parentName === null || parentName === undefined) {
    return undefined;
  }
  const section = kind === 'type' ? 'node_types' : kind === 'relationship' ? 'relationships' : 'data_types';
  problems.requireSound(section, parentName);
  if (!declared.has(parentName)) {
    const message = `Missing definition for ${kind} '${parentName}' which is declared as derived by ${kind} '${name}'`;
    throw logicError(103, message, {
      path: [section, name, 'derived_from'],
      remedy: nearestName(parentName, declared.keys()),
    });
  }
  return done.get(parentName);
}

/** The types as the plan lists them. */
export function dataTypesOfPlan(types: ReadonlyMap<string, DataType>): JsonObject {
  return Object.fromEntries(types) as unknown as JsonObject;
}
