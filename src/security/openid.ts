/** What this manager asks an OpenID Connect provider. */
import { readFile } from 'node:fs/promises';
import * as client from 'openid-client';
import type { OpenIdConfig } from '../config/identity-providers.ts';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { ExternalUser } from './external-user.ts';
import { OpenIdRefusal, userOfClaims } from './openid-claims.ts';
import type { Claims } from './openid-claims.ts';

/** What a browser is sent to the provider with, and must come back with. */
export interface AuthorizationSecrets {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE; only its hash leaves this manager. */
  readonly verifier: string;
}

/** A login on another device. */
export interface DeviceAuthorization {
  readonly deviceCode: string;
  /** What the user enters at `verificationUrl`. */
  readonly userCode: string;
  readonly verificationUrl: string;
  /** The same with the code in it; not every provider has one. */
  readonly completeVerificationUrl: string | undefined;
  /** Seconds. */
  readonly expiresIn: number;
  /** Seconds between two questions whether the user has done it. */
  readonly interval: number;
}

/** Seconds that the provider has for an answer. */
const timeout = 10;
/** Milliseconds for which its description is taken to be as it was. */
const descriptionLifetime = 10 * 60_000;
/** Seconds by which the clock of the provider may differ from ours. */
const clockTolerance = 60;

/** Failures of the connection, and answers that no provider gives. */
const outages = new Set([
  ...['OAUTH_TIMEOUT', 'OAUTH_ABORT', 'OAUTH_RESPONSE_IS_NOT_CONFORM', 'OAUTH_RESPONSE_IS_NOT_JSON'],
  ...['OAUTH_PARSE_ERROR', 'OAUTH_INVALID_SERVER_METADATA'],
]);

function unavailable(issuer: string, reason: string, cause: unknown): GantryError {
  return new GantryError(
    'manager_unavailable',
    `The OpenID Connect provider ${issuer} did not answer as it should: ${reason}. Compare GANTRY_OIDC_... with what it says`,
    { cause },
  );
}

/** What went wrong, in the words of what did not fit. */
function reasonOf(error: Error): string {
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? reasonOf(cause) : error.message;
}

/** @throws GantryError manager_unavailable, OpenIdRefusal */
function explain(issuer: string, thrown: unknown): never {
  const error = coerceError(thrown);
  if (error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError) {
    const said = [error.error, error.error_description].filter(Boolean).join(', ');
    throw error.error === 'invalid_client' || error.error === 'unauthorized_client'
      ? unavailable(issuer, `it does not take the client (${said})`, error)
      : new OpenIdRefusal(`the provider says ${said}`);
  }
  if (error instanceof client.ClientError && !outages.has(error.code ?? '')) {
    throw new OpenIdRefusal(reasonOf(error));
  }
  if (error instanceof OpenIdRefusal || error instanceof GantryError) {
    throw error;
  }
  throw unavailable(issuer, reasonOf(error), error);
}

/** The way that the provider wants to be shown the secret in, as it describes itself. */
function authentication(secret: string | undefined): client.ClientAuth {
  if (secret === undefined) {
    return client.None();
  }
  const [post, basic] = [client.ClientSecretPost(secret), client.ClientSecretBasic(secret)];
  return (server, ...others) => {
    const isPost = server.token_endpoint_auth_methods_supported?.includes('client_secret_basic') === false;
    return (isPost ? post : basic)(server, ...others);
  };
}

/** @throws GantryError bad_parameters_error naming the setting */
export async function readClientSecret({ clientSecretFile: file }: OpenIdConfig): Promise<string | undefined> {
  if (file === undefined) {
    return undefined;
  }
  const remedy = 'Store the secret there that the provider gave for the client, and nothing else';
  const content = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new GantryError(
      'bad_parameters_error',
      `GANTRY_OIDC_CLIENT_SECRET_FILE: ${coerceError(error).message}. ${remedy}`,
    );
  });
  if (content.trim() === '') {
    throw new GantryError('bad_parameters_error', `GANTRY_OIDC_CLIENT_SECRET_FILE: ${file} is empty. ${remedy}`);
  }
  return content.trim();
}

/** An OpenID Connect provider; every question ends in time, and when the manager stops. */
export class OpenIdProvider {
  readonly #config: OpenIdConfig;
  readonly #now: () => number;
  readonly #stopping = new AbortController();
  #described: { metadata: Promise<client.ServerMetadata>; until: number } | undefined;

  constructor(config: OpenIdConfig, now: () => number) {
    this.#config = config;
    this.#now = now;
  }

