import type { JsonObject } from '../../domain/plan.ts';
import type { UserGroupService } from '../../services/user-groups.ts';
import type { UserGroup } from '../../store/user-groups.ts';
import { json, nothing, paged, record } from '../answer.ts';
import { textMember } from '../body.ts';
import { envelope } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';

const newGroupSchema = {
  type: 'object',
  required: ['group_name'],
  properties: {
    group_name: { type: 'string' },
    ldap_group_dn: { type: ['string', 'null'] },
    role: { type: ['string', 'null'] },
  },
};
const roleSchema = { type: 'object', required: ['role'], properties: { role: { type: 'string' } } };
const linkSchema = {
  type: 'object',
  required: ['username', 'group_name'],
  properties: { username: { type: 'string' }, group_name: { type: 'string' } },
};

const groupSchema = record('UserGroup', {
  name: 'text',
  ldap_dn: 'text',
  tenants: 'json',
  users: 'json',
  role: 'text',
});

function shape(group: UserGroup, hasData = false): Record<string, unknown> {
  return {
    name: group.name,
    ldap_dn: group.ldapDn ?? null,
    tenants: hasData ? group.tenants : Object.keys(group.tenants).length,
    users: hasData ? group.users : group.users.length,
    role: group.role,
  };
}

function linkRoutes(groups: UserGroupService): Route[] {
  return [
    {
      method: 'put',
      path: '/user-groups/users',
      summary: 'Add a user to a user group',
      access: { permission: 'user_group_add_user', tenant: 'optional' },
      body: linkSchema,
      answer: json(groupSchema),
      handle: async ({ caller, body }) => {
        const request = body as JsonObject;
        const [name, username] = [textMember(request, 'group_name'), textMember(request, 'username')];
        return ok(shape(await groups.addUser(caller, name, username)));
      },
    },
    {
      method: 'delete',
      path: '/user-groups/users',
      summary: 'Remove a user from a user group',
      access: { permission: 'user_group_remove_user', tenant: 'optional' },
      body: linkSchema,
      answer: nothing,
      handle: async ({ caller, body }) => {
        const request = body as JsonObject;
        await groups.removeUser(caller, textMember(request, 'group_name'), textMember(request, 'username'));
        return noContent;
      },
    },
  ];
}

/** Routes of `/user-groups`. */
export function userGroupRoutes(groups: UserGroupService): Route[] {
  const nameOf = ({ parameters }: ApiCall): string => parameters['group_name'] ?? '';
  return [
    ...linkRoutes(groups),
    {
      method: 'get',
      path: '/user-groups',
      summary: 'List user groups',
      access: { permission: 'user_group_list', tenant: 'optional' },
      query: ['_search', '_get_data', '_size', '_offset'],
      answer: paged(groupSchema),
      handle: async ({ query }) => {
        const size = query.count('_size') ?? 1000;
        const offset = query.count('_offset') ?? 0;
        const all = query.flag('_get_all_results');
        const { items, total } = await groups.list({ search: query.one('_search'), size, offset, all });
        const hasData = query.flag('_get_data');
        const shown = items.map((group) => shape(group, hasData));
        return ok(envelope(shown, { total, size, offset }));
      },
    },
    {
      method: 'post',
      path: '/user-groups',
      summary: 'Create a user group',
      access: { permission: 'user_group_create', tenant: 'optional' },
      body: newGroupSchema,
      answer: json(groupSchema),
      handle: async ({ caller, body }) => {
        const request = body as JsonObject;
        const { ldap_group_dn: ldapDn, role } = request;
        const group = await groups.create(caller, {
          name: textMember(request, 'group_name'),
          ldapDn: typeof ldapDn === 'string' && ldapDn !== '' ? ldapDn : undefined,
          role: typeof role === 'string' && role !== '' ? role : 'default',
        });
        return created(shape(group));
      },
    },
    {
      method: 'get',
      path: '/user-groups/:group_name',
      summary: 'Get a user group',
      access: { permission: 'user_group_get', tenant: 'optional' },
      query: ['_get_data'],
      answer: json(groupSchema),
      handle: async (call) => ok(shape(await groups.get(nameOf(call)), call.query.flag('_get_data'))),
    },
    {
      method: 'post',
      path: '/user-groups/:group_name',
      summary: 'Set the system role of a user group',
      access: { permission: 'user_group_update', tenant: 'optional' },
      body: roleSchema,
      answer: json(groupSchema),
      handle: async (call) => {
        const role = textMember(call.body as JsonObject, 'role');
        return ok(shape(await groups.setRole(call.caller, nameOf(call), role)));
      },
    },
    {
      method: 'delete',
      path: '/user-groups/:group_name',
      summary: 'Delete a user group',
      access: { permission: 'user_group_delete', tenant: 'optional' },
      answer: nothing,
      handle: async (call) => {
        await groups.remove(call.caller, nameOf(call));
        return noContent;
      },
    },
  ];
}
