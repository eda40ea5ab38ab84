import { roles } from '../../domain/permissions.ts';
import { GantryError } from '../../domain/errors.ts';
import type { Tenant } from '../../domain/entities.ts';
import type { Permission } from '../../domain/permissions.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { holds, requirePermission } from '../../services/caller.ts';
import type { Caller } from '../../services/caller.ts';
import type { Holder, TenantDetails, TenantService } from '../../services/tenants.ts';
import type { QuotaView, TenantQuotaService } from '../../services/tenant-quotas.ts';
import { json, nothing, paged, partial, record, textSchema } from '../answer.ts';
import type { JsonSchema } from '../body.ts';
import { envelope } from '../query.ts';
import type { QueryValues } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import { textMember } from '../body.ts';
import type { ApiCall, Route } from '../route.ts';

const memberSchema = {
  type: 'object',
  required: ['tenant_name', 'username'],
  properties: { tenant_name: { type: 'string' }, username: { type: 'string' }, role: { type: ['string', 'null'] } },
};

const groupSchema = {
  type: 'object',
  required: ['tenant_name', 'group_name'],
  properties: { tenant_name: { type: 'string' }, group_name: { type: 'string' }, role: { type: ['string', 'null'] } },
};

const newTenantSchema = { type: 'object', properties: { rabbitmq_password: { type: ['string', 'null'] } } };

const tenantSchema = partial('Tenant', {
  name: 'text',
  groups: 'json',
  users: 'json',
  user_roles: 'json',
  rabbitmq_username: 'text',
  rabbitmq_password: 'text',
  rabbitmq_vhost: 'text',
});

interface BrokerAccount {
  readonly password: string | undefined;
}

function shapeTenant(
  tenant: TenantDetails,
  options: { hasData?: boolean; broker?: BrokerAccount | undefined } = {},
): Record<string, unknown> {
  const { hasData, broker } = options;
  const users = tenant.members.filter(({ kind }) => kind === 'user');
  const groups = tenant.members.filter(({ kind }) => kind === 'group');
  const names = new Set([...users.map(({ name }) => name), ...groups.flatMap((group) => group.users)]);
  const allRoles = (username: string): string[] => {
    const held = tenant.members.filter(({ kind, name, users: inside }) =>
      kind === 'user' ? name === username : inside.includes(username),
    );
    return [...new Set(held.map(({ role }) => role))].sort();
  };
  const directRole = (username: string): string | null => users.find(({ name }) => name === username)?.role ?? null;
  const userData = [...names].map(
    (name) => [name, { 'tenant-role': directRole(name), roles: allRoles(name) }] as const,
  );
  return {
    name: tenant.name,
    groups: hasData ? Object.fromEntries(groups.map(({ name, role }) => [name, role])) : groups.length,
    users: hasData ? Object.fromEntries(userData) : names.size,
    user_roles: hasData
      ? {
          direct: Object.fromEntries(users.map(({ name, role }) => [name, role])),
          groups: Object.fromEntries(groups.map(({ name, role, users: inside }) => [name, { role, users: inside }])),
        }
      : null,
    rabbitmq_username: broker ? (tenant.rabbitmqUsername ?? null) : null,
    rabbitmq_password: broker?.password ?? null,
    rabbitmq_vhost: broker ? (tenant.rabbitmqVhost ?? null) : null,
  };
}

function pick(shaped: Record<string, unknown>, include: readonly string[] | undefined): Record<string, unknown> {
  if (!include) {
    return shaped;
  }
  const unknown = include.filter((name) => !(name in shaped));
  if (unknown.length > 0) {
    throw new GantryError(
      'no_such_include_field_error',
      `Include keys '${JSON.stringify(unknown)}' do not exist. Allowed keys are: ${Object.keys(shaped).join(', ')}`,
    );
  }
  return Object.fromEntries(Object.entries(shaped).filter(([name]) => include.includes(name)));
}

/** A role that users may have in a tenant. @throws GantryError bad_parameters_error */
function tenantRole(value: unknown): string {
  const name = typeof value === 'string' && value !== '' ? value : 'user';
  const role = roles.find((known) => known.name === name);
  if (!role) {
    const known = roles.filter(({ type }) => type === 'tenant_role').map((entry) => entry.name);
    throw new GantryError(
      'bad_parameters_error',
      `Invalid role: \`${name}\`. Valid tenant_role roles are: [${known.map((entry) => `'${entry}'`).join(', ')}]`,
    );
  }
  if (role.type !== 'tenant_role') {
    throw new GantryError(
      'bad_parameters_error',
      `Role \`${name}\` is a system_role and cannot be assigned as a tenant_role`,
    );
  }
  return name;
}

