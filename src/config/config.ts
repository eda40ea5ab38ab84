import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { databaseServers } from './database-url.ts';
import { integer, oneOf, optionalUrl, refuse, textOf, url } from './environment.ts';
import type { Environment } from './environment.ts';
import { identityProvidersOf, identityVariables } from './identity-providers.ts';
import type { IdentityProviders } from './identity-providers.ts';

export const roleNames = ['rest', 'executor', 'broker', 'recorder', 'scheduler'] as const;
export type RoleName = (typeof roleNames)[number];

/** Everything a process of the product needs to know; made once by `loadConfig` and handed down. */
export interface Config {
  /** Unique name of this process among all that share the database; shown as manager_name. */
  instanceName: string;
  roles: readonly RoleName[];
  /** Directory for the embedded database, files, keys and logs. */
  dataDir: string;
  http: {
    host: string;
    port: number;
    /** How clients and operations reach the REST service, e.g. `https://manager.example.com`. */
    publicUrl: string | undefined;
    /** PEM files of the certificate and its key; undefined = no TLS. */
    tls: { certificateFile: string; keyFile: string } | undefined;
    /** Addresses, networks or `loopback` of proxies whose X-Forwarded-For is believed. */
    trustedProxies: readonly string[];
    /** Largest accepted upload in bytes. */
    maxUploadBytes: number;
  };
  probes: {
    host: string;
    /** Port of /metrics, /healthz and /readyz; undefined = not served. */
    port: number | undefined;
  };
  database: {
    /** `embedded` or a postgres:// URL. */
    url: string;
    poolSize: number;
  };
  amqp: {
    /** `memory:` or an amqp(s):// URL of the `/` vhost. */
    url: string;
    /** http(s)://user:password@host:port of the RabbitMQ management API; needed for tenants' vhosts. */
    managementUrl: string | undefined;
    /** PEM files for amqps:// and the management API over https://: authority, own certificate and its key. */
    tls: { caFile: string | undefined; certificateFile: string | undefined; keyFile: string | undefined };
  };
  files: {
    root: string;
  };
  security: {
    /** 32 random bytes, base64; encrypts secrets and broker passwords. */
    keyFile: string;
    adminPasswordFile: string;
  };
  identity: IdentityProviders;
  imports: {
    /** Hosts that blueprint imports and archive URLs may be fetched from; `*` = any public address. */
    allowedHosts: readonly string[];
  };
  secrets: {
    /** Hosts that secrets providers may be on; `*` = any public address. */
    allowedHosts: readonly string[];
  };
  executor: {
    maxExecutions: number;
    /** Seconds after which a process without heartbeat counts as dead. */
    staleAfterSeconds: number;
  };
  broker: {
    maxOperations: number;
    /** Time limit in seconds of an operation that has none of its own. */
    defaultOperationTimeout: number;
  };
  log: {
    level: 'error' | 'warn' | 'info' | 'debug';
    format: 'json' | 'text';
    file: string | undefined;
  };
}

export interface ConfigOverrides {
  roles?: readonly string[];
  dataDir?: string;
  host?: string;
  port?: number;
  database?: string;
  amqp?: string;
  adminPasswordFile?: string;
  logLevel?: string;
  logFormat?: string;
  logFile?: string;
}

function databaseUrl(text: string): string {
  databaseServers(text).forEach((server) => url('The database URL', server, ['postgres:', 'postgresql:']));
  return text;
}

function tlsOf(environment: Environment): Config['http']['tls'] {
  const certificateFile = environment['GANTRY_TLS_CERT'] ?? '';
  const keyFile = environment['GANTRY_TLS_KEY'] ?? '';
  if ((certificateFile === '') !== (keyFile === '')) {
    refuse('GANTRY_TLS_CERT and GANTRY_TLS_KEY belong together: set both or none');
  }
  return certificateFile === '' ? undefined : { certificateFile, keyFile };
}

function brokerTlsOf(environment: Environment): Config['amqp']['tls'] {
  const certificateFile = textOf(environment, 'GANTRY_AMQP_CERT_FILE');
  const keyFile = textOf(environment, 'GANTRY_AMQP_KEY_FILE');
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    refuse('GANTRY_AMQP_CERT_FILE and GANTRY_AMQP_KEY_FILE belong together: set both or none');
  }
  return { caFile: textOf(environment, 'GANTRY_AMQP_CA_FILE'), certificateFile, keyFile };
}

/** Names that stand for networks, as proxies understand them. */
const networkNames = new Set(['loopback', 'linklocal', 'uniquelocal']);

