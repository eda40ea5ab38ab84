import type { Writable } from 'node:stream';
import { FakeAmqplib } from '@onify/fake-amqplib';
import { connect } from 'amqplib';
import type { ChannelModel } from 'amqplib';
import { GantryError } from '../domain/errors.ts';
import { explainTlsFailure } from '../domain/tls-failure.ts';
import { brokerPeer, noTlsFiles, readTlsFiles } from './tls-files.ts';
import type { BrokerTlsFiles } from './tls-files.ts';

/** Where a broker is and how to talk to it; made from the broker URL by `parseBrokerUrl`. */
export interface BrokerAddress {
  kind: 'memory' | 'server';
  /** Server only. */
  protocol: 'amqp' | 'amqps';
  hostname: string;
  port: number;
  username: string;
  password: string;
  vhost: string;
  /** Server over TLS only. */
  tls: BrokerTlsFiles;
}

/** What lives on a connection and has to be set up again after each reconnect. */
export interface ConnectionUser {
  connected(model: ChannelModel): void;
  disconnected(reason: Error): void;
  /** The connection is about to close for good: flush what was written and fail what was not. */
  closed(): Promise<void>;
}

/** The in-process broker: one per process, so that all roles of a process meet on it. */
const memoryBroker = new FakeAmqplib('4.0');

const heartbeatSeconds = 10;
const connectTimeoutMilliseconds = 5000;
/** Bytes that may wait for the socket before channels have to wait for it. */
const writeBuffer = 256 * 1024;

/**
 * Reads a broker URL: `memory:`, `memory:<name>` or `amqp(s)://user:password@host:port/vhost`.
 * @throws GantryError bad_parameters_error when it is neither
 */
export function parseBrokerUrl(url: string, tls: BrokerTlsFiles = noTlsFiles): BrokerAddress {
  const nothing = { hostname: '', port: 0, username: '', password: '', tls: noTlsFiles } as const;
  if (url.startsWith('memory:')) {
    const name = url.slice('memory:'.length).replaceAll('/', '');
    return { ...nothing, kind: 'memory', protocol: 'amqp', hostname: name || 'local', vhost: '/' };
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'amqp:' && parsed?.protocol !== 'amqps:') {
    throw new GantryError('bad_parameters_error', 'The broker URL must be memory: or start with amqp:// or amqps://');
  }
  const isSecure = parsed.protocol === 'amqps:';
  const path = decodeURIComponent(parsed.pathname.slice(1));
  return {
    kind: 'server',
    protocol: isSecure ? 'amqps' : 'amqp',
    // an IPv6 address stands in brackets in a URL, but not in a socket option
    hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port ? Number(parsed.port) : isSecure ? 5671 : 5672,
    username: decodeURIComponent(parsed.username) || 'guest',
    password: decodeURIComponent(parsed.password) || 'guest',
    vhost: path === '' ? '/' : path,
    tls: isSecure ? tls : noTlsFiles,
  };
}

/** `host:port/vhost` for logs; never the credentials. */
export function describeAddress(address: BrokerAddress): string {
  return address.kind === 'memory'
    ? `memory:${address.hostname}`
    : `${address.protocol}://${address.hostname}:${address.port}/${encodeURIComponent(address.vhost)}`;
}

/** A broker that is there, but not in a way that can be trusted; trying again is of no use until something is changed. */
export class BrokerTlsError extends Error {
  override readonly name = 'BrokerTlsError';
}

function explained(thrown: unknown, address: BrokerAddress): unknown {
  const sentence =
    address.protocol === 'amqps'
      ? explainTlsFailure(thrown, brokerPeer(`${address.hostname}:${address.port}`, 'AMQP_URL'))
      : undefined;
  return sentence === undefined ? thrown : new BrokerTlsError(sentence, { cause: thrown });
}

/**
 * Opens one connection. Over TLS the broker's certificate must be signed by a trusted authority and name the host of
 * the URL; the library leaves the check of the name to Node, which also checks addresses.
 * @param name shown in the broker's list of connections
 * @throws BrokerTlsError when TLS is what fails
 * @throws whatever else the socket or the broker refuses with
 */
export async function openConnection(address: BrokerAddress, name: string): Promise<ChannelModel> {
  if (address.kind === 'memory') {
    return memoryBroker.connect({ hostname: address.hostname, vhost: `/${encodeURIComponent(address.vhost)}` });
  }
  const { protocol, hostname, port, username, password, vhost } = address;
  const options = {
    ...(protocol === 'amqps' ? { ...readTlsFiles(address.tls), minVersion: 'TLSv1.2' } : {}),
    noDelay: true,
    timeout: connectTimeoutMilliseconds,
    writableHighWaterMark: writeBuffer,
    clientProperties: { connection_name: name },
  };
  const model = await connect(
    { protocol, hostname, port, username, password, vhost, heartbeat: heartbeatSeconds },
    options as object as Parameters<typeof connect>[1],
  ).catch((thrown: unknown) => {
    throw explained(thrown, address);
  });
  gatherWrites((model.connection as unknown as { stream: Writable }).stream);
  return model;
}

/**
 * Lets everything that is written in one go leave in one packet. The library writes frame by frame, and a system call
 * per acknowledgement costs more than all the rest of it.
 */
function gatherWrites(stream: Writable): void {
  const write = stream.write.bind(stream) as (...words: unknown[]) => boolean;
  let isGathering = false;
  stream.write = (...words: unknown[]): boolean => {
    if (!isGathering) {
      isGathering = true;
      stream.cork();
      process.nextTick(() => {
        isGathering = false;
        stream.uncork();
      });
    }
    return write(...words);
  };
}

/** Closes a channel or connection; one that is closed already, or whose broker is gone, is fine. */
export async function closeQuietly(closable: { close(): Promise<void> } | undefined): Promise<void> {
  try {
    await closable?.close();
  } catch {
    // closed meanwhile
  }
}
