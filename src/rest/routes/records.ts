import type { Permission } from '../../domain/permissions.ts';
import type { Records, RecordService } from '../../services/records.ts';
import { pageOf, single } from '../answer.ts';
import { listAnswer, parseList } from '../query.ts';
import { ok } from '../route.ts';
import type { Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import type { Shape } from '../shapes/field.ts';
import {
  dependencyShape,
  deploymentGroupShape,
  deploymentUpdateShape,
  modificationShape,
  pluginsUpdateShape,
} from '../shapes/records.ts';

interface RecordRoutes<Entity> {
  readonly path: string;
  /** Singular and plural, for the documentation. */
  readonly names: readonly [string, string];
  readonly shape: Shape<Entity>;
  readonly records: RecordService<Entity>;
  readonly list: Permission;
  /** Undefined = there is no route for a single one. */
  readonly get?: Permission;
  /** Entity field that `_search` looks in. */
  readonly search?: string;
}

function routesOf<Entity>({ path, names, shape, records, list, get, search }: RecordRoutes<Entity>): Route[] {
  const [singular, plural] = names;
  const all: Route = {
    method: 'get',
    path,
    summary: `List ${plural}`,
    access: { permission: list, hasAllTenants: true },
    answer: pageOf(shape),
    handle: async ({ caller, query }) => {
      const parsed = parseList(query, shape, search === undefined ? {} : { search: { _search: search } });
      return ok(listAnswer(parsed, await records.list(caller, parsed.query, parsed.isAllTenants)));
    },
  };
  if (get === undefined) {
    return [all];
  }
  return [
    all,
    {
      method: 'get',
      path: `${path}/:id`,
      summary: `Get ${singular}`,
      access: { permission: get },
      answer: single(shape),
      handle: async ({ tenantCaller, parameters, query }) =>
        ok(shapeOne(shape, await records.get(tenantCaller, parameters['id'] ?? ''), query.include())),
    },
  ];
}

/** Routes that only read. */
export function recordRoutes(records: Records): Route[] {
  return [
    ...routesOf({
      path: '/deployment-groups',
      names: ['a deployment group', 'deployment groups'],
      shape: deploymentGroupShape,
      records: records.deploymentGroups,
      list: 'deployment_group_list',
      get: 'deployment_group_get',
    }),
    ...routesOf({
      path: '/deployment-modifications',
      names: ['a change of the number of instances', 'changes of the number of instances'],
      shape: modificationShape,
      records: records.modifications,
      list: 'deployment_modification_list',
      get: 'deployment_modification_get',
    }),
    ...routesOf({
      path: '/deployment-updates',
      names: ['an update of a deployment', 'updates of deployments'],
      shape: deploymentUpdateShape,
      records: records.updates,
      list: 'deployment_update_list',
      get: 'deployment_update_get',
      search: 'id',
    }),
    ...routesOf({
      path: '/deployments/inter-deployment-dependencies',
      names: ['a dependency between deployments', 'dependencies between deployments'],
      shape: dependencyShape,
      records: records.dependencies,
      list: 'inter_deployment_dependency_list',
      search: 'id',
    }),
    ...routesOf({
      path: '/plugins-updates',
      names: ['an update of plugins', 'updates of plugins'],
      shape: pluginsUpdateShape,
      records: records.pluginsUpdates,
      list: 'plugins_update_list',
      get: 'plugins_update_get',
      search: 'id',
    }),
  ];
}
