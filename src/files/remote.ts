import { lookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { BlockList, isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { coerceError, GantryError } from '../domain/errors.ts';
import { limitBytes } from './limit-bytes.ts';

export interface RemotePolicy {
  /**
   * Hosts that may be asked: `host`, `host:port`, `*.domain`, or `*` = any host with a public address. A host named
   * here may have a private address; nothing is allowed when the list is empty.
   */
  readonly allowedHosts: readonly string[];
  /** Setting that the list comes from, for messages. Default that of imports. */
  readonly setting?: string;
}

export interface RemoteRequest {
  readonly maxBytes: number;
  /** Milliseconds until the answer starts, per host asked. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
  /** Certificate authority of the host in PEM, instead of the public ones. */
  readonly ca?: string;
  /** Sent along, credentials for instance; then nothing is asked of the hosts that redirects name. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RemoteAnswer {
  /** URL after redirects. */
  readonly url: string;
  readonly body: Readable;
}

const maxRedirects = 5;

const privateAddresses = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  privateAddresses.addSubnet(network, prefix, 'ipv4');
}
const publicIpv6 = new BlockList();
publicIpv6.addSubnet('2000::', 3, 'ipv6');
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  privateAddresses.addSubnet(network, prefix, 'ipv6');
}

/** Whether an address belongs to the public internet (not loopback, private, link-local, multicast, reserved). */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) {
    return !privateAddresses.check(address, 'ipv4');
  }
  return isIP(address) === 6 && publicIpv6.check(address, 'ipv6') && !privateAddresses.check(address, 'ipv6');
}

function refuse(message: string, cause?: unknown): never {
  throw new GantryError('bad_parameters_error', message, cause === undefined ? {} : { cause });
}

type Permission = 'named' | 'public';

/** Whether and why the policy lets `url` be asked. @throws GantryError bad_parameters_error */
function permissionFor(url: URL, policy: RemotePolicy): Permission {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    refuse(`Cannot fetch ${url.protocol} URLs; use http or https`);
  }
  if (url.username || url.password) {
    refuse('Cannot fetch a URL with a user name or password in it');
  }
  const host = url.hostname.toLowerCase();
  const isNamed = policy.allowedHosts.some(
    (entry) =>
      entry === host || entry === url.host || (entry.startsWith('*.') && host.endsWith(entry.slice(1).toLowerCase())),
  );
  if (isNamed) {
    return 'named';
  }
  if (policy.allowedHosts.includes('*')) {
    return 'public';
  }
  return refuse(
    policy.setting === undefined
      ? `Fetching from host ${host} is not allowed; add it to GANTRY_IMPORT_HOSTS of the manager or upload the file`
      : `Asking host ${host} is not allowed; add it to ${policy.setting} of the manager`,
  );
}

async function addressesOf(url: URL, permission: Permission): Promise<LookupAddress[]> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = await lookup(host, { all: true }).catch((error: unknown) =>
    refuse(`Unable to open ${url.href}; host ${host} is not known`, error),
  );
  if (permission === 'public' && !addresses.every(({ address }) => isPublicAddress(address))) {
    refuse(`Fetching from host ${host} is not allowed: it has a private address`);
  }
  return addresses;
}

/** Sends one request to an address that was checked; the name is not looked up again, so it cannot change meanwhile. */
function ask(url: URL, addresses: readonly LookupAddress[], request: RemoteRequest): Promise<http.IncomingMessage> {
  const client = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const outgoing = client.get(url, {
      agent: false,
      timeout: request.timeout,
      headers: { 'user-agent': 'gantry', accept: '*/*', ...request.headers },
      lookup: (_host, options, done) => {
        const [first] = addresses;
        if (options.all) {
          done(null, [...addresses]);
        } else if (first) {
          done(null, first.address, first.family);
        }
      },
      ...(request.signal ? { signal: request.signal } : {}),
      ...(request.ca === undefined ? {} : { ca: request.ca }),
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${request.timeout} ms`)));
    outgoing.on('error', reject);
    outgoing.on('response', resolve);
  });
}

/**
 * Fetches a URL for a user, who may have bad intentions: only hosts that the policy allows, every redirect checked
 * again, addresses checked and then pinned, answer limited in size.
 * @throws GantryError bad_parameters_error when it is not allowed or not possible; the body may still fail with
 *   request_too_large while it is read
 */
export async function fetchRemote(url: string, policy: RemotePolicy, request: RemoteRequest): Promise<RemoteAnswer> {
  if (!URL.canParse(url)) {
    refuse(`Not a URL: ${JSON.stringify(url.slice(0, 200))}`);
  }
  let current = new URL(url);
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const addresses = await addressesOf(current, permissionFor(current, policy));
    const answer = await ask(current, addresses, request).catch((error: unknown) =>
      refuse(`Unable to open ${current.href}; ${coerceError(error).message}`, error),
    );
    const status = answer.statusCode ?? 0;
    const location = answer.headers.location;
    if (status >= 300 && status < 400 && location !== undefined && !request.headers) {
      answer.destroy();
      current = URL.canParse(location, current.href) ? new URL(location, current) : refuse('A redirect has no URL');
      continue;
    }
    if (status !== 200) {
      answer.destroy();
      refuse(`Unable to open ${current.href}; status code: ${status}`);
    }
    const body = limitBytes(request.maxBytes, current.href);
    answer.on('error', (error) => body.destroy(error));
    body.on('close', () => answer.destroy());
    answer.pipe(body);
    return { url: current.href, body };
  }
  return refuse(`Unable to open ${url}; it redirects more than ${maxRedirects} times`);
}

/** Fetches a URL as text. @throws GantryError see `fetchRemote` */
export async function fetchRemoteText(url: string, policy: RemotePolicy, request: RemoteRequest): Promise<string> {
  const { body } = await fetchRemote(url, policy, request);
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
