import type { User } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { ExternalUser } from '../security/external-user.ts';
import type { Database } from '../store/database.ts';
import { useLogin } from '../store/used-logins.ts';
import { findAccount, putDirectoryUser, setDirectoryGroups } from '../store/users.ts';
import { bootstrapUserId } from './caller.ts';

/** What lets somebody in once, such as an assertion. */
export interface OneTimeLogin {
  /** Of what is used. */
  readonly id: string;
  /** When it is refused for its age. */
  readonly expiresAt: Date;
}

const longestUsername = 256;

/** Providers name users by their mail addresses, too. */
const usernameForm = /^[A-Za-z][A-Za-z0-9._~@+-]*$/;

function refuse(reason: string): never {
  throw new GantryError('unauthorized_error', `User unauthorized: ${reason}`);
}

function checkUsername(username: string): void {
  if (username.length > longestUsername || !usernameForm.test(username)) {
    refuse(
      `The identity provider gives a user name that cannot be used here: it must begin with a letter and have letters, digits ` +
        `and "-._~@+" only, ${longestUsername} at most. Have it send another attribute as the user name`,
    );
  }
}

/**
 * Enters a user of a directory or an identity provider, or brings what is known of the user up to date: names, mail
 * address, and the user groups that carry the names of the provider's groups.
 * @param login.once refused when it was used before; then nothing changes
 * @param login.address where the user logs in from, for the audit log
 * @throws GantryError unauthorized_error, also for the first administrator, whom no provider may speak for
 */
export async function enterExternalUser(
  database: Database,
  found: ExternalUser,
  { once, address }: { once?: OneTimeLogin; address?: string } = {},
): Promise<User> {
  checkUsername(found.username);
  const actor = { username: found.username, ...(address === undefined ? {} : { address }) };
  return database.transactionAs(actor, async (transaction) => {
    if (once && !(await useLogin(transaction, once.id, once.expiresAt))) {
      refuse('What the identity provider said was used before; log in again');
    }
    const id = await putDirectoryUser(transaction, found);
    if (id === bootstrapUserId) {
      refuse('The first administrator logs in with the password kept here; no identity provider may speak for it');
    }
    await setDirectoryGroups(transaction, id, found.groups);
    const account = await findAccount(transaction, id);
    return account?.user ?? refuse('The user was deleted at this moment; log in again');
  });
}
