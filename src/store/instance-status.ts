/** What the system properties of a node instance say about its status and drift. */
import type { Json, JsonObject } from '../domain/plan.ts';

function asObject(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

/** Whether the last status check was fine. */
export function isStatusOk(systemProperties: JsonObject): boolean {
  return asObject(systemProperties['status'])['ok'] === true;
}

function tellsDrift(record: Json | undefined): boolean {
  const { ok, result } = asObject(record);
  return ok === false || (result !== undefined && result !== null);
}

/** Whether the last drift check of the instance or of one of its relationships failed or found something. */
export function hasDrift(systemProperties: JsonObject): boolean {
  return (
    tellsDrift(systemProperties['configuration_drift']) ||
    ['source_relationships_configuration_drift', 'target_relationships_configuration_drift'].some((name) =>
      Object.values(asObject(systemProperties[name])).some(tellsDrift),
    )
  );
}
