import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { roles } from '../../domain/permissions.ts';
import { requirePermission } from '../../services/caller.ts';
import type { UserDetails, UserService, UserTimes } from '../../services/users.ts';
import { json, nothing, paged, record } from '../answer.ts';
import { envelope } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import { textMember } from '../body.ts';
import type { ApiCall, Route } from '../route.ts';
import { readTime } from '../../domain/read-time.ts';

const newUserSchema = {
  type: 'object',
  required: ['username', 'password'],
  properties: {
    username: { type: 'string' },
    password: { type: 'string' },
    role: { type: ['string', 'null'] },
    is_prehashed: { type: ['boolean', 'null'] },
  },
};

const userUpdateSchema = {
  type: 'object',
  properties: {
    password: { type: ['string', 'null'] },
    role: { type: ['string', 'null'] },
    show_getting_started: { type: ['boolean', 'null'] },
  },
};

const actionSchema = { type: 'object', required: ['action'], properties: { action: { type: 'string' } } };

function timestamp(date: Date | undefined): string | null {
  return date?.toISOString() ?? null;
}

const userSchema = record('User', {
  username: 'text',
  role: 'text',
  active: 'boolean',
  is_locked: 'boolean',
  created_at: 'timestamp',
  first_login_at: 'timestamp',
  last_login_at: 'timestamp',
  show_getting_started: 'boolean',
  tenants: 'json',
  tenant_roles: 'json',
  groups: 'json',
  group_system_roles: 'json',
  password_hash: 'text',
});

function shapeUser(details: UserDetails, hasData = false, passwordHash: string | null = null): Record<string, unknown> {
  const { user } = details;
  const tenants = Object.fromEntries(
    [...user.tenantRoles].map(([name, held]) => [
      name,
      { 'tenant-role': user.directTenantRoles.get(name) ?? null, roles: [...held].sort() },
    ]),
  );
  const viaGroups = Object.fromEntries(
    [...user.groupTenantRoles].map(([name, byRole]) => [name, Object.fromEntries(byRole)]),
  );
  const groupSystemRoles: Record<string, string[]> = {};
  for (const [group, role] of user.groupSystemRoles) {
    (groupSystemRoles[role] ??= []).push(group);
  }
  return {
    username: user.username,
    role: user.role,
    active: user.isActive,
    is_locked: details.isLocked,
    created_at: timestamp(user.createdAt),
    first_login_at: timestamp(user.firstLoginAt),
    last_login_at: timestamp(user.lastLoginAt),
    show_getting_started: user.showGettingStarted,
    tenants: hasData ? tenants : user.tenantRoles.size,
    tenant_roles: hasData ? { direct: Object.fromEntries(user.directTenantRoles), groups: viaGroups } : null,
    groups: hasData ? user.groups : user.groups.length,
    group_system_roles: groupSystemRoles,
    password_hash: passwordHash,
  };
}

/** A role a user may have for the whole manager. @throws GantryError bad_parameters_error */
function systemRole(value: Json | undefined): string {
  const name = typeof value === 'string' && value !== '' ? value : 'default';
  const role = roles.find((known) => known.name === name);
  if (!role) {
    const known = roles.filter(({ type }) => type === 'system_role').map((entry) => `'${entry.name}'`);
    throw new GantryError(
      'bad_parameters_error',
      `Invalid role: \`${name}\`. Valid system_role roles are: [${known.join(', ')}]`,
    );
  }
  if (role.type !== 'system_role') {
    throw new GantryError(
      'bad_parameters_error',
      `Role \`${name}\` is a tenant_role and cannot be assigned as a system_role`,
    );
  }
  return name;
}

/** When a user who is restored was there before. */
function timesOf(body: JsonObject): UserTimes {
  const time = (name: string): Date | undefined => {
    const text = body[name];
    return typeof text === 'string' && text !== '' ? readTime(text, name) : undefined;
  };
  return { createdAt: time('created_at'), firstLoginAt: time('first_login_at'), lastLoginAt: time('last_login_at') };
}

async function update(users: UserService, call: ApiCall, username: string): Promise<UserDetails> {
  const { password, role, show_getting_started: showGettingStarted } = call.body as JsonObject;
  const given = [password, role, showGettingStarted].filter((value) => value !== undefined && value !== null);
  if (typeof password === 'string' && typeof role === 'string') {
    throw new GantryError('bad_parameters_error', 'Both `password` and `role` provided');
  }
  if (given.length !== 1) {
    throw new GantryError(
      'bad_parameters_error',
      'No valid user settings provided. Available settings: password, role, show_getting_started',
    );
  }
  if (typeof password === 'string') {
    return users.setPassword(call.caller, username, password);
  }
  if (typeof role === 'string') {
    return users.setRole(call.caller, username, systemRole(role));
  }
  return users.setShowGettingStarted(call.caller, username, showGettingStarted === true);
}

