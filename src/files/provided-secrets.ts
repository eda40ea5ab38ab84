import { coerceError, GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { RevealSecret, StoredSecret } from '../domain/resources.ts';
import { fetchRemoteText } from './remote.ts';
import type { RemotePolicy } from './remote.ts';

/** Where the value of a secret is asked for. */
export interface SecretsProviderAccess {
  readonly type: string;
  readonly connection: JsonObject;
}

interface Question {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Certificate authority in PEM. */
  readonly ca: string | undefined;
}

interface ProviderKind {
  /** Names of the connection parameters that must be there. */
  readonly required: readonly string[];
  /** What tells whether the provider can be reached. */
  readonly probe: (connection: JsonObject) => Question;
  readonly ask: (connection: JsonObject, key: string, options: JsonObject) => Question;
  readonly answer: (content: Json, key: string) => Json | undefined;
}

const setting = 'GANTRY_SECRET_HOSTS';
const timeout = 10_000;
const maxBytes = 10 * 1024 * 1024;

function text(parameters: JsonObject, name: string): string {
  const value = parameters[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function member(value: Json | undefined, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value[name] : undefined;
}

function vaultQuestion(connection: JsonObject, path: string): Question {
  const base = text(connection, 'url').replace(/\/+$/, '');
  const place = [text(connection, 'path'), path].flatMap((part) => part.split('/')).filter((part) => part !== '');
  return {
    url: `${base}/v1/secret/data/${place.map(encodeURIComponent).join('/')}`,
    headers: { 'x-vault-token': text(connection, 'token') },
    ca: undefined,
  };
}

function managerQuestion(connection: JsonObject, path: string): Question {
  const credentials = `${text(connection, 'username')}:${text(connection, 'password')}`;
  return {
    url: `${text(connection, 'protocol') || 'https'}://${text(connection, 'host')}/api/v3.1${path}`,
    headers: {
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      tenant: text(connection, 'tenant'),
    },
    ca: text(connection, 'cert') || undefined,
  };
}

/**
 * The kinds of providers.
 *
 * Compatibility: names, parameters and requests of Cloudify 7.
 */
const kinds: Readonly<Record<string, ProviderKind>> = {
  vault: {
    required: ['url', 'token', 'path'],
    probe: (connection) => vaultQuestion(connection, ''),
    ask: (connection, _key, options) => vaultQuestion(connection, text(options, 'path')),
    answer: (content, key) => member(member(member(content, 'data'), 'data'), key),
  },
  cloudify: {
    required: ['host', 'username', 'password', 'tenant'],
    probe: (connection) => managerQuestion(connection, '/status'),
    ask: (connection, key, options) =>
      managerQuestion(connection, `/secrets/${encodeURIComponent(text(options, 'name') || key)}`),
    answer: (content) => member(content, 'value'),
  },
};

/** The provider whose secrets are stored here like those without one. */
const localType = 'local';

/** Whether the values of a provider's secrets are stored here. */
export function isLocalProvider(type: string): boolean {
  return type === localType;
}

/** @throws GantryError bad_parameters_error for an unknown type, or when a connection parameter is missing */
export function checkProviderParameters({ type, connection }: SecretsProviderAccess): void {
  const kind = kinds[type];
  if (!kind && type !== localType) {
    throw new GantryError(
      'bad_parameters_error',
      `Unknown type of secrets provider: \`${type}\`. Types are ${[localType, ...Object.keys(kinds)].join(', ')}`,
    );
  }
  const missing = (kind?.required ?? []).filter((name) => text(connection, name) === '');
  if (missing.length > 0) {
    throw new GantryError(
      'bad_parameters_error',
      `A secrets provider of type \`${type}\` needs the connection parameters ${missing.join(', ')}`,
    );
  }
}

async function fetchJson(question: Question, policy: RemotePolicy): Promise<Json> {
  const { url, headers, ca } = question;
  const signal = AbortSignal.timeout(timeout);
  const content = await fetchRemoteText(
    url,
    { setting, ...policy },
    { maxBytes, timeout, headers, signal, ...(ca ? { ca } : {}) },
  );
  return JSON.parse(content) as Json;
}

/** Asks a provider, and says in one way whatever goes wrong. */
async function askProvider(type: string, question: Question, policy: RemotePolicy): Promise<Json> {
  try {
    return await fetchJson(question, policy);
  } catch (error) {
    throw new GantryError(
      'failed_dependency',
      `The secrets provider of type \`${type}\` did not answer as expected: ${coerceError(error).message}`,
      { cause: error },
    );
  }
}

/** Finds out whether a provider can be reached with its parameters. @throws GantryError bad_parameters_error, failed_dependency */
export async function probeProvider(access: SecretsProviderAccess, policy: RemotePolicy): Promise<void> {
  checkProviderParameters(access);
  const kind = kinds[access.type];
  if (kind) {
    await askProvider(access.type, kind.probe(access.connection), policy);
  }
}

/**
 * Makes the function that reads secrets, those stored here and those that providers have.
 * @param decrypt reads what is stored
 * @param policy which hosts providers may be on
 */
export function makeRevealSecret(decrypt: (stored: string) => string, policy: RemotePolicy): RevealSecret {
  const parameters = (stored: string | undefined): JsonObject =>
    stored === undefined ? {} : (JSON.parse(decrypt(stored)) as JsonObject);
  return async ({ key, value, providerOptions, provider }: StoredSecret) => {
    const kind = provider && kinds[provider.type];
    if (!kind) {
      return value === undefined ? '' : decrypt(value);
    }
    const question = kind.ask(parameters(provider.connectionParameters), key, parameters(providerOptions));
    const found = kind.answer(await askProvider(provider.type, question, policy), key);
    if (found === undefined) {
      throw new GantryError('failed_dependency', `The secrets provider of secret \`${key}\` has no value for it`);
    }
    return typeof found === 'string' ? found : JSON.stringify(found);
  };
}
