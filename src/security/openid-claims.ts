import type { ExternalUser } from './external-user.ts';

/** Which claims say what. */
export interface ClaimNames {
  readonly usernameClaim: string;
  readonly groupsClaim: string;
}

/** Why a login by OpenID Connect is refused, in a sentence for whoever sets logins up. */
export class OpenIdRefusal extends Error {
  override readonly name = 'OpenIdRefusal';
}

/** What a verified token, or the provider asked with one, says of somebody. */
export type Claims = Readonly<Record<string, unknown>>;

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Whether the provider leaves the groups out of its token because they are too many. */
function isCutShort(claims: Claims, name: string): boolean {
  const elsewhere = claims['_claim_names'];
  return typeof elsewhere === 'object' && elsewhere !== null && name in elsewhere;
}

function usernameOf(claims: Claims, name: string): string {
  const username = text(claims[name]);
  if (username === undefined) {
    throw new OpenIdRefusal(
      `there is no claim ${name}; there are ${Object.keys(claims).join(', ')}. Choose one of them by GANTRY_OIDC_USERNAME_CLAIM, ` +
        'or ask for more by GANTRY_OIDC_SCOPE',
    );
  }
  // whoever may enter any address at the provider could log in as anybody
  if (name === 'email' && claims['email_verified'] !== true) {
    throw new OpenIdRefusal(
      'the provider does not say that the address is verified (email_verified); have it verified, or choose another claim by ' +
        'GANTRY_OIDC_USERNAME_CLAIM',
    );
  }
  return username;
}

function groupsOf(claims: Claims, name: string): readonly string[] {
  const value = claims[name];
  if (value === undefined && isCutShort(claims, name)) {
    throw new OpenIdRefusal(
      `the user is in more groups than the claim ${name} holds; have the provider send those only that are assigned to this manager`,
    );
  }
  return [value].flat().filter((group): group is string => typeof group === 'string');
}

/** @throws OpenIdRefusal when the claims do not say who it is */
export function userOfClaims(claims: Claims, { usernameClaim, groupsClaim }: ClaimNames): ExternalUser {
  return {
    username: usernameOf(claims, usernameClaim),
    email: text(claims['email']),
    firstName: text(claims['given_name']),
    lastName: text(claims['family_name']),
    groups: groupsOf(claims, groupsClaim),
  };
}