function proxiesOf(text: string | undefined): readonly string[] {
  const proxies = (text ?? 'loopback')
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);
  for (const proxy of proxies) {
    const [address = '', bits, ...more] = proxy.split('/');
    const longest = isIP(address) === 4 ? 32 : 128;
    const isNetwork =
      isIP(address) > 0 &&
      more.length === 0 &&
      (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest));
    if (!networkNames.has(proxy) && !isNetwork) {
      refuse(`GANTRY_TRUSTED_PROXIES must name addresses or networks such as 10.0.0.0/8, got "${proxy}"`);
    }
  }
  return proxies;
}

/** Every environment variable the product reads, with what it sets. Unknown GANTRY_ variables are refused. */
export const environmentVariables: Readonly<Record<string, string>> = {
  GANTRY_INSTANCE: 'name of this process, unique among all that share the database',
  GANTRY_ROLES: 'comma separated roles to run: rest, executor, broker, recorder, scheduler',
  GANTRY_DATA: 'data directory',
  GANTRY_HOST: 'address to listen on',
  GANTRY_PORT: 'port to listen on; 0 picks a free one',
  GANTRY_METRICS_HOST: 'address that /metrics, /healthz and /readyz are served on; default 127.0.0.1',
  GANTRY_METRICS_PORT: 'port that /metrics, /healthz and /readyz are served on; absent: not at all',
  GANTRY_PUBLIC_URL: 'how clients and operations reach the REST service',
  GANTRY_TLS_CERT: 'certificate of the REST service itself, when no nginx terminates TLS',
  GANTRY_TLS_KEY: 'its key',
  GANTRY_TRUSTED_PROXIES: 'comma separated addresses and networks of proxies; default loopback',
  GANTRY_MAX_UPLOAD_BYTES: 'largest accepted upload',
  GANTRY_DATABASE_POOL:
    'pooled database connections of this process; two more serve single rows, and one each notifications and leadership',
  GANTRY_AMQP_MANAGEMENT_URL: 'RabbitMQ management API',
  GANTRY_AMQP_CA_FILE: 'certificate authority of the broker; those of the system when absent',
  GANTRY_AMQP_CERT_FILE: 'certificate that this process shows to the broker, when it wants one',
  GANTRY_AMQP_KEY_FILE: 'its key',
  GANTRY_FILES: 'directory of the file server',
  GANTRY_KEY_FILE: 'file with the key that encrypts secrets',
  GANTRY_ADMIN_PASSWORD_FILE: 'file the first admin password is read from or written to',
  ...identityVariables,
  GANTRY_IMPORT_HOSTS: 'comma separated hosts that imports may be fetched from; * = any public host',
  GANTRY_SECRET_HOSTS: 'comma separated hosts that secrets providers may be on; * = any public host',
  GANTRY_MAX_EXECUTIONS:
    'executions one executor drives at once; those that only wait for other executions or for people do not count',
  GANTRY_STALE_AFTER: 'seconds without heartbeat after which a process counts as dead',
  GANTRY_MAX_OPERATIONS: 'operations one broker role runs at once',
  GANTRY_OPERATION_TIMEOUT: 'time limit in seconds of an operation that has none of its own',
  GANTRY_LOG_LEVEL: 'error, warn, info or debug',
  GANTRY_LOG_FORMAT: 'json or text',
  GANTRY_LOG_FILE: 'log file; standard error when absent',
};

/** Variables the command line client and tests read themselves. */
const foreignVariables = new Set([
  // given to scripts of operations
  'GANTRY_NODE',
  'GANTRY_PROFILE_DIR',
  'GANTRY_URL',
  'GANTRY_USERNAME',
  'GANTRY_PASSWORD',
  'GANTRY_TOKEN',
  'GANTRY_TENANT',
  'GANTRY_CA_FILE',
]);

function refuseUnknownVariables(environment: Environment): void {
  for (const name of Object.keys(environment)) {
    if (
      name.startsWith('GANTRY_') &&
      !(name in environmentVariables) &&
      !foreignVariables.has(name) &&
      !name.startsWith('GANTRY_TEST_') &&
      // read when nginx.conf is rendered
      !name.startsWith('GANTRY_NGINX_')
    ) {
      refuse(`Unknown environment variable ${name}; known are ${Object.keys(environmentVariables).join(', ')}`);
    }
  }
}

function parseRoles(names: readonly string[]): readonly RoleName[] {
  if (names.length === 0) {
    return roleNames;
  }
  return [...new Set(names.map((name) => oneOf('roles', name.trim(), roleNames)))];
}

