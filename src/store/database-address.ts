/** What the URL of a database says, TLS above all. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import type pg from 'pg';
import { databaseServers } from '../config/database-url.ts';
import { coerceError, GantryError } from '../domain/errors.ts';
import { explainTlsFailure } from '../domain/tls-failure.ts';

/** The parts of a connection's settings that the URL gives. */
export interface DatabaseAddress extends Pick<pg.ClientConfig, 'connectionString'> {
  readonly ssl?: ConnectionOptions | false;
}

/** `sslmode` -> what is checked of the server's certificate; undefined = no TLS. */
const modes: Readonly<Record<string, 'nothing' | 'authority' | 'authority and name' | undefined>> = {
  disable: undefined,
  'no-verify': 'nothing',
  'verify-ca': 'authority',
  'verify-full': 'authority and name',
  // libpq checks less here; who asks for TLS without a word on checks is better off with all of them
  require: 'authority and name',
  prefer: 'authority and name',
};

/** Parameter of the URL -> option of TLS. */
const files = { sslrootcert: 'ca', sslcert: 'cert', sslkey: 'key' } as const;

function refuse(message: string, cause?: unknown): never {
  throw new GantryError('bad_parameters_error', message, { cause });
}

function readNamed(parameter: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    refuse(`${parameter} of DATABASE_URL names ${file}, which cannot be read (${coerceError(error).message})`, error);
  }
}

/**
 * The contents of a file at the time of asking, so that a renewed one counts for the next connection; those from before
 * while it cannot be read, since an error would come up where nobody can catch it.
 */
function following(parameter: string, file: string): () => Buffer {
  let content = readNamed(parameter, file);
  return () => {
    try {
      content = readFileSync(file);
    } catch {
      // being written, or gone: the previous content is used while the server accepts it
    }
    return content;
  };
}

function filesOf(parameters: URLSearchParams): ConnectionOptions {
  const options: ConnectionOptions = {};
  for (const [parameter, option] of Object.entries(files)) {
    const file = parameters.get(parameter);
    if (file !== null && file !== 'system') {
      const get = following(parameter, file);
      Object.defineProperty(options, option, { get, enumerable: true, configurable: true });
    }
  }
  if ((options.cert === undefined) !== (options.key === undefined)) {
    refuse('sslcert and sslkey of DATABASE_URL belong together: name both or none');
  }
  if (options.ca !== undefined && !String(options.ca).includes('-----BEGIN CERTIFICATE-----')) {
    refuse(`sslrootcert of DATABASE_URL names ${parameters.get('sslrootcert')}, which holds no certificate`);
  }
  try {
    createSecureContext({ ...options });
  } catch (error) {
    refuse(`The files that DATABASE_URL names cannot be used: ${coerceError(error).message}`, error);
  }
  return options;
}

function tlsOf(parameters: URLSearchParams): ConnectionOptions | false {
  const named = Object.keys(files).some((parameter) => parameters.has(parameter));
  const mode = parameters.get('sslmode') ?? (named ? 'verify-full' : 'disable');
  if (!(mode in modes)) {
    refuse(`sslmode of DATABASE_URL must be one of ${Object.keys(modes).join(', ')}, got "${mode}"`);
  }
  const checked = modes[mode];
  if (checked === undefined) {
    return false;
  }
  if (mode === 'verify-ca' && !parameters.has('sslrootcert')) {
    refuse('sslmode=verify-ca of DATABASE_URL needs sslrootcert: anybody can be signed by a public authority');
  }
  const options = filesOf(parameters);
  options.minVersion = 'TLSv1.2';
  if (checked === 'nothing') {
    options.rejectUnauthorized = false;
  } else if (checked === 'authority') {
    options.checkServerIdentity = () => undefined;
  }
  return options;
}

/**
 * Reads the URL of a database. `sslmode`, `sslrootcert`, `sslcert` and `sslkey` mean what they mean to psql, but that
 * `require` and `prefer` check the certificate as `verify-full` does.
 * @throws GantryError bad_parameters_error for an unknown mode and for files that cannot be read or used
 */
export function readDatabaseUrl(url: string): DatabaseAddress {
  const [place = '', query = ''] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  if (![...parameters.keys()].some((name) => name.startsWith('ssl'))) {
    return { connectionString: url };
  }
  const ssl = tlsOf(parameters);
  for (const name of ['sslmode', ...Object.keys(files)]) {
    parameters.delete(name);
  }
  return { connectionString: parameters.size === 0 ? place : `${place}?${parameters.toString()}`, ssl };
}

/** The URL without its password, fit for messages. */
export function withoutPassword(url: string): string {
  const servers = databaseServers(url);
  if (!servers.every((server) => URL.canParse(server))) {
    return 'the configured URL';
  }
  return servers.map(bare).join(' or ');
}

function bare(url: string): string {
  const parsed = new URL(url);
  parsed.password = '';
  parsed.search = '';
  return parsed.toString();
}

function hostsOf(url: string): string {
  const servers = databaseServers(url).filter((server) => URL.canParse(server));
  return servers.map((server) => new URL(server).host).join(' or ') || 'the database';
}

/** The server demands TLS, and the URL says nothing of it. */
const wantsTls = /no pg_hba\.conf entry .*no encryption/;

/** Why the database of a URL cannot be used, with the remedy. */
export function unreachable(url: string, error: unknown): Error {
  const peer = {
    address: hostsOf(url),
    addressSetting: 'DATABASE_URL',
    authoritySetting: 'DATABASE_URL (?sslmode=verify-full&sslrootcert=FILE)',
    clientSetting: 'DATABASE_URL (sslcert=FILE&sslkey=FILE)',
  };
  const reason = error instanceof AggregateError ? error.errors.map(String).join('; ') : coerceError(error).message;
  const remedy = wantsTls.test(reason)
    ? 'The server takes connections over TLS only: add ?sslmode=verify-full&sslrootcert=FILE to the DATABASE_URL.'
    : 'Check that PostgreSQL runs there and that the DATABASE_URL is right.';
  const why = explainTlsFailure(error, peer) ?? `${reason.replace(/\.$/, '')}. ${remedy}`;
  return new Error(`Cannot use the database at ${withoutPassword(url)}: ${why}`, { cause: error });
}
