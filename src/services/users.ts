import type { Clock } from '../domain/clock.ts';
import type { User } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { isLocked } from '../security/lockout.ts';
import type { LockRule } from '../security/lockout.ts';
import { hashPassword, isPasswordHash } from '../security/passwords.ts';
import type { Database } from '../store/database.ts';
import type { Session } from '../store/session.ts';
import type { Account, UserUpdate } from '../store/users.ts';
import { countActiveUsers, createUser, deleteUser, getAccount, listAccounts, updateUser } from '../store/users.ts';
import { requirePermission } from './caller.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { IdentityProviderService } from './identity-providers.ts';
import { checkIdentifier } from './identifiers.ts';

/** A user with what administrators see. */
export interface UserDetails {
  readonly user: User;
  readonly passwordHash: string | undefined;
  readonly isLocked: boolean;
}

export interface NewUserRequest {
  readonly username: string;
  readonly password: string;
  /** Name of a system role. */
  readonly role: string;
  /** The password is a stored hash, from a snapshot. */
  readonly isHashed: boolean;
  /** From a snapshot. */
  readonly times: UserTimes;
}

export interface UserTimes {
  readonly createdAt?: Date | undefined;
  readonly firstLoginAt?: Date | undefined;
  readonly lastLoginAt?: Date | undefined;
}

export interface UserListRequest {
  readonly search: string | undefined;
  readonly size: number;
  readonly offset: number;
  readonly all: boolean;
}

export interface UserService {
  list(request: UserListRequest): Promise<{ items: UserDetails[]; total: number }>;
  get(username: string): Promise<UserDetails>;
  /** @throws GantryError conflict_error, bad_parameters_error */
  create(caller: Caller, request: NewUserRequest): Promise<UserDetails>;
  /** The own password, or somebody else's with permission. */
  setPassword(caller: Caller, username: string, password: string): Promise<UserDetails>;
  setRole(caller: Caller, username: string, role: string): Promise<UserDetails>;
  setShowGettingStarted(caller: Caller, username: string, isShown: boolean): Promise<UserDetails>;
  /** @throws GantryError conflict_error when it is so already */
  setActive(caller: Caller, username: string, isActive: boolean): Promise<UserDetails>;
  /** @throws GantryError conflict_error when the user is not locked */
  unlock(caller: Caller, username: string): Promise<UserDetails>;
  /** @throws GantryError illegal_action_error for a user who owns resources, and for the last administrator */
  remove(caller: Caller, username: string): Promise<void>;
}

const shortestPassword = 5;
const longestPassword = 256;
const administratorRole = 'sys_admin';

function checkPassword(password: string): void {
  if (password.length < shortestPassword) {
    throw new GantryError(
      'bad_parameters_error',
      `The password is too short. Minimum allowed length is ${shortestPassword} characters`,
    );
  }
  if (password.length > longestPassword) {
    throw new GantryError(
      'bad_parameters_error',
      `The password is too long. Maximum allowed length is ${longestPassword} characters`,
    );
  }
}

async function requireAnotherAdministrator(session: Session, user: User, action: string): Promise<void> {
  const isAdministrator = user.role === administratorRole && user.isActive;
  if (isAdministrator && (await countActiveUsers(session, administratorRole)) <= 1) {
    throw new GantryError('illegal_action_error', `Cannot ${action} the last active ${administratorRole}`);
  }
}

export interface UserServiceDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly lockRule: () => Promise<LockRule>;
  readonly external: Pick<IdentityProviderService, 'refuseWhenEnabled'>;
}

/** Makes the use cases of users. */
export function createUserService({ database, clock, lockRule, external }: UserServiceDependencies): UserService {
  const details = async (accounts: readonly Account[]): Promise<UserDetails[]> => {
    const rule = await lockRule();
    return accounts.map((account) => ({ ...account, isLocked: isLocked(account.user, rule, clock.now()) }));
  };
  const get = async (username: string): Promise<UserDetails> => {
    const account = await getAccount(database, username);
    const [found] = await details([account]);
    return found ?? { ...account, isLocked: false };
  };
  const change = async (
    caller: Caller,
    username: string,
    update: UserUpdate,
    check?: (session: Session, user: User) => Promise<void>,
  ): Promise<UserDetails> => {
    await database.transactionAs(actorOf(caller), async (transaction) => {
      const { user } = await getAccount(transaction, username);
      await check?.(transaction, user);
      await updateUser(transaction, user.id, update);
    });
    return get(username);
  };
  const requireSelfOr = (caller: Caller, username: string): void => {
    if (caller.user.username.toLowerCase() !== username.toLowerCase()) {
      requirePermission(caller, 'user_update');
    }
  };
  return {
    async list(request) {
      const { items, total } = await listAccounts(database, request);
      return { items: await details(items), total };
    },

    get,

    async create(caller, { username, password, role, isHashed, times }) {
      await external.refuseWhenEnabled('create user');
      checkIdentifier('username', username);
      if (Object.values(times).some((time) => time !== undefined)) {
        requirePermission(caller, 'set_timestamp');
      }
      if (isHashed && !isPasswordHash(password)) {
        throw new GantryError('bad_parameters_error', 'The password is not a hash this manager understands');
      }
      if (!isHashed) {
        checkPassword(password);
      }
      const passwordHash = isHashed ? password : await hashPassword(password);
      await database.transactionAs(actorOf(caller), (transaction) =>
        createUser(transaction, { username, role, passwordHash, ...times }),
      );
      return get(username);
    },

    async setPassword(caller, username, password) {
      requireSelfOr(caller, username);
      checkPassword(password);
      return change(caller, username, { passwordHash: await hashPassword(password), failedLoginsCounter: 0 });
    },

    async setRole(caller, username, role) {
      requirePermission(caller, 'user_update');
      return change(caller, username, { role }, (session, user) =>
        role === administratorRole
          ? Promise.resolve()
          : requireAnotherAdministrator(session, user, 'modify the role of'),
      );
    },

    async setShowGettingStarted(caller, username, showGettingStarted) {
      requireSelfOr(caller, username);
      return change(caller, username, { showGettingStarted });
    },

    setActive: (caller, username, isActive) =>
      change(caller, username, { isActive }, async (session, user) => {
        if (user.isActive === isActive) {
          throw new GantryError('conflict_error', `User ${username} is already ${isActive ? 'active' : 'inactive'}`);
        }
        if (!isActive) {
          await requireAnotherAdministrator(session, user, 'deactivate');
        }
      }),

    async unlock(caller, username) {
      const { isLocked: wasLocked } = await get(username);
      if (!wasLocked) {
        throw new GantryError('conflict_error', `User ${username} is not locked`);
      }
      return change(caller, username, { failedLoginsCounter: 0 });
    },

    remove: (caller, username) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const { user } = await getAccount(transaction, username);
        await requireAnotherAdministrator(transaction, user, 'delete');
        await deleteUser(transaction, user.id);
      }),
  };
}
