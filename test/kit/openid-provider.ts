import { createHash, createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type IdClaims = Record<string, unknown>;

interface SigningKey {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

interface Grant {
  readonly claims: IdClaims;
  /** Of PKCE; undefined for another device. */
  readonly challenge: string | undefined;
  readonly redirectUri: string | undefined;
}

/** What the provider does otherwise than it should. */
export interface Misbehaviour {
  claims?: (claims: IdClaims) => IdClaims;
  header?: Record<string, unknown>;
  /** How the token is signed. */
  signature?: 'none' | 'other key' | 'client secret' | 'cut';
  userinfo?: IdClaims;
  /** What it calls itself. */
  issuer?: string;
  /** Answers nothing on this path. */
  silentOn?: string;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function newKey(): SigningKey {
  return { id: randomUUID(), ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
}

/** Stands in for an OpenID Connect provider whose users say yes at once. */
export class OpenIdStandIn {
  readonly clientId = 'gantry';
  readonly clientSecret = 'a:secret/of+the client';
  /** What it says of who logs in next. */
  user: IdClaims = { sub: '1', preferred_username: 'ada' };
  misbehaviour: Misbehaviour = {};
  /** Whether it takes logins on other devices. */
  hasDevices = true;
  /** Whether the user has said yes on the other device; undefined = no. */
  deviceAnswer: 'pending' | 'yes' | 'no' = 'pending';
  /** Paths that were asked for, oldest first. */
  readonly asked: string[] = [];
  #keys = [newKey()];
  #hangUp: { readonly path: string; readonly done: () => void } | undefined;
  readonly #otherKey = newKey();
  readonly #grants = new Map<string, Grant>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<OpenIdStandIn> {
    const provider = new OpenIdStandIn();
    provider.#server.listen(0, '127.0.0.1');
    await once(provider.#server, 'listening');
    return provider;
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Hangs up on whoever asks for this path next. @returns when somebody did */
  hangUpOn(path: string): Promise<void> {
    return new Promise((resolve) => {
      this.#hangUp = { path, done: resolve };
    });
  }

  /** Signs with another key from now on, and tells that one only. */
  rotateKeys(): void {
    this.#keys = [newKey()];
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.issuer);
    this.asked.push(url.pathname);
    if (url.pathname === this.misbehaviour.silentOn) {
      return;
    }
    if (url.pathname === this.#hangUp?.path) {
      this.#hangUp.done();
      this.#hangUp = undefined;
      request.destroy();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const send = (body: unknown, status = 200): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return send(this.#description());
      case '/keys':
        return send({ keys: this.#keys.map(publicJwk) });
      case '/authorize':
        response.writeHead(302, { location: this.#authorize(url.searchParams) }).end();
        return;
      case '/token':
        return this.#isClient(request) ? this.#token(form, send) : send({ error: 'invalid_client' }, 401);
      case '/device':
        return send({
          device_code: 'device',
          user_code: 'ABCD-EFGH',
          verification_uri: `${this.issuer}/activate`,
          verification_uri_complete: `${this.issuer}/activate?user_code=ABCD-EFGH`,
          expires_in: 600,
          interval: 0.05,
        });
      case '/userinfo':
        return send({ ...this.user, ...this.misbehaviour.userinfo });
      default:
        return send({ error: 'not_found' }, 404);
    }
  }

  #description(): unknown {
    const at = (path: string): string => `${this.issuer}${path}`;
    return {
      issuer: this.misbehaviour.issuer ?? this.issuer,
      authorization_endpoint: at('/authorize'),
      token_endpoint: at('/token'),
      jwks_uri: at('/keys'),
      userinfo_endpoint: at('/userinfo'),
      ...(this.hasDevices ? { device_authorization_endpoint: at('/device') } : {}),
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256', 'none', 'HS256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic'],
    };
  }

  #authorize(query: URLSearchParams): string {
    const target = new URL(query.get('redirect_uri') ?? '');
    target.searchParams.set('state', query.get('state') ?? '');
    if (this.user['sub'] === undefined) {
      target.searchParams.set('error', 'access_denied');
      target.searchParams.set('error_description', 'The user said no');
      return target.href;
    }
    const code = randomUUID();
    this.#grants.set(code, {
      claims: { ...this.user, nonce: query.get('nonce') },
      challenge: query.get('code_challenge') ?? undefined,
      redirectUri: query.get('redirect_uri') ?? undefined,
    });
    target.searchParams.set('code', code);
    return target.href;
  }

  #isClient(request: IncomingMessage): boolean {
    const form = (text: string): string => new URLSearchParams({ v: text }).toString().slice(2);
    const pair = `${form(this.clientId)}:${form(this.clientSecret)}`;
    return request.headers.authorization === `Basic ${Buffer.from(pair).toString('base64')}`;
  }

  #token(form: URLSearchParams, send: (body: unknown, status?: number) => void): void {
    if (form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:device_code') {
      const refusals = { pending: 'authorization_pending', no: 'access_denied', yes: undefined };
      const error = form.get('device_code') === 'device' ? refusals[this.deviceAnswer] : 'expired_token';
      return error === undefined ? send(this.#tokens(this.user)) : send({ error }, 400);
    }
    const code = form.get('code') ?? '';
    const grant = this.#grants.get(code);
    this.#grants.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isRight = grant?.challenge === challenge && grant.redirectUri === form.get('redirect_uri');
    return grant && isRight ? send(this.#tokens(grant.claims)) : send({ error: 'invalid_grant' }, 400);
  }

  #tokens(claims: IdClaims): unknown {
    return { access_token: 'access', token_type: 'Bearer', expires_in: 60, id_token: this.#idToken(claims) };
  }

  #idToken(user: IdClaims): string {
    const now = Math.floor(Date.now() / 1000);
    const { claims: change = (claims) => claims, header, signature } = this.misbehaviour;
    const [key] = this.#keys;
    const payload = change({ iss: this.issuer, aud: this.clientId, iat: now, exp: now + 300, ...user });
    const text = `${encode({ alg: 'ES256', kid: key?.id, ...header })}.${encode(payload)}`;
    if (signature === 'none') {
      return `${text}.`;
    }
    if (signature === 'client secret') {
      return `${text}.${createHmac('sha256', this.clientSecret).update(text).digest('base64url')}`;
    }
    const signer = (signature === 'other key' ? this.#otherKey : key)?.privateKey as KeyObject;
    const value = sign('sha256', Buffer.from(text), { key: signer, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    return `${text}.${signature === 'cut' ? value.slice(0, -8) : value}`;
  }
}

function publicJwk({ id, publicKey }: SigningKey): unknown {
  return { ...publicKey.export({ format: 'jwk' }), kid: id, use: 'sig', alg: 'ES256' };
}
