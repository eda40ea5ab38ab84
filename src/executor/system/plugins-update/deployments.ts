import type { Json } from '../../../domain/plan.ts';
import type { PluginsUpdate } from '../../../domain/resources.ts';

function textsIn(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** The deployments an update of plugins is for: tenant -> ids. */
export function deploymentsIn(
  update: Pick<PluginsUpdate, 'deploymentsPerTenant' | 'deploymentsToUpdate' | 'tenantName'>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const { deploymentsPerTenant: perTenant, deploymentsToUpdate: own, tenantName } = update;
  const byTenant =
    typeof perTenant === 'object' && perTenant !== null && !Array.isArray(perTenant) ? Object.entries(perTenant) : [];
  return byTenant.length > 0
    ? new Map(byTenant.map(([name, ids]) => [name, new Set(textsIn(ids))]))
    : new Map([[tenantName, new Set(textsIn(own))]]);
}
