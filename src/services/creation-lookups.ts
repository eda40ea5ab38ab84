import { GantryError, notFound } from '../domain/errors.ts';
import type { Plan, PlanPlugin } from '../domain/plan.ts';
import { findPluginPackages, findSite } from '../store/creation-lookups.ts';
import { PlanCache } from '../store/plan-cache.ts';
import { scopeOf } from './caller.ts';
import type { CreationLookups } from './deployment-creation.ts';

const builtinPlugins = new Set(['agent', 'default_workflows', 'script', 'cfy_extensions']);
const visibilityRank = { private: 0, tenant: 1, global: 2 } as const;

/** Plugins of a plan that must be on the manager, without those that come with the product or the blueprint. */
function requiredPlugins(plan: Plan): PlanPlugin[] {
  const all = [...plan.deployment_plugins_to_install, ...plan.workflow_plugins_to_install];
  return all.filter(
    (plugin) =>
      plugin.install && plugin.source === null && plugin.package_name !== null && !builtinPlugins.has(plugin.name),
  );
}

/** Looks up what a new deployment names. */
export function createCreationLookups(): CreationLookups {
  const plans = new PlanCache();
  return {
    planOf: (session, blueprintStorageId) => plans.load(session, blueprintStorageId),

    async findSite(session, caller, request) {
      if (request.siteName === undefined) {
        return undefined;
      }
      const site = await findSite(session, scopeOf(caller), request.siteName);
      if (!site) {
        throw notFound('Site', request.siteName);
      }
      if (visibilityRank[request.visibility] > visibilityRank[site.visibility]) {
        throw new GantryError(
          'illegal_action_error',
          `The visibility of deployment \`${request.id}\`: \`${request.visibility}\` can't be wider than the visibility of its site \`${request.siteName}\`: \`${site.visibility}\``,
        );
      }
      return site.storageId;
    },

    async requirePlugins(session, caller, plan) {
      const required = requiredPlugins(plan);
      if (required.length === 0) {
        return;
      }
      const packages = await findPluginPackages(
        session,
        scopeOf(caller),
        required.map(({ package_name }) => package_name ?? ''),
      );
      for (const { package_name: name, package_version: version } of required) {
        const versions = packages.get(name ?? '');
        const isThere = versions !== undefined && (version === null || versions.has(version));
        if (!isThere) {
          throw new GantryError(
            'deployment_plugin_not_found',
            `Required plugin ${name ?? ''}, version ${version ?? 'any'} is not installed on the manager`,
          );
        }
      }
    },
  };
}