/**
 * Joins defaults, environment and command line into the configuration of this process.
 * @throws GantryError bad_parameters_error naming the setting that is wrong
 */
export function loadConfig(environment: Environment, overrides: ConfigOverrides = {}): Config {
  refuseUnknownVariables(environment);
  const dataDir = resolve(overrides.dataDir ?? environment['GANTRY_DATA'] ?? 'var');
  const database = overrides.database ?? environment['DATABASE_URL'] ?? 'embedded';
  const amqp = overrides.amqp ?? environment['AMQP_URL'] ?? 'memory:';
  const roles = overrides.roles ?? environment['GANTRY_ROLES']?.split(',').filter(Boolean) ?? [];
  return {
    instanceName: environment['GANTRY_INSTANCE'] ?? `${hostname()}-${process.pid}`,
    roles: parseRoles(roles),
    dataDir,
    http: {
      host: overrides.host ?? environment['GANTRY_HOST'] ?? '127.0.0.1',
      port: integer(
        overrides.port === undefined ? 'GANTRY_PORT' : '--port',
        overrides.port?.toString() ?? environment['GANTRY_PORT'],
        8080,
        0,
        65535,
      ),
      publicUrl: environment['GANTRY_PUBLIC_URL'],
      tls: tlsOf(environment),
      trustedProxies: proxiesOf(environment['GANTRY_TRUSTED_PROXIES']),
      maxUploadBytes: integer(
        'GANTRY_MAX_UPLOAD_BYTES',
        environment['GANTRY_MAX_UPLOAD_BYTES'],
        1024 ** 3,
        1024,
        2 ** 40,
      ),
    },
    probes: {
      host: environment['GANTRY_METRICS_HOST'] ?? '127.0.0.1',
      port:
        environment['GANTRY_METRICS_PORT'] === undefined
          ? undefined
          : integer('GANTRY_METRICS_PORT', environment['GANTRY_METRICS_PORT'], 0, 0, 65535),
    },
    database: {
      url: database === 'embedded' ? database : databaseUrl(database),
      poolSize: integer('GANTRY_DATABASE_POOL', environment['GANTRY_DATABASE_POOL'], 10, 2, 200),
    },
    amqp: {
      url: url('The broker URL', amqp, ['amqp:', 'amqps:', 'memory:']),
      managementUrl: optionalUrl('GANTRY_AMQP_MANAGEMENT_URL', environment, ['http:', 'https:']),
      tls: brokerTlsOf(environment),
    },
    files: { root: environment['GANTRY_FILES'] ?? join(dataDir, 'files') },
    security: {
      keyFile: environment['GANTRY_KEY_FILE'] ?? join(dataDir, 'secret.key'),
      adminPasswordFile:
        overrides.adminPasswordFile ?? environment['GANTRY_ADMIN_PASSWORD_FILE'] ?? join(dataDir, 'admin-password'),
    },
    identity: identityProvidersOf(environment),
    imports: { allowedHosts: (environment['GANTRY_IMPORT_HOSTS'] ?? '').split(',').filter(Boolean) },
    secrets: { allowedHosts: (environment['GANTRY_SECRET_HOSTS'] ?? '').split(',').filter(Boolean) },
    executor: {
      maxExecutions: integer('GANTRY_MAX_EXECUTIONS', environment['GANTRY_MAX_EXECUTIONS'], 1000, 1, 100_000),
      staleAfterSeconds: integer('GANTRY_STALE_AFTER', environment['GANTRY_STALE_AFTER'], 6, 2, 3600),
    },
    broker: {
      maxOperations: integer('GANTRY_MAX_OPERATIONS', environment['GANTRY_MAX_OPERATIONS'], 200, 1, 10_000),
      defaultOperationTimeout: integer(
        'GANTRY_OPERATION_TIMEOUT',
        environment['GANTRY_OPERATION_TIMEOUT'],
        24 * 3600,
        1,
        30 * 24 * 3600,
      ),
    },
    log: {
      level: oneOf('The log level', overrides.logLevel ?? environment['GANTRY_LOG_LEVEL'] ?? 'info', [
        'error',
        'warn',
        'info',
        'debug',
      ]),
      format: oneOf('The log format', overrides.logFormat ?? environment['GANTRY_LOG_FORMAT'] ?? 'text', [
        'json',
        'text',
      ]),
      file: overrides.logFile ?? environment['GANTRY_LOG_FILE'],
    },
  };
}
