import http from 'node:http';
import https from 'node:https';
import { text as readText } from 'node:stream/consumers';
import { coerceError, GantryError } from '../domain/errors.ts';
import { explainTlsFailure } from '../domain/tls-failure.ts';
import { brokerPeer, readTlsFiles } from './tls-files.ts';
import type { BrokerTlsFiles } from './tls-files.ts';

export interface BrokerManagementOptions {
  /** http(s)://user:password@host:port of the management API of RabbitMQ. */
  readonly url: string;
  /** Files for a URL with https. */
  readonly tls: BrokerTlsFiles;
}

/** What a user may do in a vhost, as patterns of names. */
export interface VhostPermissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

const timeout = 10_000;

/** What RabbitMQ applies to queues and exchanges whose name a pattern meets. */
interface Policy {
  readonly name: string;
  readonly vhost: string;
  readonly [member: string]: unknown;
}

/** Manages vhosts and users of the message broker. */
export class BrokerManagement {
  readonly #url: URL;
  readonly #tls: BrokerTlsFiles;

  constructor({ url, tls }: BrokerManagementOptions) {
    this.#url = new URL(url);
    this.#tls = tls;
  }

  /** Makes a user, or sets the password of one. @throws GantryError manager_unavailable */
  async putUser(username: string, password: string): Promise<void> {
    await this.#call('PUT', ['users', username], { password, tags: '' });
  }

  /** A user that is not there is fine. @throws GantryError manager_unavailable */
  async deleteUser(username: string): Promise<void> {
    await this.#call('DELETE', ['users', username]);
  }

  /** Makes a vhost, or finds it there. @throws GantryError manager_unavailable */
  async putVhost(vhost: string): Promise<void> {
    await this.#call('PUT', ['vhosts', vhost], {});
  }

  /** Removes a vhost with its queues and exchanges; one that is not there is fine. @throws GantryError manager_unavailable */
  async deleteVhost(vhost: string): Promise<void> {
    await this.#call('DELETE', ['vhosts', vhost]);
  }

  /** Gives a vhost the policies of another one. @throws GantryError manager_unavailable */
  async copyPolicies(from: string, to: string): Promise<void> {
    const policies = (await this.#call('GET', ['policies', from])) as Policy[] | undefined;
    for (const { name, vhost: _vhost, ...policy } of policies ?? []) {
      await this.#call('PUT', ['policies', to, name], policy);
    }
  }

  /** @throws GantryError manager_unavailable */
  async setPermissions(vhost: string, username: string, permissions: VhostPermissions): Promise<void> {
    await this.#call('PUT', ['permissions', vhost, username], permissions);
  }

  async #call(method: string, path: readonly string[], body?: object): Promise<unknown> {
    try {
      const { status, text } = await this.#send(method, `/api/${path.map(encodeURIComponent).join('/')}`, body);
      if (status >= 300 && status !== 404) {
        throw new Error(`${method} of ${path[0] ?? ''} was answered with ${status}`);
      }
      return status === 200 ? (JSON.parse(text) as unknown) : undefined;
    } catch (error) {
      const peer = brokerPeer(this.#url.host, 'GANTRY_AMQP_MANAGEMENT_URL');
      const reason = explainTlsFailure(error, peer) ?? coerceError(error).message;
      throw new GantryError(
        'manager_unavailable',
        `The management API of the message broker refused the request: ${reason}`,
        { cause: error },
      );
    }
  }

  async #send(method: string, path: string, body: object | undefined): Promise<{ status: number; text: string }> {
    const { protocol, port, username, password } = this.#url;
    // an IPv6 address stands in brackets in a URL only
    const hostname = this.#url.hostname.replace(/^\[|\]$/g, '');
    const isSecure = protocol === 'https:';
    const client = isSecure ? https : http;
    const tls = isSecure ? { ...readTlsFiles(this.#tls), minVersion: 'TLSv1.2' as const } : {};
    return new Promise((resolve, reject) => {
      const request = client.request(
        {
          method,
          hostname,
          port,
          path,
          timeout,
          auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}`,
          headers: { 'content-type': 'application/json' },
          ...tls,
        },
        (response) => {
          readText(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
        },
      );
      request.on('timeout', () => request.destroy(new Error(`no answer within ${timeout} ms`)));
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