function listRoute(users: UserService): Route {
  return {
    method: 'get',
    path: '/users',
    summary: 'List users',
    access: { permission: 'user_list', tenant: 'optional' },
    query: ['_search', '_get_data', '_include_hash', '_size', '_offset', 'username'],
    isMaintenance: true,
    answer: paged(userSchema),
    handle: async ({ caller, query }) => {
      const hasHash = query.flag('_include_hash');
      if (hasHash) {
        requirePermission(caller, 'get_password_hash');
      }
      const size = query.count('_size') ?? 1000;
      const offset = query.count('_offset') ?? 0;
      const { items, total } = await users.list({
        search: query.one('_search') ?? query.one('username'),
        size,
        offset,
        all: query.flag('_get_all_results'),
      });
      const hasData = query.flag('_get_data');
      const shown = items.map((details) =>
        shapeUser(details, hasData, hasHash ? (details.passwordHash ?? null) : null),
      );
      return ok(envelope(shown, { total, size, offset }));
    },
  };
}

/** Routes of `/users` and `/user`. */
export function userRoutes(users: UserService): Route[] {
  const nameOf = ({ parameters }: ApiCall): string => parameters['username'] ?? '';
  return [
    listRoute(users),
    {
      method: 'get',
      path: '/user',
      summary: 'Get the calling user',
      access: { permission: 'user_get_self', tenant: 'optional' },
      query: ['_get_data'],
      isMaintenance: true,
      answer: json(userSchema),
      handle: async ({ caller, query }) =>
        ok(shapeUser(await users.get(caller.user.username), query.flag('_get_data'))),
    },
    {
      method: 'put',
      path: '/users',
      summary: 'Create a user',
      access: { permission: 'user_create', tenant: 'optional' },
      body: newUserSchema,
      answer: json(userSchema),
      handle: async ({ caller, body }) => {
        const { role, is_prehashed: isHashed } = body as JsonObject;
        const details = await users.create(caller, {
          username: textMember(body as JsonObject, 'username'),
          password: textMember(body as JsonObject, 'password'),
          role: systemRole(role),
          isHashed: isHashed === true,
          times: timesOf(body as JsonObject),
        });
        return created(shapeUser(details));
      },
    },
    {
      method: 'get',
      path: '/users/:username',
      summary: 'Get a user',
      access: { permission: 'user_get', tenant: 'optional' },
      query: ['_get_data'],
      isMaintenance: true,
      answer: json(userSchema),
      handle: async (call) => ok(shapeUser(await users.get(nameOf(call)), call.query.flag('_get_data'))),
    },
    {
      method: 'post',
      path: '/users/:username',
      summary: 'Set the password, the role or a preference of a user',
      // everybody may set the own password
      access: { tenant: 'optional' },
      body: userUpdateSchema,
      answer: json(userSchema),
      handle: async (call) => ok(shapeUser(await update(users, call, nameOf(call)))),
    },
    {
      method: 'delete',
      path: '/users/:username',
      summary: 'Delete a user who owns nothing',
      access: { permission: 'user_delete', tenant: 'optional' },
      answer: nothing,
      handle: async (call) => {
        await users.remove(call.caller, nameOf(call));
        return noContent;
      },
    },
    {
      method: 'post',
      path: '/users/active/:username',
      summary: 'Activate or deactivate a user',
      access: { permission: 'user_set_activated', tenant: 'optional' },
      body: actionSchema,
      answer: json(userSchema),
      handle: async (call) => {
        const isActive = (call.body as JsonObject)['action'] === 'activate';
        return ok(shapeUser(await users.setActive(call.caller, nameOf(call), isActive)));
      },
    },
    {
      method: 'post',
      path: '/users/unlock/:username',
      summary: 'Unlock a user after wrong passwords',
      access: { permission: 'user_unlock', tenant: 'optional' },
      answer: json(userSchema),
      handle: async (call) => {
        call.request.resume();
        return ok(shapeUser(await users.unlock(call.caller, nameOf(call))));
      },
    },
  ];
}
