import type { Visibility } from '../domain/states.ts';
import { scopeCondition } from './scope-condition.ts';
import type { Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters } from './values.ts';

function visible(alias: string, scope: Scope, parameters: Parameters): string {
  return scopeCondition(
    { tenant: `${alias}.tenant_id`, creator: `${alias}.creator_id`, visibility: `${alias}.visibility` },
    scope,
    parameters,
  );
}

/** A site by name, as visible in `scope`; the tenant's own before a global one. */
export async function findSite(
  session: Session,
  scope: Scope,
  name: string,
): Promise<{ storageId: number; visibility: Visibility } | undefined> {
  const parameters = new Parameters();
  const conditions = [`site.id = ${parameters.add(name)}`, visible('site', scope, parameters)];
  const own = parameters.add(scope.tenantId);
  const [site] = await session.prepared<{ storageId: number; visibility: Visibility }>(
    `select site.storage_id as "storageId", site.visibility from sites site where ${conditions.join(' and ')}
      order by site.tenant_id = ${own} desc limit 1`,
    parameters.values,
  );
  return site;
}

/** Versions of plugin packages that are visible in `scope`: package name -> versions. */
export async function findPluginPackages(
  session: Session,
  scope: Scope,
  names: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const parameters = new Parameters();
  const conditions = [`plugin.package_name = any(${parameters.add(names)})`, visible('plugin', scope, parameters)];
  const rows = await session.prepared<{ name: string; versions: string[] }>(
    `select plugin.package_name as name, array_agg(coalesce(plugin.package_version, '')) as versions
      from plugins plugin where ${conditions.join(' and ')} group by plugin.package_name`,
    parameters.values,
  );
  return new Map(rows.map(({ name, versions }) => [name, new Set(versions)]));
}
