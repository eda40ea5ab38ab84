import { GantryError } from '../domain/errors.ts';
import type { Database } from '../store/database.ts';
import type { NameListQuery } from '../store/scope.ts';
import {
  addUserToGroup,
  createUserGroup,
  deleteUserGroup,
  getUserGroup,
  listUserGroups,
  removeUserFromGroup,
  setUserGroupRole,
} from '../store/user-groups.ts';
import type { UserGroup } from '../store/user-groups.ts';
import { getAccount } from '../store/users.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { IdentityProviderService } from './identity-providers.ts';
import { checkIdentifier } from './identifiers.ts';

export interface UserGroupService {
  list(query: NameListQuery): Promise<{ items: UserGroup[]; total: number }>;
  get(name: string): Promise<UserGroup>;
  /** @throws GantryError conflict_error, bad_parameters_error */
  create(caller: Caller, group: { name: string; ldapDn: string | undefined; role: string }): Promise<UserGroup>;
  setRole(caller: Caller, name: string, role: string): Promise<UserGroup>;
  remove(caller: Caller, name: string): Promise<void>;
  /** @throws GantryError conflict_error when the user is in it */
  addUser(caller: Caller, name: string, username: string): Promise<UserGroup>;
  /** @throws GantryError not_found_error when the user is not in it */
  removeUser(caller: Caller, name: string, username: string): Promise<void>;
}

/** A path of its own below `/user-groups`. */
const reservedName = 'users';

/** Makes the use cases of user groups. */
export function createUserGroupService(
  database: Database,
  external: Pick<IdentityProviderService, 'refuseWhenEnabled'>,
): UserGroupService {
  return {
    list: (query) => listUserGroups(database, query),
    get: (name) => getUserGroup(database, name),

    async create(caller, group) {
      checkIdentifier('group_name', group.name);
      if (group.name === reservedName) {
        throw new GantryError('bad_parameters_error', `\`${reservedName}\` is not allowed as the name of a user group`);
      }
      return database.transactionAs(actorOf(caller), (transaction) => createUserGroup(transaction, group));
    },

    async setRole(caller, name, role) {
      await database.transactionAs(actorOf(caller), async (transaction) => {
        const group = await getUserGroup(transaction, name);
        await setUserGroupRole(transaction, group.id, role);
      });
      return getUserGroup(database, name);
    },

    remove: (caller, name) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const group = await getUserGroup(transaction, name);
        await deleteUserGroup(transaction, group.id);
      }),

    async addUser(caller, name, username) {
      await external.refuseWhenEnabled('add user to group');
      await database.transactionAs(actorOf(caller), async (transaction) => {
        const group = await getUserGroup(transaction, name);
        const { user } = await getAccount(transaction, username);
        if (!(await addUserToGroup(transaction, user.id, group.id))) {
          throw new GantryError('conflict_error', `User \`${username}\` is already in group \`${name}\``);
        }
      });
      return getUserGroup(database, name);
    },

    removeUser: (caller, name, username) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const group = await getUserGroup(transaction, name);
        const { user } = await getAccount(transaction, username);
        if (!(await removeUserFromGroup(transaction, user.id, group.id))) {
          throw new GantryError('not_found_error', `User \`${username}\` was not found in group \`${name}\``);
        }
      }),
  };
}