function mayPage(query: QueryValues, items: readonly TenantDetails[]): readonly TenantDetails[] {
  const names = query.all('name');
  const search = query.one('_search')?.toLowerCase();
  return items
    .filter(({ name }) => names.length === 0 || names.includes(name))
    .filter(({ name }) => search === undefined || name.toLowerCase().includes(search));
}

const brokerFields = ['rabbitmq_username', 'rabbitmq_password', 'rabbitmq_vhost'];

function listRoute(tenants: TenantService): Route {
  return {
    method: 'get',
    path: '/tenants',
    summary: 'List tenants',
    access: { permission: 'tenant_list', tenant: 'optional' },
    query: ['name', '_search', '_get_data', '_size', '_offset', '_include'],
    isMaintenance: true,
    answer: paged(tenantSchema),
    handle: async ({ caller, query }) => {
      const hasData = query.flag('_get_data');
      if (hasData) {
        requirePermission(caller, 'tenant_list_get_data');
      }
      const all = mayPage(query, await tenants.list(caller));
      const size = query.count('_size') ?? 1000;
      const offset = query.count('_offset') ?? 0;
      const shown = query.flag('_get_all_results') ? all : all.slice(offset, offset + size);
      const include = query.include();
      const asksForBroker = include?.some((name) => brokerFields.includes(name)) === true;
      const items = await Promise.all(
        shown.map(async (tenant) => {
          const isShown = asksForBroker && mayReadBroker(caller, tenant);
          const broker = isShown ? { password: await tenants.brokerPassword(tenant) } : undefined;
          return pick(shapeTenant(tenant, { hasData, broker }), include);
        }),
      );
      return ok(envelope(items, { total: all.length, size, offset }));
    },
  };
}

/** Whether the caller may read how to reach the broker as a tenant. */
function mayReadBroker(caller: Caller, tenant: Tenant): boolean {
  return caller.execution?.tenantId === tenant.id || holds({ ...caller, tenant }, 'tenant_rabbitmq_credentials');
}

interface Link {
  readonly path: string;
  readonly what: string;
  readonly schema: JsonSchema;
  readonly permissions: Readonly<Record<'add' | 'update' | 'remove', Permission>>;
  readonly holder: (body: JsonObject) => Holder;
}

const links: readonly Link[] = [
  {
    path: '/tenants/users',
    what: 'a user',
    schema: memberSchema,
    permissions: { add: 'tenant_add_user', update: 'tenant_update_user', remove: 'tenant_remove_user' },
    holder: (body) => ({ user: textMember(body, 'username') }),
  },
  {
    path: '/tenants/user-groups',
    what: 'a user group',
    schema: groupSchema,
    permissions: { add: 'tenant_add_group', update: 'tenant_update_group', remove: 'tenant_remove_group' },
    holder: (body) => ({ group: textMember(body, 'group_name') }),
  },
];

/** Roles of users and groups in tenants. */
function linkRoutes(tenants: TenantService, link: Link): Route[] {
  const { path, schema: body, permissions } = link;
  const read = (call: ApiCall): { tenant: string; holder: Holder; role: unknown } => {
    const request = call.body as JsonObject;
    return { tenant: textMember(request, 'tenant_name'), holder: link.holder(request), role: request['role'] };
  };
  return [
    {
      method: 'put',
      path,
      summary: `Add ${link.what} to a tenant`,
      access: { permission: permissions.add, tenant: 'optional' },
      body,
      answer: json(tenantSchema),
      handle: async (call) => {
        const { tenant, holder, role } = read(call);
        return ok(shapeTenant(await tenants.grant(call.caller, tenant, holder, tenantRole(role))));
      },
    },
    {
      method: 'patch',
      path,
      summary: `Change the role of ${link.what} in a tenant`,
      access: { permission: permissions.update, tenant: 'optional' },
      body,
      answer: json(tenantSchema),
      handle: async (call) => {
        const { tenant, holder, role } = read(call);
        return ok(shapeTenant(await tenants.changeGrant(call.caller, tenant, holder, tenantRole(role))));
      },
    },
    {
      method: 'delete',
      path,
      summary: `Remove ${link.what} from a tenant`,
      access: { permission: permissions.remove, tenant: 'optional' },
      body,
      answer: nothing,
      handle: async (call) => {
        const { tenant, holder } = read(call);
        await tenants.revoke(call.caller, tenant, holder);
        return noContent;
      },
    },
  ];
}

