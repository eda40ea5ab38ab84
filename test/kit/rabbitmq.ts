import { execFile, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect as connectAmqp } from 'amqplib';
import { freePort } from './ports.ts';
import type { CertificateFiles } from './postgres-server.ts';

/** The server script itself: Debian's wrapper in sbin insists on root or its own user. */
const serverScript = process.env['GANTRY_TEST_RABBITMQ'] ?? '/usr/lib/rabbitmq/bin/rabbitmq-server';

/** Whether RabbitMQ is installed on this machine. */
export function isRabbitmqInstalled(): boolean {
  try {
    accessSync(serverScript, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function tlsSettings(
  { certificate, key, authority }: CertificateFiles,
  port: number,
  managementPort: number,
): string[] {
  return [
    `listeners.ssl.default = 127.0.0.1:${port}`,
    `ssl_options.cacertfile = ${authority}`,
    `ssl_options.certfile = ${certificate}`,
    `ssl_options.keyfile = ${key}`,
    'ssl_options.verify = verify_peer',
    'ssl_options.fail_if_no_peer_cert = true',
    'management.ssl.ip = 127.0.0.1',
    `management.ssl.port = ${managementPort}`,
    `management.ssl.cacertfile = ${authority}`,
    `management.ssl.certfile = ${certificate}`,
    `management.ssl.keyfile = ${key}`,
  ];
}

/**
 * A private RabbitMQ of the tests: loopback only, free ports, own directory, own name service. Each test file takes a
 * vhost of its own, so that files do not meet.
 */
export class RabbitmqServer {
  readonly port: number;
  readonly managementPort: number;
  /** For amqps, and the management API over https; of a server that was started with TLS only. */
  readonly tlsPort: number;
  readonly tlsManagementPort: number;
  readonly #directory: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #epmdPort: number;
  #process: ChildProcess | undefined;
  #vhostCount = 0;

  private constructor(directory: string, ports: readonly number[], tls?: CertificateFiles) {
    const [port = 0, managementPort = 0, distributionPort = 0, epmdPort = 0, tlsPort = 0, tlsManagementPort = 0] =
      ports;
    this.port = port;
    this.managementPort = managementPort;
    this.tlsPort = tlsPort;
    this.tlsManagementPort = tlsManagementPort;
    this.#epmdPort = epmdPort;
    this.#directory = directory;
    for (const name of ['home', 'mnesia', 'log']) {
      mkdirSync(join(directory, name), { recursive: true });
    }
    writeFileSync(join(directory, 'home', '.erlang.cookie'), randomBytes(24).toString('hex'), { mode: 0o400 });
    writeFileSync(join(directory, 'enabled_plugins'), '[rabbitmq_management].\n');
    writeFileSync(
      join(directory, 'rabbitmq.conf'),
      [
        `listeners.tcp.default = 127.0.0.1:${port}`,
        'management.tcp.ip = 127.0.0.1',
        `management.tcp.port = ${managementPort}`,
        'log.console = false',
        'log.file.level = warning',
        'vm_memory_high_watermark.absolute = 1GB',
        'disk_free_limit.absolute = 50MB',
        ...(tls ? tlsSettings(tls, tlsPort, tlsManagementPort) : []),
        '',
      ].join('\n'),
    );
    this.#environment = {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: join(directory, 'home'),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_NODENAME: `gantry${port}@localhost`,
      RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'advanced.config'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
      RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
      RABBITMQ_LOG_BASE: join(directory, 'log'),
      RABBITMQ_PID_FILE: join(directory, 'rabbit.pid'),
      RABBITMQ_DIST_PORT: String(distributionPort),
      ERL_EPMD_PORT: String(epmdPort),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      ERL_CRASH_DUMP: '/dev/null',
    };
  }

  /**
   * Starts a server in a temporary directory and waits until it takes connections.
   * @param tls files for ports with TLS beside the others; amqps wants a certificate of the same authority from clients
   */
  static async start(tls?: CertificateFiles): Promise<RabbitmqServer> {
    const ports = await Promise.all(Array.from({ length: 6 }, freePort));
    const server = new RabbitmqServer(mkdtempSync(join(tmpdir(), 'gantry-rabbitmq-')), ports, tls);
    await server.#launch();
    return server;
  }

  /** URL of the `/` vhost. */
  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  /** URL of the management API, with credentials. */
  get managementUrl(): string {
    return `http://guest:guest@127.0.0.1:${this.managementPort}`;
  }

  /** Creates an empty vhost and returns its URL. */
  async createVhost(prefix = 'test'): Promise<string> {
    this.#vhostCount += 1;
    const name = `${prefix}-${this.#vhostCount}`;
    await this.manage('PUT', `/api/vhosts/${name}`);
    return `${this.url}/${name}`;
  }

  /** Calls the management API. */
  async manage(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.managementPort}${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) {
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    }
    const text = await response.text();
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }

  /**
   * Collects a copy of every message that is published or delivered in a vhost from now on.
   * @returns everything so far as texts, headers included; and what ends it
   */
  async trace(url: string): Promise<{ texts: string[]; stop: () => Promise<void> }> {
    const program = join(dirname(serverScript), 'rabbitmqctl');
    const vhost = decodeURIComponent(new URL(url).pathname.slice(1)) || '/';
    const node = String(this.#environment['RABBITMQ_NODENAME']);
    await promisify(execFile)(program, ['--node', node, 'trace_on', '--vhost', vhost], { env: this.#environment });
    const connection = await connectAmqp(url);
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'amq.rabbitmq.trace', '#');
    const texts: string[] = [];
    await channel.consume(
      queue,
      (message) => texts.push(`${message?.content.toString() ?? ''} ${JSON.stringify(message?.properties)}`),
      { noAck: true },
    );
    return { texts, stop: () => connection.close() };
  }

  /** Stops the server and starts it again on the same ports with the same data. */
  async restart(): Promise<void> {
    await this.halt();
    await this.#launch();
  }

  /** Kills the server and starts it on the same ports as one that has never run: its data are gone. */
  async loseData(): Promise<void> {
    await this.halt('SIGKILL');
    const data = join(this.#directory, 'mnesia');
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data);
    await this.#launch();
  }

  /** Stops the server; its data stay. */
  async halt(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child) {
      return;
    }
    // whoever waits for the end must not end before it
    child.ref();
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.#signalServer(signal);
    await ended;
  }

  /** Starts a halted server. */
  async resume(): Promise<void> {
    await this.#launch();
  }

  /** Stops the server and removes its directory. */
  async stop(): Promise<void> {
    await this.halt();
    this.#cleanUp();
  }

  /** What is left to do when the test process ends without having stopped the server. */
  killNow(): void {
    if (this.#process) {
      this.#signalServer('SIGKILL');
      this.#process = undefined;
    }
    this.#cleanUp();
  }

  #signalServer(signal: NodeJS.Signals): void {
    try {
      process.kill(Number(readFileSync(join(this.#directory, 'rabbit.pid'), 'utf8')), signal);
    } catch {
      // it has ended meanwhile
    }
  }

  #cleanUp(): void {
    // the name service daemon outlives the node
    spawnSync('epmd', ['-port', String(this.#epmdPort), '-kill'], { stdio: 'ignore', env: this.#environment });
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #launch(): Promise<void> {
    const child = spawn(serverScript, [], {
      cwd: this.#directory,
      env: this.#environment,
      stdio: 'ignore',
      detached: true,
    });
    // a shared server lives until the test process ends, and must not be what keeps it from ending
    child.unref();
    this.#process = child;
    let exitCode: number | null | undefined;
    child.once('exit', (code) => {
      exitCode = code;
    });
    const deadline = Date.now() + 150_000;
    while (!((await accepts(this.port)) && (await accepts(this.managementPort)))) {
      if (exitCode !== undefined || Date.now() > deadline) {
        throw new Error(`RabbitMQ did not start (exit code ${String(exitCode)}); its logs are in ${this.#directory}`);
      }
      await delay(50);
    }
  }
}

let shared: Promise<RabbitmqServer> | undefined;

/** The server all test files of a run share; ends with the test process. */
export function sharedRabbitmq(): Promise<RabbitmqServer> {
  shared ??= RabbitmqServer.start().then((server) => {
    process.once('exit', () => server.killNow());
    return server;
  });
  return shared;
}
