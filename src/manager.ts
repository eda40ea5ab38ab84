import { randomInt, randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { makeAgentAccounts } from './amqp/agent-accounts.ts';
import type { AgentBrokerAccounts } from './amqp/agent-accounts.ts';
import { connectBroker } from './amqp/connection.ts';
import type { BrokerConnection } from './amqp/connection.ts';
import { BrokerManagement } from './amqp/management.ts';
import { makeTenantAccounts } from './amqp/tenant-accounts.ts';
import type { TenantBrokerAccounts } from './amqp/tenant-accounts.ts';
import { startTaskBroker } from './broker/broker.ts';
import { makeManagerPlugins, makeManagerRuntime, ManagerPlugins } from './broker/manager-runtime.ts';
import { makeOperationHost } from './broker/operation-host.ts';
import { servePluginTasks } from './broker/plugin-tasks.ts';
import type { RunningManager } from './cli/manager-control.ts';
import type { Config, RoleName } from './config/config.ts';
import { makeDataDirectory } from './config/data-directory.ts';
import { resourcePath } from './config/package-root.ts';
import { startExecutor } from './executor/executor.ts';
import { BlueprintParser } from './executor/system/blueprint-parser.ts';
import { recoverRestore } from './executor/system/restore-snapshot.ts';
import { makeSystemWorkflows } from './executor/system/workflows.ts';
import type { RevealSecret } from './domain/resources.ts';
import { FileStore } from './files/file-store.ts';
import { makeRevealSecret } from './files/provided-secrets.ts';
import type { Logger } from './log/logger.ts';
import { EventSink } from './recorder/event-sink.ts';
import { startRecorder } from './recorder/recorder.ts';
import { createApp } from './rest/app.ts';
import { choosePort, serveHttp } from './rest/server.ts';
import { startHeartbeat } from './scheduler/heartbeat.ts';
import { startLogCourier } from './scheduler/log-courier.ts';
import { startScheduler } from './scheduler/scheduler.ts';
import { openSecretBox } from './security/secret-box.ts';
import type { SecretBox } from './security/secret-box.ts';
import { createKeyRotation } from './services/key-rotation.ts';
import type { KeyRotation } from './services/key-rotation.ts';
import { createServices } from './services/services.ts';
import type { Services } from './services/services.ts';
import { makeMetrics, measureOperations, startProbes } from './observation.ts';
import type { Metrics } from './metrics/metrics.ts';
import { Shutdown } from './shutdown.ts';
import { bootstrap } from './store/bootstrap.ts';
import { connectDatabase, Database } from './store/database.ts';
import { migrate } from './store/migrate.ts';
import { startEmbeddedPostgres } from './store/postgres/embedded.ts';
import { claimSoleUse } from './store/sole-use.ts';

/** What every role works with. */
interface Foundation {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  files: FileStore;
  parser: BlueprintParser;
  secretBox: SecretBox;
  reveal: RevealSecret;
  clock: { now: () => number };
  newId: () => string;
  processName: string;
  /** Seconds without heartbeat after which another process counts as dead. */
  staleAfter: () => number;
  isNew: boolean;
  metrics: Metrics;
  /** The use cases, made once for all roles that need them. */
  services: () => Promise<Services>;
}

/** URL of the configured database; the embedded one is started first. */
async function openDatabase(config: Config, log: Logger, shutdown: Shutdown): Promise<string> {
  await makeDataDirectory(config.dataDir);
  if (config.database.url !== 'embedded') {
    return config.database.url;
  }
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
  shutdown.add('embedded PostgreSQL', () => server.stop());
  return server.url;
}

async function layFoundation(
  config: Config,
  log: Logger,
  shutdown: Shutdown,
  signal: AbortSignal,
): Promise<Foundation> {
  const url = await openDatabase(config, log, shutdown);
  const { poolSize } = config.database;
  const plansOnce = !config.roles.includes('rest');
  const database = await connectDatabase(
    { url, poolSize, log, applicationName: config.instanceName, plansOnce },
    signal,
  );
  shutdown.add('database', () => database.close());
  if (isBrokerInProcess(config)) {
    const giveBack = await claimSoleUse(database);
    shutdown.add('sole use of the database', giveBack);
  }
  await migrate({ url, log });
  const isNew = await bootstrap(database, { adminPasswordFile: config.security.adminPasswordFile, log });
  const { url: brokerUrl, tls } = config.amqp;
  const broker = connectBroker({ url: brokerUrl, log, name: config.instanceName, tls });
  shutdown.add('broker connection', () => broker.close());
  const files = new FileStore({ root: config.files.root, sharedRoot: resourcePath() });
  await files.prepare();
  const secretBox = await openSecretBox(config.security.keyFile);
  const reveal = makeRevealSecret((stored) => secretBox.decrypt(stored), config.secrets);
  const heartbeat = await startHeartbeat({ config, log, database });
  shutdown.add('heartbeat', () => heartbeat.stop());
  const courier = await startLogCourier({ config, log, database, files });
  shutdown.add('log courier', () => courier.stop());
  const parser = new BlueprintParser();
  shutdown.add('blueprint parser', () => parser.stop());
  const clock = { now: () => Date.now() };
  const { processName, staleAfter } = heartbeat;
  const parts = {
    config,
    log,
    database,
    broker,
    files,
    secretBox,
    reveal,
    parser,
    clock,
    newId: randomUUID,
    processName,
    staleAfter,
    isNew,
  };
  const metrics = makeMetrics(parts);
  let services: Promise<Services> | undefined;
  return { ...parts, metrics, services: () => (services ??= startServices(parts, shutdown)) };
}

async function startServices(parts: Omit<Foundation, 'services' | 'metrics'>, shutdown: Shutdown): Promise<Services> {
  const services = await createServices({ ...parts, ...brokerAccounts(parts.config) });
  shutdown.add('services', () => services.stop());
  return services;
}

async function startExecutorRole(foundation: Foundation, shutdown: Shutdown): Promise<void> {
  const { config, files, clock, reveal, secretBox, parser } = foundation;
  await recoverRestore(foundation.database, files, foundation.log);
  const common = { random: (bound: number) => randomInt(bound), reveal };
  const systemWorkflows = makeSystemWorkflows({ config, files, clock, parser, encryption: secretBox, ...common });
  const executor = await startExecutor({
    ...foundation,
    ...common,
    systemWorkflows,
    onEnded: (...ended) => foundation.metrics.observeExecution(...ended),
  });
  shutdown.add('executor', () => executor.stop());
}

async function startBrokerRole(foundation: Foundation, shutdown: Shutdown): Promise<void> {
  const { database, files, log } = foundation;
  const sink = new EventSink(database, log);
  shutdown.add('event sink', () => sink.stop());
  const plugins = makeManagerPlugins(foundation);
  const { extensions } = await foundation.services();
  const runtime = makeManagerRuntime(foundation, new ManagerPlugins(database, files, plugins), extensions);
  shutdown.add('runtime', () => runtime.stop());
  const host = makeOperationHost({ ...foundation, sink });
  const taskBroker = await startTaskBroker({
    ...foundation,
    runtime: measureOperations(runtime, foundation.metrics),
    host,
    waits: extensions.waits,
    serve: servePluginTasks({ ...foundation, plugins }),
  });
  shutdown.add('task broker', () => taskBroker.stop());
}

/** Creates accounts on the broker; nothing when its management API is not configured. */
function brokerAccounts({ amqp }: Config): { agentBroker?: AgentBrokerAccounts; tenantBroker?: TenantBrokerAccounts } {
  if (amqp.managementUrl === undefined || amqp.url.startsWith('memory:')) {
    return {};
  }
  const management = new BrokerManagement({ url: amqp.managementUrl, tls: amqp.tls });
  const managerUser = decodeURIComponent(new URL(amqp.url).username);
  return { agentBroker: makeAgentAccounts(management), tenantBroker: makeTenantAccounts(management, managerUser) };
}

/** Starts the REST service; resolves with its address. */
async function startRestRole(foundation: Foundation, shutdown: Shutdown): Promise<string> {
  const { config, log, metrics } = foundation;
  const services = await foundation.services();
  metrics.add({
    name: 'gantry_live_streams',
    help: 'Open streams of server-sent events',
    read: () => services.live.size,
  });
  const server = await serveHttp(config.http, createApp({ config, log, services, metrics }), (problem) =>
    log.warn('The renewed certificate is invalid; keeping the previous one', { problem }),
  );
  shutdown.add('REST service', () => server.stop());
  // answers that never end by themselves would keep the service from stopping
  shutdown.add('live streams', () => services.live.stop());
  return server.url;
}

const starters: Readonly<Record<RoleName, (foundation: Foundation, shutdown: Shutdown) => Promise<string | void>>> = {
  rest: startRestRole,
  executor: startExecutorRole,
  broker: startBrokerRole,
  recorder: async (foundation, shutdown) => {
    const recorder = await startRecorder(foundation);
    shutdown.add('recorder', () => recorder.stop());
  },
  scheduler: async (foundation, shutdown) => {
    const { tenantBroker } = brokerAccounts(foundation.config);
    const scheduler = await startScheduler({
      ...foundation,
      ...(tenantBroker ? { brokerAccounts: { ...foundation.secretBox, accounts: tenantBroker } } : {}),
    });
    shutdown.add('scheduler', () => scheduler.stop());
  },
};

/** Roles in the order they start: who asks for work comes last, and stops first. */
const startOrder: readonly RoleName[] = ['recorder', 'broker', 'executor', 'scheduler', 'rest'];

function isBrokerInProcess(config: Config): boolean {
  return config.amqp.url.startsWith('memory:');
}

function noticesOf(config: Config): string[] {
  if (isBrokerInProcess(config)) {
    return ['Agents on other hosts need RabbitMQ: start with --amqp URL to use one.'];
  }
  return config.amqp.managementUrl === undefined
    ? ['Tenants get no vhost on the broker, which agents need: set GANTRY_AMQP_MANAGEMENT_URL.']
    : [];
}

/** Settles which port the REST service has, which operations are told, before anything is started. */
async function withPort(config: Config): Promise<Config> {
  return config.roles.includes('rest')
    ? { ...config, http: { ...config.http, port: await choosePort(config.http) } }
    : config;
}

/**
 * Starts the configured roles in this process.
 * @param signal gives up while the database is not there yet
 * @throws Error with one sentence on what is missing
 */
export async function startManager(asked: Config, log: Logger, signal: AbortSignal): Promise<RunningManager> {
  const shutdown = new Shutdown(log);
  try {
    const config = await withPort(asked);
    const foundation = await layFoundation(config, log, shutdown, signal);
    let url: string | undefined;
    for (const role of startOrder.filter((name) => config.roles.includes(name))) {
      url = (await starters[role](foundation, shutdown)) ?? url;
    }
    await startProbes(foundation, foundation.metrics, shutdown);
    log.info('Started', { name: config.instanceName, roles: config.roles, url });
    return {
      url,
      adminUsername: 'admin',
      adminPasswordFile: config.security.adminPasswordFile,
      isNew: foundation.isNew,
      notices: noticesOf(config),
      stop: () => shutdown.run(),
    };
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

/** Brings the schema of the configured database up to date; returns the migrations that ran. */
export async function migrateDatabase(config: Config, log: Logger): Promise<readonly string[]> {
  const shutdown = new Shutdown(log);
  try {
    return await migrate({ url: await openDatabase(config, log, shutdown), log });
  } finally {
    await shutdown.run();
  }
}

/** Opens the configured database for work on the keys that encrypt secrets. */
export async function withKeyRotation<Result>(
  config: Config,
  log: Logger,
  work: (rotation: KeyRotation) => Promise<Result>,
): Promise<Result> {
  const shutdown = new Shutdown(log);
  try {
    const url = await openDatabase(config, log, shutdown);
    const database = new Database({ url, poolSize: 2, log, applicationName: config.instanceName });
    shutdown.add('database', () => database.close());
    const { keyFile } = config.security;
    const lastChange = async (): Promise<number> => (await stat(keyFile)).mtimeMs;
    return await work(createKeyRotation({ database, keyFile, lastChange, now: () => Date.now() }));
  } finally {
    await shutdown.run();
  }
}
