import type { Json, JsonObject } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';

const relationshipFields = ['source_relationships_configuration_drift', 'target_relationships_configuration_drift'];

/** Whether the last drift check of the instance itself found differences. */
export function hasOwnDrift(instance: NodeInstance): boolean {
  return isTruthy(asObject(instance.systemProperties['configuration_drift'])?.['result']);
}

/** Whether the last drift check of one of its relationship ends found differences. */
export function hasRelationshipDrift(instance: NodeInstance): boolean {
  return relationshipRecords(instance).some((record) => isTruthy(record['result']));
}

/** Whether one of the last drift checks of the instance could not be done. */
export function hasFailedDriftCheck(instance: NodeInstance): boolean {
  const own = asObject(instance.systemProperties['configuration_drift']);
  return [...(own ? [own] : []), ...relationshipRecords(instance)].some((record) => record['ok'] === false);
}

/** Removes everything drift checks have written. */
export function withoutDrift(properties: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(properties).filter(([name]) => name !== 'configuration_drift' && !relationshipFields.includes(name)),
  );
}

/** What counts as a found difference: anything but an empty value. */
export function isTruthy(value: Json | undefined): boolean {
  if (Array.isArray(value)) {
    return value.length > 0;
  }
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}

function relationshipRecords(instance: NodeInstance): JsonObject[] {
  return relationshipFields
    .flatMap((field) => Object.values(asObject(instance.systemProperties[field]) ?? {}))
    .map(asObject)
    .filter((record) => record !== undefined);
}

function asObject(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
