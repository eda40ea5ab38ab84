import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Execution, User } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { activeExecutionStatuses } from '../domain/states.ts';
import type { Accounts } from '../store/accounts.ts';
import type { Account } from '../store/users.ts';
import { noMemory } from './access-memory.ts';
import type { Remembered } from './access-memory.ts';
import { bootstrapUserId } from './caller.ts';
import type { LoginMethod } from './caller.ts';
import type { IdentityProviderService, LoginProof } from './identity-providers.ts';
import { isLocked as isLockedNow } from '../security/lockout.ts';
import { decoyHash } from '../security/passwords.ts';
import { hashToken, isTokenSecret, parseApiToken } from '../security/tokens.ts';

/** What a request brings to prove who sends it. */
export interface Credentials {
  readonly executionToken: string | undefined;
  /** API token, or an execution token. */
  readonly token: string | undefined;
  readonly basic: { readonly username: string; readonly password: string } | undefined;
  /** What an identity provider says, where that is taken; counts when there is nothing else. */
  readonly proof?: LoginProof | undefined;
  /** Where the request comes from. */
  readonly address: string;
}

export interface Identity {
  readonly user: User;
  readonly method: LoginMethod;
  readonly execution: Execution | undefined;
}

export type ExternalLogin = Pick<IdentityProviderService, 'kinds' | 'takesPasswords' | 'login' | 'prove'>;

export interface AuthenticationDependencies {
  readonly accounts: Accounts;
  readonly now: () => number;
  /** Slow comparison of a password with its stored form. */
  readonly verifyPassword: (password: string, stored: string) => Promise<boolean>;
  /** Where users are kept when not here; undefined = all are kept here. */
  readonly external?: ExternalLogin | undefined;
}

export interface AuthenticationService {
  /**
   * @param known what is known of users and tokens at this moment; nothing by default
   * @throws GantryError unauthorized_error, too_many_requests
   */
  authenticate(credentials: Credentials, known?: Remembered): Promise<Identity>;
  /** Whether too many wrong passwords lock the account now. */
  isLocked(user: User): Promise<boolean>;
}

const minute = 60_000;
/** Wrong passwords that one address may send for one user within a minute. */
const mostFailures = 10;

function unauthorized(reason: string): GantryError {
  return new GantryError('unauthorized_error', `User unauthorized: ${reason}`);
}

const noCredentials = 'No authentication info provided';

function isTooOld(last: Date | undefined, now: number): boolean {
  return last === undefined || now - last.getTime() > minute;
}

