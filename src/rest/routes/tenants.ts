import { roles } from '../../domain/permissions.ts';
import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { holds, requirePermission } from '../../services/caller.ts';
import type { Caller } from '../../services/caller.ts';
import type { TenantDetails, TenantService } from '../../services/tenants.ts';
import { envelope } from '../query.ts';
import type { QueryValues } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
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

function shapeTenant(tenant: TenantDetails, hasData: boolean, showsBroker: boolean): Record<string, unknown> {
  const users = Object.fromEntries(
    tenant.users.map(({ username, role, roles: all }) => [username, { 'tenant-role': role ?? null, roles: all }]),
  );
  const groups = Object.fromEntries(tenant.groups.map(({ name, role }) => [name, role]));
  const direct = Object.fromEntries(tenant.users.flatMap(({ username, role }) => (role ? [[username, role]] : [])));
  const viaGroups = Object.fromEntries(
    tenant.groups.map(({ name, role, members }) => [name, { role, users: members }]),
  );
  return {
    name: tenant.name,
    groups: hasData ? groups : tenant.groups.length,
    users: hasData ? users : tenant.users.length,
    user_roles: hasData ? { direct, groups: viaGroups } : null,
    rabbitmq_username: showsBroker ? (tenant.rabbitmqUsername ?? null) : null,
    rabbitmq_password: showsBroker ? (tenant.rabbitmqPassword ?? null) : null,
    rabbitmq_vhost: showsBroker ? (tenant.rabbitmqVhost ?? null) : null,
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
      const items = shown.map((tenant) =>
        pick(shapeTenant(tenant, hasData, asksForBroker && mayReadBroker(caller, tenant.name)), include),
      );
      return ok(envelope(items, { total: all.length, size, offset }));
    },
  };
}

/** Whether the caller may read how to reach the broker as a tenant. */
function mayReadBroker(caller: Caller, tenantName: string): boolean {
  const tenant = { id: -1, name: tenantName, rabbitmqUsername: undefined, rabbitmqVhost: undefined };
  return holds({ ...caller, tenant }, 'tenant_rabbitmq_credentials');
}

function memberRoutes(tenants: TenantService): Route[] {
  const request = ({ body }: ApiCall): { tenant: string; username: string; role: unknown } => {
    const { tenant_name: tenant, username, role } = body as JsonObject;
    return { tenant: String(tenant), username: String(username), role };
  };
  return [
    {
      method: 'put',
      path: '/tenants/users',
      summary: 'Add a user to a tenant',
      access: { permission: 'tenant_add_user', tenant: 'optional' },
      body: memberSchema,
      handle: async (call) => {
        const { tenant, username, role } = request(call);
        return ok(shapeTenant(await tenants.addUser(call.caller, tenant, username, tenantRole(role)), false, false));
      },
    },
    {
      method: 'patch',
      path: '/tenants/users',
      summary: 'Change the role of a user in a tenant',
      access: { permission: 'tenant_update_user', tenant: 'optional' },
      body: memberSchema,
      handle: async (call) => {
        const { tenant, username, role } = request(call);
        return ok(shapeTenant(await tenants.updateUser(call.caller, tenant, username, tenantRole(role)), false, false));
      },
    },
    {
      method: 'delete',
      path: '/tenants/users',
      summary: 'Remove a user from a tenant',
      access: { permission: 'tenant_remove_user', tenant: 'optional' },
      body: memberSchema,
      handle: async (call) => {
        const { tenant, username } = request(call);
        await tenants.removeUser(call.caller, tenant, username);
        return noContent;
      },
    },
  ];
}

function groupRoutes(tenants: TenantService): Route[] {
  const request = ({ body }: ApiCall): { tenant: string; group: string; role: unknown } => {
    const { tenant_name: tenant, group_name: group, role } = body as JsonObject;
    return { tenant: String(tenant), group: String(group), role };
  };
  return [
    {
      method: 'put',
      path: '/tenants/user-groups',
      summary: 'Add a user group to a tenant',
      access: { permission: 'tenant_add_group', tenant: 'optional' },
      body: groupSchema,
      handle: async (call) => {
        const { tenant, group, role } = request(call);
        return ok(shapeTenant(await tenants.addGroup(call.caller, tenant, group, tenantRole(role)), false, false));
      },
    },
    {
      method: 'patch',
      path: '/tenants/user-groups',
      summary: 'Change the role of a user group in a tenant',
      access: { permission: 'tenant_update_group', tenant: 'optional' },
      body: groupSchema,
      handle: async (call) => {
        const { tenant, group, role } = request(call);
        return ok(shapeTenant(await tenants.updateGroup(call.caller, tenant, group, tenantRole(role)), false, false));
      },
    },
    {
      method: 'delete',
      path: '/tenants/user-groups',
      summary: 'Remove a user group from a tenant',
      access: { permission: 'tenant_remove_group', tenant: 'optional' },
      body: groupSchema,
      handle: async (call) => {
        const { tenant, group } = request(call);
        await tenants.removeGroup(call.caller, tenant, group);
        return noContent;
      },
    },
  ];
}

/** Routes of `/tenants`. */
export function tenantRoutes(tenants: TenantService): Route[] {
  return [
    listRoute(tenants),
    ...memberRoutes(tenants),
    ...groupRoutes(tenants),
    {
      method: 'post',
      path: '/tenants/:tenant_name',
      summary: 'Create a tenant',
      access: { permission: 'tenant_create', tenant: 'optional' },
      body: newTenantSchema,
      isBodyOptional: true,
      handle: async ({ caller, parameters, body }) => {
        const password = (body as JsonObject)['rabbitmq_password'];
        const given = typeof password === 'string' && password !== '' ? password : undefined;
        const tenant = await tenants.create(caller, parameters['tenant_name'] ?? '', given);
        return created(shapeTenant(tenant, false, false));
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
      handle: async ({ caller, parameters, query }) => {
        const tenant = await tenants.get(caller, parameters['tenant_name'] ?? '');
        const showsBroker = mayReadBroker(caller, tenant.name);
        return ok(pick(shapeTenant(tenant, query.flag('_get_data'), showsBroker), query.include()));
      },
    },
    {
      method: 'delete',
      path: '/tenants/:tenant_name',
      summary: 'Delete an empty tenant',
      access: { permission: 'tenant_delete', tenant: 'optional' },
      handle: async ({ caller, parameters }) => {
        await tenants.remove(caller, parameters['tenant_name'] ?? '');
        return noContent;
      },
    },
  ];
}