const limitSchema = { type: ['integer', 'null'], minimum: 0, maximum: 2_147_483_647 };
const quotaSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    deployments: limitSchema,
    executions: limitSchema,
    storage_bytes: { type: ['integer', 'null'], minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  },
};

const limitsAnswer = record(undefined, { deployments: 'integer', executions: 'integer', storage_bytes: 'integer' });
const quotaAnswer = record('TenantQuota', { tenant_name: textSchema, limits: limitsAnswer, used: limitsAnswer });

function shapeQuota(tenantName: string, { limits, used }: QuotaView): Record<string, unknown> {
  return {
    tenant_name: tenantName,
    limits: {
      deployments: limits.deployments ?? null,
      executions: limits.executions ?? null,
      storage_bytes: limits.storageBytes ?? null,
    },
    used: { deployments: used.deployments, executions: used.executions, storage_bytes: used.storageBytes },
  };
}

/** What tenants may use at most. */
function quotaRoutes(tenants: TenantService, quotas: TenantQuotaService): Route[] {
  return [
    {
      method: 'get',
      path: '/tenants/:tenant_name/quotas',
      summary: 'Usage and limits of a tenant',
      // the permission counts in the tenant that is asked for
      access: { tenant: 'optional' },
      isMaintenance: true,
      answer: json(quotaAnswer),
      handle: async ({ caller, parameters }) => {
        const tenant = await tenants.get(caller, parameters['tenant_name'] ?? '');
        return ok(shapeQuota(tenant.name, await quotas.get(tenant)));
      },
    },
    {
      method: 'put',
      path: '/tenants/:tenant_name/quotas',
      summary: 'Set limits of a tenant; null = no limit, members that are absent stay',
      access: { permission: 'tenant_create', tenant: 'optional' },
      body: quotaSchema,
      answer: json(quotaAnswer),
      handle: async ({ caller, parameters, body }) => {
        const tenant = await tenants.get(caller, parameters['tenant_name'] ?? '');
        const { limits } = await quotas.get(tenant);
        const given = body as JsonObject;
        const limit = (name: string, stored: number | undefined): number | undefined => {
          const value = given[name];
          return value === undefined ? stored : typeof value === 'number' ? value : undefined;
        };
        const changed = await quotas.put(caller, tenant, {
          deployments: limit('deployments', limits.deployments),
          executions: limit('executions', limits.executions),
          storageBytes: limit('storage_bytes', limits.storageBytes),
        });
        return ok(shapeQuota(tenant.name, changed));
      },
    },
  ];
}

/** Routes of `/tenants`. */
export function tenantRoutes(tenants: TenantService, quotas: TenantQuotaService): Route[] {
  return [
    ...quotaRoutes(tenants, quotas),
    listRoute(tenants),
    ...links.flatMap((link) => linkRoutes(tenants, link)),
    {
      method: 'post',
      path: '/tenants/:tenant_name',
      summary: 'Create a tenant',
      access: { permission: 'tenant_create', tenant: 'optional' },
      body: newTenantSchema,
      isBodyOptional: true,
      answer: json(tenantSchema),
      handle: async ({ caller, parameters, body }) => {
        const password = (body as JsonObject)['rabbitmq_password'];
        const given = typeof password === 'string' && password !== '' ? password : undefined;
        const tenant = await tenants.create(caller, parameters['tenant_name'] ?? '', given);
        return created(shapeTenant(tenant));
      },
    },
    {
      method: 'get',
      path: '/tenants/:tenant_name',
      summary: 'Get a tenant',
      // the permission counts in the tenant that is asked for
      access: { tenant: 'optional' },
      query: ['_get_data'],
      isMaintenance: true,
      answer: json(tenantSchema),
      handle: async ({ caller, parameters, query }) => {
        const tenant = await tenants.get(caller, parameters['tenant_name'] ?? '');
        const broker = mayReadBroker(caller, tenant) ? { password: await tenants.brokerPassword(tenant) } : undefined;
        return ok(pick(shapeTenant(tenant, { hasData: query.flag('_get_data'), broker }), query.include()));
      },
    },
    {
      method: 'delete',
      path: '/tenants/:tenant_name',
      summary: 'Delete an empty tenant',
      access: { permission: 'tenant_delete', tenant: 'optional' },
      answer: nothing,
      handle: async ({ caller, parameters }) => {
        await tenants.remove(caller, parameters['tenant_name'] ?? '');
        return noContent;
      },
    },
  ];
}
