import type { Transport } from '../transport.ts';
import type { TokenShape } from '../types.ts';

/** What is shown to a user who is to log in on another device. */
export interface DeviceLoginShape {
  /** By which to ask whether it is done. */
  device: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string | null;
  /** Seconds. */
  expires_in: number;
}

/** Logins by OpenID Connect. */
export class LoginsApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  /** Whether the manager takes them, and where a browser begins. */
  state(): Promise<{ enabled: boolean; login_url: string | null }> {
    return this.transport.json('GET', '/oidc');
  }

  /** @param challenge SHA-256 hash, base64url, of a secret that makes the token in the end */
  beginDevice(challenge: string): Promise<DeviceLoginShape> {
    return this.transport.json('POST', '/oidc/device', { body: { challenge } });
  }

  /** Waits for a login on another device for a while; undefined = ask again. */
  async awaitDevice(device: string, signal: AbortSignal): Promise<string | undefined> {
    const answer = await this.transport.json<{ code: string } | undefined>('POST', '/oidc/device/code', {
      body: { device },
      signal,
    });
    return answer?.code;
  }

  /** Makes a token of what a login ended with. `expiration` like `+10h`, which it is by default. */
  exchange(
    login: { code: string; verifier: string },
    options: { description?: string; expiration?: string } = {},
  ): Promise<TokenShape> {
    return this.transport.json('POST', '/tokens', {
      body: {
        login_code: login.code,
        login_verifier: login.verifier,
        ...(options.description === undefined ? {} : { description: options.description }),
        ...(options.expiration === undefined ? {} : { expiration_date: options.expiration }),
      },
    });
  }
}
