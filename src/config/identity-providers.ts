import { optionalUrl, refuse, textOf } from './environment.ts';
import type { Environment } from './environment.ts';

/** A SAML 2.0 identity provider. */
export interface SamlConfig {
  /** PEM file with the certificates that the provider may sign with. */
  readonly certificateFile: string;
  /** What the provider calls this manager. */
  readonly audience: string;
  /** What the provider calls itself; undefined = not looked at. */
  readonly issuer: string | undefined;
  /** Where the provider sends its answers; undefined = not looked at. */
  readonly recipient: string | undefined;
}

/** An OpenID Connect provider. */
export interface OpenIdConfig {
  /** Its discovery document is below this URL. */
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined = a public client. */
  readonly clientSecretFile: string | undefined;
  /** Separated by spaces. */
  readonly scope: string;
  readonly usernameClaim: string;
  readonly groupsClaim: string;
  /** Origin of the manager as browsers see it. */
  readonly publicUrl: string;
}

/** Where people are known who log in without a password of this manager; LDAP is set at run time. */
export interface IdentityProviders {
  readonly saml: SamlConfig | undefined;
  readonly openId: OpenIdConfig | undefined;
}

/** The variables of this module, with what they set. */
export const identityVariables: Readonly<Record<string, string>> = {
  GANTRY_SAML_CERT_FILE: 'certificate that the SAML 2.0 identity provider signs with; several while it changes',
  GANTRY_SAML_AUDIENCE: 'what the SAML provider calls this manager (audience, entity id of the service provider)',
  GANTRY_SAML_ISSUER: 'what the SAML provider calls itself (its entity id); absent: not looked at',
  GANTRY_SAML_RECIPIENT: 'URL that the SAML provider sends its answers to; absent: not looked at',
  GANTRY_OIDC_ISSUER: 'URL of the OpenID Connect provider',
  GANTRY_OIDC_CLIENT_ID: 'what the OpenID Connect provider calls this manager',
  GANTRY_OIDC_CLIENT_SECRET_FILE: 'file with the secret of the client; absent: it has none',
  GANTRY_OIDC_SCOPE: 'what is asked of the OpenID Connect provider; default openid profile email',
  GANTRY_OIDC_USERNAME_CLAIM: 'claim with the name of the user; default preferred_username',
  GANTRY_OIDC_GROUPS_CLAIM: 'claim with the groups of the user; default groups',
};

/** @throws GantryError naming the variable that misses others */
function together(environment: Environment, prefix: string, needed: readonly string[]): boolean {
  const given = Object.keys(identityVariables).filter(
    (name) => name.startsWith(prefix) && textOf(environment, name) !== undefined,
  );
  const missing = needed.filter((name) => !given.includes(name));
  if (given.length > 0 && missing.length > 0) {
    refuse(`${given.join(', ')} needs ${missing.join(' and ')}, too: set them, or none of ${prefix}...`);
  }
  return given.length > 0;
}

function samlOf(environment: Environment): SamlConfig | undefined {
  if (!together(environment, 'GANTRY_SAML_', ['GANTRY_SAML_CERT_FILE', 'GANTRY_SAML_AUDIENCE'])) {
    return undefined;
  }
  return {
    certificateFile: textOf(environment, 'GANTRY_SAML_CERT_FILE') ?? '',
    audience: textOf(environment, 'GANTRY_SAML_AUDIENCE') ?? '',
    issuer: textOf(environment, 'GANTRY_SAML_ISSUER'),
    recipient: optionalUrl('GANTRY_SAML_RECIPIENT', environment, ['https:', 'http:']),
  };
}

/** Hosts that nobody listens in on the way to. */
const loopbackHosts = new Set(['127.0.0.1', '[::1]', 'localhost']);

function issuerOf(environment: Environment): string {
  const issuer = optionalUrl('GANTRY_OIDC_ISSUER', environment, ['https:', 'http:']) ?? '';
  const { protocol, hostname } = new URL(issuer);
  if (protocol !== 'https:' && !loopbackHosts.has(hostname)) {
    refuse('GANTRY_OIDC_ISSUER must start with https://: whoever can change its answers could log in as anybody');
  }
  return issuer;
}

function openIdOf(environment: Environment): OpenIdConfig | undefined {
  if (!together(environment, 'GANTRY_OIDC_', ['GANTRY_OIDC_ISSUER', 'GANTRY_OIDC_CLIENT_ID'])) {
    return undefined;
  }
  const publicUrl = optionalUrl('GANTRY_PUBLIC_URL', environment, ['https:', 'http:']);
  if (publicUrl === undefined) {
    refuse('GANTRY_OIDC_ISSUER needs GANTRY_PUBLIC_URL, too: the provider sends browsers back to it');
  }
  const scope = textOf(environment, 'GANTRY_OIDC_SCOPE') ?? 'openid profile email';
  if (!scope.split(' ').includes('openid')) {
    refuse('GANTRY_OIDC_SCOPE must contain openid: without it the provider does not say who logs in');
  }
  return {
    issuer: issuerOf(environment),
    clientId: textOf(environment, 'GANTRY_OIDC_CLIENT_ID') ?? '',
    clientSecretFile: textOf(environment, 'GANTRY_OIDC_CLIENT_SECRET_FILE'),
    scope,
    usernameClaim: textOf(environment, 'GANTRY_OIDC_USERNAME_CLAIM') ?? 'preferred_username',
    groupsClaim: textOf(environment, 'GANTRY_OIDC_GROUPS_CLAIM') ?? 'groups',
    publicUrl: new URL(publicUrl).origin,
  };
}

/** @throws GantryError bad_parameters_error naming the setting that is wrong */
export function identityProvidersOf(environment: Environment): IdentityProviders {
  return { saml: samlOf(environment), openId: openIdOf(environment) };
}
