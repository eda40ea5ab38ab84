import { GantryError } from '../../domain/errors.ts';
import type { Permission } from '../../domain/permissions.ts';
import type { SummaryKind, SummaryService } from '../../services/summaries.ts';
import { mapOf, paged } from '../answer.ts';
import { ok } from '../route.ts';
import type { Route } from '../route.ts';
import { pythonRepr } from '../../domain/python-text.ts';

interface Summary {
  readonly kind: SummaryKind;
  readonly permission: Permission;
  /** Field on the wire -> field of the store. */
  readonly fields: Readonly<Record<string, string>>;
  /** Query argument with the group whose members alone are counted. */
  readonly group?: string;
}

const common = { tenant_name: 'tenantName', visibility: 'visibility' };

const summaries: readonly Summary[] = [
  {
    kind: 'deployments',
    permission: 'deployment_list',
    fields: { ...common, blueprint_id: 'blueprintId', site_name: 'siteName', deployment_status: 'deploymentStatus' },
    group: 'deployment_group_id',
  },
  { kind: 'nodes', permission: 'node_list', fields: { ...common, deployment_id: 'deploymentId' } },
  {
    kind: 'node_instances',
    permission: 'node_instance_list',
    fields: {
      ...common,
      deployment_id: 'deploymentId',
      index: 'index',
      node_id: 'nodeId',
      state: 'state',
      host_id: 'hostId',
    },
  },
  {
    kind: 'executions',
    permission: 'execution_list',
    fields: {
      ...common,
      status: 'status',
      status_display: 'status',
      blueprint_id: 'blueprintId',
      deployment_id: 'deploymentId',
      workflow_id: 'workflowId',
    },
    group: 'execution_group_id',
  },
  { kind: 'blueprints', permission: 'blueprint_list', fields: common },
  {
    kind: 'execution_schedules',
    permission: 'execution_schedule_list',
    fields: { ...common, deployment_id: 'deploymentId', workflow_id: 'workflowId', recurrence: 'recurrence' },
  },
];

function shown(field: string, value: unknown): unknown {
  return field === 'status_display' && value === 'terminated' ? 'completed' : (value ?? null);
}

/** Routes of `/summary`. */
export function summaryRoutes(service: SummaryService): Route[] {
  return summaries.map(({ kind, permission, fields, group: groupArgument }): Route => ({
    method: 'get',
    path: `/summary/${kind}`,
    summary: `Count ${kind.replace('_', ' ')} by their fields`,
    access: { permission, hasAllTenants: true },
    query: ['_target_field', '_sub_field', ...(groupArgument === undefined ? [] : [groupArgument])],
    answer: paged(mapOf({})),
    handle: async ({ caller, query }) => {
      const fieldOf = (name: string): string => {
        const field = fields[name];
        if (field === undefined) {
          throw new GantryError(
            'bad_parameters_error',
            `Field ${name} is not summarizable. Valid fields are: ${pythonRepr(Object.keys(fields))}`,
          );
        }
        return field;
      };
      const target = query.required('_target_field');
      const sub = query.one('_sub_field');
      const size = query.count('_size') ?? 1000;
      const offset = query.count('_offset') ?? 0;
      const filters: Record<string, readonly string[]> = {};
      for (const name of query.names().filter((entry) => !entry.startsWith('_') && entry !== groupArgument)) {
        filters[fieldOf(name)] = query.all(name);
      }
      const list = { size, offset, all: query.flag('_get_all_results'), filters };
      const { items, total } = await service.count(caller, kind, list, query.flag('_all_tenants'), {
        field: fieldOf(target),
        subField: sub === undefined ? undefined : fieldOf(sub),
        groupId: groupArgument === undefined ? undefined : query.one(groupArgument),
      });
      const groups = new Map<unknown, Record<string, unknown>>();
      for (const { value, subValue, count } of items) {
        const group = groups.get(value) ?? { [target]: shown(target, value), [kind]: 0 };
        groups.set(value, group);
        group[kind] = Number(group[kind]) + count;
        if (sub !== undefined) {
          const parts = (group[`by ${sub}`] ??= []) as unknown[];
          parts.push({ [sub]: shown(sub, subValue), [kind]: count });
        }
      }
      return ok({ items: [...groups.values()], metadata: { pagination: { total, size, offset } } });
    },
  }));
}
