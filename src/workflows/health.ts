import type { JsonObject } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import type { WorkflowContext } from './context.ts';
import { operationNames } from './names.ts';
import { viewOf } from './topology-view.ts';

/**
 * The instances that passed their last status check.
 *
 * @param needsCheck - whether an instance without any check counts as unhealthy
 */
export function findHealthy(instances: readonly NodeInstance[], needsCheck: boolean): Set<string> {
  const healthy = instances.filter((instance) => {
    const status = asObject(instance.systemProperties['status']);
    const isKnown = status !== undefined && 'ok' in status && 'task' in status;
    return (isKnown && Boolean(status['ok'])) || (!needsCheck && (!isKnown || status['task'] === null));
  });
  return new Set(healthy.map((instance) => instance.id));
}

/** What to do about unhealthy instances. */
export interface HealPlan {
  readonly toHeal: readonly NodeInstance[];
  readonly toReinstall: readonly NodeInstance[];
}

/** Unhealthy instances are healed if they can be, else reinstalled together with everything contained in them. */
export function planHealing(
  context: WorkflowContext,
  instances: readonly NodeInstance[],
  healthy: ReadonlySet<string>,
): HealPlan {
  const view = viewOf(context.topology);
  const unhealthy = instances.filter((instance) => !healthy.has(instance.id));
  const canHeal = (instance: NodeInstance): boolean => view.hasOperation(instance, operationNames.heal);
  const toReinstall = new Set(
    unhealthy.filter((instance) => !canHeal(instance)).flatMap((instance) => view.containedSubtree(instance)),
  );
  return {
    toHeal: unhealthy.filter((instance) => canHeal(instance) && !toReinstall.has(instance)),
    toReinstall: [...toReinstall],
  };
}

/**
 * The instances on which this execution has left a marker.
 *
 * @param marker - a system property that holds the id of an execution
 */
export function findMarked(
  context: WorkflowContext,
  instances: readonly NodeInstance[],
  marker: string,
): NodeInstance[] {
  return instances.filter((instance) => instance.systemProperties[marker] === context.execution.id);
}

/** Finds the instances on which this execution has left a marker, and removes it; see `findMarked`. */
export async function takeMarked(
  context: WorkflowContext,
  instances: readonly NodeInstance[],
  marker: string,
): Promise<NodeInstance[]> {
  const marked = findMarked(context, instances, marker);
  if (marked.length > 0) {
    await context.updateSystemProperties(
      marked.map(({ id }) => ({ instanceId: id, update: (properties) => without(properties, marker) })),
    );
  }
  return marked;
}

function without(properties: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(properties).filter(([key]) => key !== name));
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
