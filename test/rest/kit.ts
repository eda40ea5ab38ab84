import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectBroker } from '../../src/amqp/connection.ts';
import type { BrokerConnection } from '../../src/amqp/connection.ts';
import { loadConfig } from '../../src/config/config.ts';
import { resourcePath } from '../../src/config/package-root.ts';
import { startExecutor } from '../../src/executor/executor.ts';
import type { Executor } from '../../src/executor/executor.ts';
import { BlueprintParser } from '../../src/executor/system/blueprint-parser.ts';
import { recoverRestore } from '../../src/executor/system/restore-snapshot.ts';
import { makeSystemWorkflows } from '../../src/executor/system/workflows.ts';
import { startTaskBroker } from '../../src/broker/broker.ts';
import type { TaskBroker } from '../../src/broker/broker.ts';
import { makeManagerPlugins } from '../../src/broker/manager-runtime.ts';
import { servePluginTasks } from '../../src/broker/plugin-tasks.ts';
import type { OperationHost } from '../../src/runtime/types.ts';
import { makeRevealSecret } from '../../src/files/provided-secrets.ts';
import { FileStore } from '../../src/files/file-store.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { createApp } from '../../src/rest/app.ts';
import { startScheduler } from '../../src/scheduler/scheduler.ts';
import type { Scheduler } from '../../src/scheduler/scheduler.ts';
import { startLogCourier } from '../../src/scheduler/log-courier.ts';
import type { LogCourier } from '../../src/scheduler/log-courier.ts';
import { startHeartbeat } from '../../src/scheduler/heartbeat.ts';
import type { Heartbeat } from '../../src/scheduler/heartbeat.ts';
import { openSecretBox } from '../../src/security/secret-box.ts';
import { createServices } from '../../src/services/services.ts';
import type { Services } from '../../src/services/services.ts';
import { bootstrap } from '../../src/store/bootstrap.ts';
import { Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { fakeRuntime, succeed } from '../kit/engine.ts';
import type { OperationFunction } from '../kit/engine.ts';
import { adminPassword, createMigratedDatabase, dropDatabase } from '../kit/database.ts';
import { checkAnswer } from '../kit/answer-check.ts';
import { zip } from '../unit/files/archives.ts';
import type { ZipEntry } from '../unit/files/archives.ts';

export { adminPassword };

export interface Answer {
  status: number;
  headers: Headers;
  body: never;
  /** The body whatever it is made of. */
  json<Shape>(): Shape;
  text: string;
}

export interface CallOptions {
  body?: unknown;
  /** Sent as it is. */
  raw?: Buffer | string;
  headers?: Record<string, string>;
  user?: string;
  password?: string;
  tenant?: string | null;
  token?: string;
  executionToken?: string;
}

interface StartOptions {
  hasEngine?: boolean;
  hasScheduler?: boolean;
  environment?: Record<string, string>;
  /** What operations do; they succeed otherwise. */
  run?: OperationFunction;
}

interface Parts {
  executor?: Executor;
  taskBroker?: TaskBroker;
  scheduler?: Scheduler;
  parser: BlueprintParser;
  courier: LogCourier;
}

/** What can be done with the place of a service. */
interface Lifetime {
  restart(): Promise<RestService>;
  startBeside(): Promise<RestService>;
  /** Removes the folder, and the database when the service was not started beside another one. */
  discard(): Promise<void>;
}

/** The folder and database of a service, which a restarted one goes on with. */
interface Place {
  readonly folder: string;
  readonly url: string;
}

/** A REST service on a database of its own, with an executor behind it unless it is left out. */
export class RestService {
  readonly services: Services;
  readonly database: Database;
  readonly folder: string;
  readonly #server: Server;
  readonly #broker: BrokerConnection;
  readonly #heartbeat: Heartbeat;
  readonly #parts: Parts;
  readonly #lifetime: Lifetime;

  private constructor(
    services: Services,
    database: Database,
    folder: string,
    server: Server,
    broker: BrokerConnection,
    heartbeat: Heartbeat,
    parts: Parts,
    lifetime: Lifetime,
  ) {
    this.#lifetime = lifetime;
    this.services = services;
    this.database = database;
    this.folder = folder;
    this.#server = server;
    this.#broker = broker;
    this.#heartbeat = heartbeat;
    this.#parts = parts;
  }

  static async start(options: StartOptions = {}): Promise<RestService> {
    return RestService.#startOn({ folder: await makeFolder(), url: await createMigratedDatabase() }, options);
  }

  static async #startOn(place: Place, options: StartOptions, isOwner = true): Promise<RestService> {
    const { folder, url } = place;
    const log = silentLogger;
    const config = loadConfig({
      GANTRY_INSTANCE: `rest-${randomUUID()}`,
      GANTRY_DATA: folder,
      DATABASE_URL: url,
      GANTRY_MAX_UPLOAD_BYTES: '2000000',
      ...options.environment,
    });
    await writeFile(config.security.adminPasswordFile, adminPassword);
    await migrate({ url, log });
    const database = new Database({ url, poolSize: 8, log });
    await bootstrap(database, { adminPasswordFile: config.security.adminPasswordFile, log });
    const broker = connectBroker({ url: config.amqp.url, log, name: config.instanceName });
    await broker.whenConnected();
    const files = new FileStore({ root: config.files.root, sharedRoot: resourcePath() });
    await files.prepare();
    const secretBox = await openSecretBox(config.security.keyFile);
    const reveal = makeRevealSecret((stored) => secretBox.decrypt(stored), config.secrets);
    const courier = await startLogCourier({ config, log, database, files });
    const clock = { now: () => Date.now() };
    const heartbeat = await startHeartbeat({ config, log, database });
    const { processName, staleAfter } = heartbeat;
    const common = { config, log, database, broker, files, clock, newId: randomUUID, processName, staleAfter };
    const parser = new BlueprintParser();
    const parts: Parts = { parser, courier };
    if (options.hasEngine !== false) {
      await recoverRestore(database, files, log);
      const systemWorkflows = makeSystemWorkflows({
        config,
        files,
        clock,
        parser,
        random: (bound) => randomInt(bound),
        reveal,
        encryption: secretBox,
      });
      parts.executor = await startExecutor({
        ...common,
        random: (bound) => randomInt(bound),
        reveal,
        systemWorkflows,
      });
      const plugins = makeManagerPlugins({ config, log, database, files });
      parts.taskBroker = await startTaskBroker({
        ...common,
        runtime: fakeRuntime(options.run ?? succeed),
        host: {} as OperationHost,
        serve: servePluginTasks({ log, database, files, plugins }),
      });
    }
    if (options.hasScheduler) {
      parts.scheduler = await startScheduler(common);
    }
    const services = await createServices({
      config,
      log,
      database,
      files,
      clock,
      newId: randomUUID,
      broker,
      secretBox,
      parser,
    });
    const server = createServer(createApp({ config, log, services }));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const restart = (): Promise<RestService> => RestService.#startOn(place, options, isOwner);
    const startBeside = async (): Promise<RestService> => {
      const beside = { ...options, hasEngine: false, hasScheduler: false };
      return RestService.#startOn({ folder: await makeFolder(), url }, beside, false);
    };
    const discard = async (): Promise<void> => {
      await rm(folder, { recursive: true, force: true });
      if (isOwner) {
        await dropDatabase(url);
      }
    };
    const lifetime = { restart, startBeside, discard };
    return new RestService(services, database, folder, server, broker, heartbeat, parts, lifetime);
  }

  /** Stops it and starts another one on its database and folder. */
  async restart(): Promise<RestService> {
    await this.#stopServing();
    return this.#lifetime.restart();
  }

  /** Starts a second process, as it were, on the same database; to be stopped before this one. */
  async startBeside(): Promise<RestService> {
    return this.#lifetime.startBeside();
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Calls the API; as the administrator in default_tenant unless told otherwise. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { body, raw, user = 'admin', password = adminPassword, tenant = 'default_tenant' } = options;
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (options.token !== undefined) {
      headers['authentication-token'] = options.token;
    } else if (options.executionToken !== undefined) {
      headers['execution-token'] = options.executionToken;
    } else if (user !== '') {
      headers['authorization'] = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    }
    if (tenant !== null) {
      headers['tenant'] = tenant;
    }
    const url = path.startsWith('/api') || path.startsWith('/resources') ? path : `/api/v3.1${path}`;
    const response = await fetch(this.origin + url, {
      method,
      headers: { ...headers, ...options.headers },
      ...(raw !== undefined ? { body: raw } : body !== undefined ? { body: JSON.stringify(body) } : {}),
    });
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    // a stream does not end by itself
    const text = isStream ? ((await response.body?.cancel()) ?? '') : await response.text();
    checkAnswer(method, path, response, text);
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: (text === '' ? undefined : safeParse(text)) as never,
      json: <Shape>() => safeParse(text) as Shape,
    };
  }

  /** Gets a file as the administrator in default_tenant. */
  async download(path: string): Promise<Buffer> {
    const authorization = `Basic ${Buffer.from(`admin:${adminPassword}`).toString('base64')}`;
    const response = await fetch(`${this.origin}/api/v3.1${path}`, {
      headers: { authorization, tenant: 'default_tenant' },
    });
    return Buffer.from(await response.arrayBuffer());
  }

  /** Uploads a blueprint of the given files and waits for the outcome. */
  async upload(id: string, files: Record<string, string>, query = ''): Promise<Answer> {
    return this.call('PUT', `/blueprints/${id}?${query}`, { raw: blueprintZip(id, files) });
  }

  async stop(): Promise<void> {
    await this.#stopServing();
    await this.#lifetime.discard();
  }

  async #stopServing(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#parts.scheduler?.stop();
    await this.#parts.executor?.stop();
    await this.#parts.taskBroker?.stop(1);
    await this.services.stop();
    await this.#parts.courier.stop();
    await this.#heartbeat.stop();
    await this.#broker.close();
    await this.database.close();
    await this.#parts.parser.stop();
  }
}

async function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'gantry-rest-'));
}

function safeParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A blueprint archive with one directory at its top. */
export function blueprintZip(directory: string, files: Record<string, string>): Buffer {
  const entries: ZipEntry[] = Object.entries(files).map(([name, content]) => ({
    name: `${directory}/${name}`,
    content,
  }));
  return zip(entries);
}

/** A blueprint with one node that needs nothing. */
export const simpleBlueprint = `tosca_definitions_version: cloudify_dsl_1_3
imports:
  - cloudify/types/types.yaml
inputs:
  port:
    type: integer
    default: 80
  name:
    type: string
    default: web
node_templates:
  server:
    type: cloudify.nodes.Root
    properties: {}
outputs:
  port:
    description: Where it listens
    value: { get_input: port }
capabilities:
  name:
    value: { get_input: name }
`;
