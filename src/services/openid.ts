import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { OpenIdConfig } from '../config/identity-providers.ts';
import type { Clock } from '../domain/clock.ts';
import { GantryError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import type { ExternalUser } from '../security/external-user.ts';
import { OpenIdProvider, readClientSecret } from '../security/openid.ts';
import { OpenIdRefusal } from '../security/openid-claims.ts';
import type { SecretBox } from '../security/secret-box.ts';
import type { Database } from '../store/database.ts';
import { useLogin } from '../store/used-logins.ts';
import { findAccount } from '../store/users.ts';
import { enterExternalUser } from './external-users.ts';
import type { ProofLogin } from './identity-providers.ts';
import { returnAddress } from './return-address.ts';
import { createSealer } from './sealed.ts';

/** A login that waits for a browser to come back from the provider; the browser keeps it. */
interface PendingLogin {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly challenge: string;
  readonly returnTo: string;
}

/** A login that waits for another device; the client keeps it. */
interface PendingDevice {
  readonly deviceCode: string;
  readonly interval: number;
  readonly challenge: string;
}

/** What a login ended with; the client that began it exchanges it for a token. */
interface LoginResult {
  readonly id: string;
  readonly userId: number;
  readonly challenge: string;
}

/** What a client shows to a user who is to log in on another device. */
export interface DeviceLogin {
  /** By which the client asks whether it is done. */
  readonly device: string;
  readonly userCode: string;
  readonly verificationUrl: string;
  readonly completeVerificationUrl: string | undefined;
  /** Seconds. */
  readonly expiresIn: number;
}

/** Logins by an OpenID Connect provider. */
export interface OpenIdLogin extends ProofLogin<'code'> {
  /** Where a login in a browser begins, as browsers reach the manager. */
  readonly loginUrl: string;
  /** Path of the manager that the provider sends browsers back to. */
  readonly callbackPath: string;
  /** Whether browsers see the manager over TLS. */
  readonly isSecure: boolean;
  /**
   * Begins a login in a browser.
   * @param challenge hash of what only the client knows (PKCE, S256)
   * @param returnTo where the browser is led in the end: a path of this manager, or a port of its own machine
   * @returns where to lead the browser, and what it keeps meanwhile
   * @throws GantryError bad_parameters_error, manager_unavailable
   */
  begin(challenge: string, returnTo: string): Promise<{ url: URL; pending: string }>;
  /**
   * Ends a login in a browser.
   * @param query what the provider gave the browser
   * @param pending what the browser kept
   * @returns where to lead the browser: with `code`, or with `error` and `error_description`, which `refusal` is then
   * @throws GantryError unauthorized_error when the browser did not begin a login here
   */
  end(query: string, pending: string | undefined, address: string): Promise<{ url: URL; refusal?: GantryError }>;
  /** Begins a login on another device. @throws GantryError illegal_action_error, manager_unavailable, too_many_requests */
  beginDevice(challenge: string, address: string): Promise<DeviceLogin>;
  /**
   * Waits for a login on another device.
   * @returns the code that the client exchanges for a token; undefined when `signal` comes first
   * @throws GantryError unauthorized_error, manager_unavailable
   */
  awaitDevice(device: string, address: string, signal: AbortSignal): Promise<string | undefined>;
  /** Ends every question to the provider. */
  stop(): void;
}

export interface OpenIdDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly box: SecretBox;
}

