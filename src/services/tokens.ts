import type { Clock } from '../domain/clock.ts';
import type { Token } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { createApiToken } from '../security/tokens.ts';
import type { Database } from '../store/database.ts';
import { createToken, deleteToken, findToken, listTokens } from '../store/tokens.ts';
import { holds } from './caller.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import { readExpiration } from './expiration.ts';

/** A token with the system role of its owner. */
export interface TokenView extends Token {
  readonly role: string;
}

export interface TokenService {
  /** The caller's own tokens; all of them for those who manage others' tokens. */
  list(caller: Caller): Promise<readonly TokenView[]>;
  /** @throws GantryError not_found_error also for somebody else's */
  get(caller: Caller, id: string): Promise<TokenView>;
  /**
   * @param request.expiration see `readExpiration`
   * @returns the token and its value, which cannot be read again
   */
  create(
    caller: Caller,
    request: { description: string | undefined; expiration: string | undefined },
  ): Promise<{ token: TokenView; value: string }>;
  remove(caller: Caller, id: string): Promise<void>;
}

const longestDescription = 255;

/** How long a token is good that an identity provider let somebody make, unless told otherwise: a day of work. */
const providerTokenLifetime = '+10h';

function isByProvider({ method }: Caller): boolean {
  return method === 'saml' || method === 'openid_connect';
}

/** Makes the use cases of API tokens. */
export function createTokenService({ database, clock }: { database: Database; clock: Clock }): TokenService {
  const get = async (caller: Caller, id: string): Promise<TokenView> => {
    const token = await findToken(database, id);
    if (!token || (token.userId !== caller.user.id && !holds(caller, 'manage_others_tokens'))) {
      throw new GantryError('not_found_error', `Could not find token ${id}`);
    }
    return token;
  };
  return {
    list: (caller) => listTokens(database, holds(caller, 'manage_others_tokens') ? undefined : caller.user.id),
    get,

    async create(caller, request) {
      const { description, expiration = isByProvider(caller) ? providerTokenLifetime : undefined } = request;
      if (description !== undefined && description.length > longestDescription) {
        throw new GantryError('bad_parameters_error', `The description has more than ${longestDescription} characters`);
      }
      const expirationDate = expiration === undefined ? undefined : readExpiration(expiration, clock.now());
      const { id, secretHash, value } = createApiToken();
      await database
        .actingAs(actorOf(caller))
        .transaction((transaction) =>
          createToken(transaction, { id, secretHash, userId: caller.user.id, description, expirationDate }),
        );
      return { token: await get(caller, id), value };
    },

    async remove(caller, id) {
      await get(caller, id);
      await deleteToken(database.actingAs(actorOf(caller)), id);
    },
  };
}
