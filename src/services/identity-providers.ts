import { GantryError } from '../domain/errors.ts';
import type { User } from '../domain/entities.ts';
import type { LoginMethod } from './caller.ts';
import type { DirectoryService } from './directory.ts';

/**
 * Kinds of providers, as clients name them.
 *
 * Compatibility: Cloudify 7 calls SAML `okta`; `oidc` is our own.
 */
export const identityProviderKinds = ['ldap', 'okta', 'oidc'] as const;
export type IdentityProviderKind = (typeof identityProviderKinds)[number];

/** What somebody brings instead of a password of this manager, or a token. */
export type LoginProof =
  /** What a SAML provider gave the browser, in base64. */
  | { readonly kind: 'saml'; readonly response: string }
  /** What a login by OpenID Connect ended with, and what only the client knows that began it. */
  | { readonly kind: 'code'; readonly code: string; readonly verifier: string };

type ProofOf<Kind extends LoginProof['kind']> = Extract<LoginProof, { kind: Kind }>;

/** Somebody for whom a provider speaks. */
export interface ProvenUser {
  readonly user: User;
  readonly method: LoginMethod;
}

/** Takes the proofs of one provider. */
export interface ProofLogin<Kind extends LoginProof['kind']> {
  /**
   * @param address where the caller is
   * @throws GantryError unauthorized_error telling why the proof is refused
   */
  prove(proof: ProofOf<Kind>, address: string): Promise<ProvenUser>;
}

/** Everybody who may say who somebody is, besides the passwords kept here. */
export interface IdentityProviderService {
  /** Those that are set up; none = users have passwords here. */
  kinds(): Promise<readonly IdentityProviderKind[]>;
  /** Whether a name and a password that are not kept here can be right. */
  takesPasswords(): Promise<boolean>;
  /** Undefined when nobody has that name and password. @throws GantryError manager_unavailable */
  login(username: string, password: string): Promise<User | undefined>;
  /** @throws GantryError unauthorized_error telling why the proof is refused */
  prove(proof: LoginProof, address: string): Promise<ProvenUser>;
  /** @throws GantryError illegal_action_error while others say which users there are */
  refuseWhenEnabled(action: string): Promise<void>;
}

export interface IdentityProviderDependencies {
  readonly directory: Pick<DirectoryService, 'isEnabled' | 'login'>;
  /** Undefined = not set up. */
  readonly saml: ProofLogin<'saml'> | undefined;
  readonly openId: ProofLogin<'code'> | undefined;
}

function notSetUp(what: string, setting: string): never {
  throw new GantryError('unauthorized_error', `User unauthorized: ${what} logins are not set up; see ${setting}`);
}

/** Joins the providers that are set up. */
export function createIdentityProviders(dependencies: IdentityProviderDependencies): IdentityProviderService {
  const { directory, saml, openId } = dependencies;
  const kinds = async (): Promise<IdentityProviderKind[]> => {
    const isThere = { ldap: await directory.isEnabled(), okta: saml !== undefined, oidc: openId !== undefined };
    return identityProviderKinds.filter((kind) => isThere[kind]);
  };
  return {
    kinds,
    takesPasswords: () => directory.isEnabled(),
    login: (username, password) => directory.login(username, password),

    async prove(proof, address) {
      if (proof.kind === 'saml') {
        return (saml ?? notSetUp('SAML', 'GANTRY_SAML_CERT_FILE')).prove(proof, address);
      }
      return (openId ?? notSetUp('OpenID Connect', 'GANTRY_OIDC_ISSUER')).prove(proof, address);
    },

    async refuseWhenEnabled(action) {
      if ((await kinds()).length > 0) {
        throw new GantryError(
          'illegal_action_error',
          `Action \`${action}\` is not available when using external authentication`,
        );
      }
    },
  };
}