/** Makes the service that finds out who calls. */
export function createAuthentication(dependencies: AuthenticationDependencies): AuthenticationService {
  const { accounts, now, verifyPassword, external } = dependencies;
  // repeated credentials must not cost the slow comparison again; the key tells nothing about the password
  const verified = new LRUCache<string, true>({ max: 10_000, ttl: 10 * minute });
  const directoryLogins = new LRUCache<string, number>({ max: 10_000, ttl: minute });
  const failures = new LRUCache<string, number>({ max: 10_000, ttl: minute });
  const secret = randomBytes(32);
  // what is known of users and tokens does not tell when they were used last
  const noted = new LRUCache<string, number>({ max: 10_000 });

  const findByName = (known: Remembered, name: string): Promise<Account | undefined> =>
    known.remember(`user ${name.toLowerCase()}`, () => accounts.findByName(name));
  const findById = (known: Remembered, id: number): Promise<Account | undefined> =>
    known.remember(`user id ${id}`, () => accounts.findById(id));

  /** Notes a use unless that was done within a minute. */
  const noteUse = async (key: string, last: Date | undefined, note: () => Promise<void>): Promise<void> => {
    const before = noted.get(key);
    if (isTooOld(last, now()) && (before === undefined || now() - before > minute)) {
      noted.set(key, now());
      await note();
    }
  };

  const isLocked = async (user: User): Promise<boolean> => {
    if (user.failedLoginsCounter === 0 || user.lastFailedLoginAt === undefined) {
      return false;
    }
    return isLockedNow(user, await accounts.lockRule(), now());
  };

  const keyOf = (name: string, password: string): string =>
    createHmac('sha256', secret).update(name).update('\0').update(password).digest('base64');

  /** The user of the directory who has that password; asks it once a minute at most. */
  const findInDirectory = async (
    directory: ExternalLogin,
    name: string,
    password: string,
    known: Remembered,
  ): Promise<User | undefined> => {
    const key = keyOf(name, password);
    const id = directoryLogins.get(key);
    if (id !== undefined) {
      return (await findById(known, id))?.user;
    }
    const user = await directory.login(name, password);
    if (user) {
      directoryLogins.set(key, user.id);
    }
    return user;
  };

  const isPasswordRight = async (password: string, stored: string | undefined): Promise<boolean> => {
    if (stored === undefined) {
      await verifyPassword(password, decoyHash);
      return false;
    }
    const key = keyOf(stored, password);
    if (verified.has(key)) {
      return true;
    }
    const isRight = await verifyPassword(password, stored);
    if (isRight) {
      verified.set(key, true);
    }
    return isRight;
  };

  /** Notes a right password or proof, at most once a minute. */
  const enter = async (user: User, method: LoginMethod): Promise<Identity> => {
    const note = (): Promise<void> => accounts.recordLogin(user.id);
    await (user.failedLoginsCounter > 0 ? note() : noteUse(`user ${user.id}`, user.lastLoginAt, note));
    return { user, method, execution: undefined };
  };

  const refuseUser = (username: string): GantryError =>
    unauthorized(`Authentication failed for <User username=\`${username}\`>. Wrong credentials or locked account`);

  const withProof = async (proof: LoginProof, address: string): Promise<Identity> => {
    if (!external) {
      throw unauthorized(noCredentials);
    }
    const { user, method } = await external.prove(proof, address);
    if (!user.isActive || (await isLocked(user))) {
      throw refuseUser(user.username);
    }
    return enter(user, method);
  };

  const underWay = new Map<string, Set<Promise<unknown>>>();

  /**
   * Lets no more guesses through than may fail: those that are made at once wait until it is known how the ones before
   * them came out.
   * @throws GantryError too_many_requests
   */
  const guess = async (attempt: string, check: () => Promise<Identity>): Promise<Identity> => {
    for (;;) {
      const others = underWay.get(attempt) ?? new Set();
      const failed = failures.get(attempt) ?? 0;
      if (failed >= mostFailures) {
        throw new GantryError('too_many_requests', 'Too many failed logins; try again in a minute');
      }
      if (failed + others.size < mostFailures) {
        break;
      }
      await Promise.race(others);
    }
    const together = underWay.get(attempt) ?? new Set();
    underWay.set(attempt, together);
    const outcome = check();
    const settled = outcome.then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof GantryError && error.code === 'unauthorized_error') {
          failures.set(attempt, (failures.get(attempt) ?? 0) + 1);
        }
      },
    );
    together.add(settled);
    try {
      return await outcome;
    } finally {
      await settled;
      together.delete(settled);
      if (together.size === 0) {
        underWay.delete(attempt);
      }
    }
  };

  const withPassword = async (username: string, password: string, known: Remembered): Promise<Identity> => {
    const refuse = (): never => {
      throw refuseUser(username);
    };
    const account = await findByName(known, username);
    const isOpen = account?.user.isActive === true && !(await isLocked(account.user));
    // an unusable account takes as long and counts as much as a wrong password, so that nothing reveals which exist
    const isElsewhere = account?.user.id !== bootstrapUserId && ((await external?.kinds()) ?? []).length > 0;
    if (external && isElsewhere) {
      // the directory may lock its accounts, too: it is not asked about those that are locked here
      const isAsked = account === undefined || isOpen;
      const user = isAsked ? await findInDirectory(external, username.toLowerCase(), password, known) : undefined;
      if (!user?.isActive || (await isLocked(user))) {
        // passwords that cannot be right must not lock a user out of other logins
        if (account && isOpen && (await external.takesPasswords())) {
          await accounts.recordFailure(account.user.id);
        }
        return refuse();
      }
      return enter(user, 'http_basic');
    }
    const isRight = await isPasswordRight(password, isOpen ? account.passwordHash : undefined);
    if (!isOpen || !isRight) {
      if (isOpen) {
        await accounts.recordFailure(account.user.id);
      }
      return refuse();
    }
    return enter(account.user, 'http_basic');
  };

  // secrets of tokens that were taken over from another manager are stored like passwords
  const isSecretRight = async (tokenSecret: string, stored: string): Promise<boolean> =>
    stored.startsWith('$') ? isPasswordRight(tokenSecret, stored) : isTokenSecret(tokenSecret, stored);

  const isUsable = async (execution: Execution): Promise<boolean> => {
    if (activeExecutionStatuses.includes(execution.status)) {
      return true;
    }
    if (execution.status === 'scheduled') {
      return execution.scheduledFor !== undefined && Math.abs(execution.scheduledFor.getTime() - now()) <= minute;
    }
    return execution.status === 'cancelled' && (await accounts.hasOpenOperations(execution));
  };

  const withExecutionToken = async (token: string, known: Remembered): Promise<Identity | undefined> => {
    if (!/^[0-9a-f]{32}$/.test(token)) {
      return undefined;
    }
    const execution = await accounts.findExecutionByToken(hashToken(token));
    if (!execution || !(await isUsable(execution))) {
      return undefined;
    }
    const account = await findById(known, execution.creatorId);
    return account?.user.isActive ? { user: account.user, method: 'execution_token', execution } : undefined;
  };

  const withApiToken = async (token: string, known: Remembered): Promise<Identity> => {
    const parts = parseApiToken(token);
    if (!parts) {
      throw unauthorized('Invalid token structure');
    }
    const stored = await known.remember(`token ${parts.id}`, () => accounts.findToken(parts.id));
    const isRight = stored !== undefined && (await isSecretRight(parts.secret, stored.secretHash));
    if (!isRight) {
      throw unauthorized('Unauthorized');
    }
    if (stored.expirationDate !== undefined && stored.expirationDate.getTime() <= now()) {
      throw unauthorized('Token is expired');
    }
    const account = await findById(known, stored.userId);
    if (!account?.user.isActive) {
      throw unauthorized('Unauthorized');
    }
    await noteUse(`token ${stored.id}`, stored.lastUsed, () => accounts.recordTokenUse(stored.id));
    return { user: account.user, method: 'token', execution: undefined };
  };

  return {
    isLocked,
    async authenticate({ executionToken, token, basic, proof, address }, known = noMemory) {
      if (executionToken !== undefined) {
        const identity = await withExecutionToken(executionToken, known);
        if (!identity) {
          throw unauthorized('Authentication failed, invalid Execution Token');
        }
        return identity;
      }
      const execution = token === undefined ? undefined : await withExecutionToken(token, known);
      if (execution) {
        return execution;
      }
      if (basic) {
        const { username, password } = basic;
        return guess(`${address} ${username.toLowerCase()}`, () => withPassword(username, password, known));
      }
      if (token !== undefined) {
        // secrets of imported tokens take as long to compare as passwords
        return guess(`${address} token ${parseApiToken(token)?.id ?? ''}`, () => withApiToken(token, known));
      }
      if (proof) {
        return guess(`${address} ${proof.kind}`, () => withProof(proof, address));
      }
      throw unauthorized(noCredentials);
    },
  };
}