  /** Ends every question. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Where to send a browser. @throws GantryError manager_unavailable */
  async authorizationUrl(redirectUrl: string, { state, nonce, verifier }: AuthorizationSecrets): Promise<URL> {
    return this.#ask(undefined, async (configuration) =>
      client.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUrl,
        scope: this.#config.scope,
        state,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
    );
  }

  /**
   * Who has come back from the provider.
   * @param url with what the provider gave the browser
   * @throws OpenIdRefusal, GantryError manager_unavailable
   */
  async redeem(url: URL, { state, nonce, verifier }: AuthorizationSecrets): Promise<ExternalUser> {
    return this.#ask(undefined, async (configuration) => {
      const tokens = await client.authorizationCodeGrant(configuration, url, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      return this.#userOf(configuration, tokens);
    });
  }

  /** Whether users may log in on another device. @throws GantryError manager_unavailable */
  async takesDevices(): Promise<boolean> {
    const { device_authorization_endpoint: endpoint } = await this.#describe();
    return endpoint !== undefined;
  }

  /** Begins a login on another device. @throws OpenIdRefusal, GantryError manager_unavailable */
  async beginDevice(): Promise<DeviceAuthorization> {
    return this.#ask(undefined, async (configuration) => {
      const begun = await client.initiateDeviceAuthorization(configuration, { scope: this.#config.scope });
      return {
        deviceCode: begun.device_code,
        userCode: begun.user_code,
        verificationUrl: begun.verification_uri,
        completeVerificationUrl: begun.verification_uri_complete,
        expiresIn: begun.expires_in,
        interval: begun.interval ?? 5,
      };
    });
  }

  /**
   * Waits for somebody to log in on another device.
   * @param signal ends the waiting
   * @throws OpenIdRefusal, GantryError manager_unavailable
   */
  async awaitDevice(begun: { deviceCode: string; interval: number }, signal: AbortSignal): Promise<ExternalUser> {
    return this.#ask(signal, async (configuration) => {
      const response = {
        device_code: begun.deviceCode,
        interval: begun.interval,
        // the signal comes before it
        expires_in: 3600,
        user_code: '',
        verification_uri: '',
      };
      const tokens = await client.pollDeviceAuthorizationGrant(configuration, response, undefined, {
        signal: AbortSignal.any([signal, this.#stopping.signal]),
      });
      return this.#userOf(configuration, tokens);
    });
  }

  async #userOf(
    configuration: client.Configuration,
    tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers,
  ): Promise<ExternalUser> {
    const claims = tokens.claims();
    if (!claims) {
      throw new OpenIdRefusal('the provider does not say who it is (no ID token); does GANTRY_OIDC_SCOPE have openid?');
    }
    const { usernameClaim, groupsClaim } = this.#config;
    const isWhole = [usernameClaim, groupsClaim, 'email'].every((name) => claims[name] !== undefined);
    const hasMore = configuration.serverMetadata().userinfo_endpoint !== undefined;
    // of the same subject, which the library makes sure of; what is in the signed token counts
    const more: Claims =
      isWhole || !hasMore ? {} : await client.fetchUserInfo(configuration, tokens.access_token, claims.sub);
    return userOfClaims({ ...more, ...claims }, this.#config);
  }

  async #ask<Result>(
    signal: AbortSignal | undefined,
    question: (configuration: client.Configuration) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await question(await this.#configure(signal));
    } catch (error) {
      signal?.throwIfAborted();
      return explain(this.#config.issuer, error);
    }
  }

  /**
   * The library keeps the keys of a provider for a while with what it is configured by; it is configured anew for each
   * question, so that a key that the provider begins or ceases to use counts at once.
   */
  async #configure(signal: AbortSignal | undefined): Promise<client.Configuration> {
    const { clientId, issuer } = this.#config;
    const [metadata, secret] = await Promise.all([this.#describe(), readClientSecret(this.#config)]);
    const configuration = new client.Configuration(
      { ...metadata },
      clientId,
      { [client.clockTolerance]: clockTolerance },
      authentication(secret),
    );
    configuration.timeout = timeout;
    configuration[client.customFetch] = this.#fetchUntil(signal);
    // also what comes over a connection to the provider itself must be signed by it
    client.enableNonRepudiationChecks(configuration);
    this.#allowLoopback(issuer).forEach((allow) => allow(configuration));
    return configuration;
  }

  /** The configuration has made sure that an address without TLS is on this machine. */
  #allowLoopback(issuer: string): ((configuration: client.Configuration) => void)[] {
    return issuer.startsWith('http:') ? [client.allowInsecureRequests] : [];
  }

  #fetchUntil(signal: AbortSignal | undefined): client.CustomFetch {
    return (url, options) => {
      const signals = [this.#stopping.signal, signal, options.signal].filter((each) => each !== undefined);
      return fetch(url, { ...options, signal: AbortSignal.any(signals) } as RequestInit);
    };
  }

  #describe(): Promise<client.ServerMetadata> {
    if (!this.#described || this.#described.until <= this.#now()) {
      const { issuer, clientId } = this.#config;
      const metadata = client
        .discovery(new URL(issuer), clientId, undefined, client.None(), {
          timeout,
          execute: this.#allowLoopback(issuer),
          [client.customFetch]: this.#fetchUntil(undefined),
        })
        .then((configuration): client.ServerMetadata => configuration.serverMetadata())
        .catch((error: unknown) => {
          throw unavailable(issuer, reasonOf(coerceError(error)), error);
        });
      const described = { metadata, until: this.#now() + descriptionLifetime };
      this.#described = described;
      metadata.catch(() => {
        if (this.#described === described) {
          this.#described = undefined;
        }
      });
    }
    return this.#described.metadata;
  }
}
