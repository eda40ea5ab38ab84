import { at, optionOf, sends, valueOf } from './definition.ts';
import type { CommandDefinition, Given } from './definition.ts';

const roleOption = { flags: '-r, --role <role>', about: 'manager, user, operations or viewer', isRequired: true };

interface Membership {
  /** Word in commands and name of the argument. */
  readonly member: 'user' | 'user-group';
  readonly path: string;
  /** Name of the member in requests. */
  readonly field: string;
}

const users: Membership = { member: 'user', path: '/tenants/users', field: 'username' };
const userGroups: Membership = { member: 'user-group', path: '/tenants/user-groups', field: 'group_name' };

function memberOf({ member, field }: Membership, given: Given): Record<string, string> {
  return { [field]: valueOf(given, member), tenant_name: valueOf(given, 'tenant') };
}

/** Puts a member into a tenant, or gives it another role there. */
function joining(membership: Membership, verb: 'add' | 'update'): CommandDefinition {
  const { member, path } = membership;
  const name = member.replace('-', ' ');
  return {
    kind: 'action',
    words: `tenants ${verb}-${member}`,
    about: verb === 'add' ? `give a ${name} a role in a tenant` : `give a ${name} another role in a tenant`,
    takes: ['tenant', member],
    options: [roleOption],
    run: sends((given) => ({
      method: verb === 'add' ? 'PUT' : 'PATCH',
      path,
      body: { ...memberOf(membership, given), role: optionOf(given, 'role') },
    })),
    done: (given) => `${valueOf(given, member)} is now ${optionOf(given, 'role') ?? ''} in ${valueOf(given, 'tenant')}`,
  };
}

const groupFields = ['name', 'role', 'ldap_dn', 'users', 'tenants'];

function permissionsPath(given: Given): string {
  const role = optionOf(given, 'role');
  return role === undefined ? '/permissions' : at`/permissions/${role}`;
}

/** Commands for users, their groups, tenants, roles and tokens. */
export const peopleCommands: readonly CommandDefinition[] = [
  {
    kind: 'item',
    words: 'tenants get',
    about: 'show a tenant',
    takes: ['name'],
    fields: ['name', 'users', 'groups', 'user_roles'],
    run: sends((given) => ({
      method: 'GET',
      path: at`/tenants/${valueOf(given, 'name')}`,
      query: { _get_data: true },
    })),
  },
  joining(users, 'update'),
  joining(userGroups, 'add'),
  joining(userGroups, 'update'),
  {
    kind: 'action',
    words: 'tenants remove-user-group',
    about: 'remove a user group from a tenant',
    takes: ['tenant', 'user-group'],
    run: sends((given) => ({ method: 'DELETE', path: userGroups.path, body: memberOf(userGroups, given) })),
    done: (given) => `${valueOf(given, 'user-group')} removed from ${valueOf(given, 'tenant')}`,
  },
  {
    kind: 'list',
    words: 'user-groups list',
    about: 'list user groups',
    path: () => '/user-groups',
    takesNo: ['sort', 'all-tenants'],
    filters: () => ({ _get_data: true }),
    fields: groupFields,
  },
  {
    kind: 'item',
    words: 'user-groups get',
    about: 'show a user group',
    takes: ['group'],
    fields: groupFields,
    run: sends((given) => ({
      method: 'GET',
      path: at`/user-groups/${valueOf(given, 'group')}`,
      query: { _get_data: true },
    })),
  },
  {
    kind: 'action',
    words: 'user-groups create',
    about: 'create a user group',
    takes: ['group'],
    options: [
      { flags: '--role <name>', about: 'system role of its users' },
      {
        flags: '--ldap-dn <dn>',
        about: 'name of the group at the identity provider; a distinguished name in a directory',
      },
    ],
    run: sends((given) => ({
      method: 'POST',
      path: '/user-groups',
      body: {
        group_name: valueOf(given, 'group'),
        role: optionOf(given, 'role') ?? 'default',
        ldap_group_dn: optionOf(given, 'ldapDn'),
      },
    })),
    done: (given) => `User group ${valueOf(given, 'group')} made`,
  },
  {
    kind: 'action',
    words: 'user-groups set-role',
    about: 'change the system role of a user group',
    takes: ['group', 'role'],
    run: sends((given) => ({
      method: 'POST',
      path: at`/user-groups/${valueOf(given, 'group')}`,
      body: { role: valueOf(given, 'role') },
    })),
    done: (given) => `Users of ${valueOf(given, 'group')} are ${valueOf(given, 'role')}`,
  },
  {
    kind: 'action',
    words: 'user-groups add-user',
    about: 'add a user to a group',
    takes: ['user', 'group'],
    run: sends((given) => ({
      method: 'PUT',
      path: '/user-groups/users',
      body: { username: valueOf(given, 'user'), group_name: valueOf(given, 'group') },
    })),
    done: (given) => `${valueOf(given, 'user')} is in ${valueOf(given, 'group')}`,
  },
  {
    kind: 'action',
    words: 'user-groups remove-user',
    about: 'remove a user from a group',
    takes: ['user', 'group'],
    run: sends((given) => ({
      method: 'DELETE',
      path: '/user-groups/users',
      body: { username: valueOf(given, 'user'), group_name: valueOf(given, 'group') },
    })),
    done: (given) => `${valueOf(given, 'user')} is no longer in ${valueOf(given, 'group')}`,
  },
  {
    kind: 'action',
    words: 'user-groups delete',
    about: 'delete a user group',
    takes: ['group'],
    run: sends((given) => ({ method: 'DELETE', path: at`/user-groups/${valueOf(given, 'group')}` })),
    done: (given) => `User group ${valueOf(given, 'group')} deleted`,
  },
  {
    kind: 'action',
    words: 'users set-role',
    about: 'change the system role of a user',
    takes: ['user', 'role'],
    run: sends((given) => ({
      method: 'POST',
      path: at`/users/${valueOf(given, 'user')}`,
      body: { role: valueOf(given, 'role') },
    })),
    done: (given) => `${valueOf(given, 'user')} is ${valueOf(given, 'role')}`,
  },
  {
    kind: 'item',
    words: 'tokens get',
    about: 'show a token, without its value',
    takes: ['id'],
    fields: ['id', 'username', 'description', 'expiration_date', 'last_used'],
    run: sends((given) => ({ method: 'GET', path: at`/tokens/${valueOf(given, 'id')}` })),
  },
  {
    kind: 'list',
    words: 'permissions list',
    about: 'list the permissions of roles',
    options: [{ flags: '--role <name>', about: 'of this role only' }],
    path: permissionsPath,
    takesNo: ['sort', 'search', 'all-tenants'],
    fields: ['role', 'permission'],
  },
  {
    kind: 'action',
    words: 'permissions allow',
    about: 'add a permission to a role',
    takes: ['role', 'permission'],
    run: sends((given) => ({
      method: 'PUT',
      path: at`/permissions/${valueOf(given, 'role')}/${valueOf(given, 'permission')}`,
    })),
    done: (given) => `${valueOf(given, 'role')} has ${valueOf(given, 'permission')}`,
    example: 'gantry permissions allow viewer execution_start',
  },
  {
    kind: 'action',
    words: 'permissions disallow',
    about: 'remove a permission from a role',
    takes: ['role', 'permission'],
    run: sends((given) => ({
      method: 'DELETE',
      path: at`/permissions/${valueOf(given, 'role')}/${valueOf(given, 'permission')}`,
    })),
    done: (given) => `${valueOf(given, 'role')} has no ${valueOf(given, 'permission')}`,
  },
];
