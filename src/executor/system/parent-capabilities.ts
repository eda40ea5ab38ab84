import { GantryError } from '../../domain/errors.ts';
import type { Json } from '../../domain/plan.ts';
import type { ParentDeployment } from '../../store/deployment-links.ts';

/**
 * Checks that the environment a deployment is created in offers the capabilities its blueprint asks for.
 * @param required paths into the capabilities, e.g. `[["a"], ["b", 0]]`
 * @throws GantryError deployment_creation_error naming what is missing
 */
export function checkParentCapabilities(parents: readonly ParentDeployment[], required: readonly Json[]): void {
  if (required.length === 0) {
    return;
  }
  const paths = required.map((path) => (Array.isArray(path) ? path : [path]));
  const [parent] = parents;
  if (!parent) {
    throw new GantryError(
      'deployment_creation_error',
      `Environment not found, but environment capabilities are required: ${describe(paths)}`,
    );
  }
  const missing = paths.filter((path) => !offers(parent, path));
  if (missing.length > 0) {
    throw new GantryError(
      'deployment_creation_error',
      `Environment ${parent.displayName} (${parent.id}) does not have the required capabilities: ${describe(missing)}`,
    );
  }
}

function describe(paths: readonly Json[][]): string {
  return paths
    .map((path) => path.map((step) => (typeof step === 'string' ? step : JSON.stringify(step))).join('.'))
    .join(', ');
}

/** Steps below the name of a capability are looked up in its value as it is written. */
function offers(parent: ParentDeployment, path: readonly Json[]): boolean {
  const [name, ...steps] = path;
  const capability = typeof name === 'string' ? parent.capabilities?.[name] : undefined;
  let value: Json | undefined = member(capability, 'value');
  for (const step of steps) {
    value = Array.isArray(value)
      ? value[Number(step)]
      : typeof step === 'string' || typeof step === 'number'
        ? member(value, String(step))
        : undefined;
  }
  return capability !== undefined && value !== undefined;
}

function member(value: Json | undefined, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
    ? value[name]
    : undefined;
}