const loginPath = '/api/v3.1/oidc/login';
const callbackPath = '/api/v3.1/oidc/callback';
const minute = 60_000;
/** Milliseconds that a user has at the provider. */
const loginLifetime = 10 * minute;
/** Milliseconds that a client has to exchange what a login ended with. */
const resultLifetime = minute;
/** Logins on other devices that one address may begin within a minute: each is a question to the provider. */
const mostDevices = 10;
const hashForm = /^[A-Za-z0-9_-]{43}$/;

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function isSame(left: string, right: string): boolean {
  const [one, other] = [Buffer.from(left), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function unauthorized(reason: string): GantryError {
  return new GantryError('unauthorized_error', `User unauthorized: ${reason}`);
}

function checkChallenge(challenge: string): void {
  if (!hashForm.test(challenge)) {
    throw new GantryError(
      'bad_parameters_error',
      'challenge must be the SHA-256 hash of a secret of the client, as 43 characters of base64url',
    );
  }
}

/**
 * Lets users in by an OpenID Connect provider. Nothing is kept here between the steps of a login: what is, is sealed in a
 * cookie or handed to the client, so that any process goes on.
 * @throws GantryError bad_parameters_error naming the setting that is wrong
 */
export async function openOpenIdLogin(config: OpenIdConfig, dependencies: OpenIdDependencies): Promise<OpenIdLogin> {
  await readClientSecret(config);
  const { database, clock, log } = dependencies;
  const provider = new OpenIdProvider(config, () => clock.now());
  const logins = createSealer<PendingLogin>('openid login', dependencies);
  const devices = createSealer<PendingDevice>('openid device', dependencies);
  const results = createSealer<LoginResult>('openid result', dependencies);
  const redirectUrl = config.publicUrl + callbackPath;
  const begunDevices = new LRUCache<string, number>({ max: 10_000, ttl: minute, noUpdateTTL: true });
  const awaited = new Set<string>();

  const refusalOf = (error: unknown, address: string): GantryError => {
    if (error instanceof OpenIdRefusal) {
      log.warn('A login by OpenID Connect is refused', { reason: error.message, address });
      return unauthorized(`The login by OpenID Connect is refused: ${error.message}`);
    }
    if (error instanceof GantryError) {
      log.warn('A login by OpenID Connect failed', { reason: error.message, address });
      return error;
    }
    throw error;
  };

  /** Enters a user for whom the provider speaks. @returns what the client exchanges for a token */
  const enter = async (found: ExternalUser, challenge: string, address: string): Promise<string> => {
    const { id: userId } = await enterExternalUser(database, found, { address });
    return results.seal({ id: randomBytes(16).toString('base64url'), userId, challenge }, resultLifetime);
  };

  return {
    loginUrl: config.publicUrl + loginPath,
    callbackPath,
    isSecure: config.publicUrl.startsWith('https:'),
    stop: () => provider.stop(),

    async begin(challenge, returnTo) {
      checkChallenge(challenge);
      if (!returnAddress(returnTo, config.publicUrl)) {
        throw new GantryError(
          'bad_parameters_error',
          'return_to must be a path of this manager, or like http://127.0.0.1:PORT/...: browsers are not led anywhere else',
        );
      }
      const [state = '', nonce = '', verifier = ''] = [1, 2, 3].map(() => randomBytes(32).toString('base64url'));
      const url = await provider.authorizationUrl(redirectUrl, { state, nonce, verifier });
      return { url, pending: logins.seal({ state, nonce, verifier, challenge, returnTo }, loginLifetime) };
    },

    async end(query, pending, address) {
      const login = pending === undefined ? undefined : logins.open(pending);
      const url = login && returnAddress(login.returnTo, config.publicUrl);
      if (!login || !url) {
        throw unauthorized('This browser did not begin to log in here, or more than ten minutes ago; begin again');
      }
      try {
        const found = await provider.redeem(new URL(`${redirectUrl}?${query}`), login);
        url.searchParams.set('code', await enter(found, login.challenge, address));
        return { url };
      } catch (error) {
        const refusal = refusalOf(error, address);
        url.searchParams.set('error', refusal.code);
        url.searchParams.set('error_description', refusal.message);
        return { url, refusal };
      }
    },

    async beginDevice(challenge, address) {
      checkChallenge(challenge);
      const begun = (begunDevices.get(address) ?? 0) + 1;
      if (begun > mostDevices) {
        throw new GantryError('too_many_requests', 'Too many logins on other devices; try again in a minute');
      }
      begunDevices.set(address, begun);
      if (!(await provider.takesDevices())) {
        throw new GantryError(
          'illegal_action_error',
          `The OpenID Connect provider ${config.issuer} lets nobody log in on another device; log in with a browser here`,
        );
      }
      const { deviceCode, interval, ...shown } = await provider.beginDevice();
      const device = devices.seal({ deviceCode, interval, challenge }, shown.expiresIn * 1000);
      return { ...shown, device };
    },

    async awaitDevice(device, address, signal) {
      const pending = devices.open(device);
      if (!pending) {
        throw unauthorized('The login on another device took too long, or did not begin here; begin again');
      }
      if (awaited.has(pending.deviceCode)) {
        throw new GantryError('too_many_requests', 'Somebody waits for this login already');
      }
      awaited.add(pending.deviceCode);
      try {
        return await enter(await provider.awaitDevice(pending, signal), pending.challenge, address);
      } catch (error) {
        if (signal.aborted) {
          return undefined;
        }
        throw refusalOf(error, address);
      } finally {
        awaited.delete(pending.deviceCode);
      }
    },

    async prove({ code, verifier }) {
      const result = results.open(code);
      if (!result || !isSame(hash(verifier), result.challenge)) {
        throw unauthorized('The code of the login is of another client, or older than a minute; log in again');
      }
      const expiresAt = new Date(clock.now() + resultLifetime);
      if (!(await useLogin(database, hash(`openid ${result.id}`), expiresAt))) {
        throw unauthorized('The code of the login was used before; log in again');
      }
      const account = await findAccount(database, result.userId);
      if (!account) {
        throw unauthorized('The user was deleted at this moment; log in again');
      }
      return { user: account.user, method: 'openid_connect' };
    },
  };
}
