import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { packageRoot } from '../../src/config/package-root.ts';
import { until } from './until.ts';

function nginxProgram(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders
    .map((folder) => join(folder, 'nginx'))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Whether nginx is installed on this machine. */
export function isNginxInstalled(): boolean {
  return nginxProgram() !== undefined;
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

const running = new Set<ChildProcess>();

// a test process that ends early must not leave servers behind
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A private nginx with a configuration that the test renders. */
export class NginxServer {
  readonly directory: string;
  private child: ChildProcess | undefined;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /**
   * @param port the port that `render` makes it listen on
   * @param render gets the folder for everything nginx writes, gives the text of nginx.conf
   */
  static async start(port: number, render: (directory: string) => string): Promise<NginxServer> {
    const server = new NginxServer(await mkdtemp(join(tmpdir(), 'gantry-nginx-')));
    await chmod(server.directory, 0o755);
    await mkdir(join(server.directory, 'temp'), { mode: 0o777 });
    await chmod(join(server.directory, 'temp'), 0o777);
    const file = join(server.directory, 'nginx.conf');
    await writeFile(file, render(server.directory));
    await server.launch(file, port);
    return server;
  }

  async stop(): Promise<void> {
    if (this.child && this.child.exitCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      await ended;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  private async launch(file: string, port: number): Promise<void> {
    const log = join(this.directory, 'error.log');
    const child = spawn(nginxProgram() ?? 'nginx', ['-p', this.directory, '-e', log, '-c', file, '-g', 'daemon off;'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child = child;
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    running.add(child);
    child.once('exit', () => running.delete(child));
    await until(`nginx on port ${port}`, async () => {
      if (child.exitCode !== null) {
        throw new Error(`nginx ended (exit code ${child.exitCode}): ${complaint}`);
      }
      return accepts(port);
    });
  }
}

/** Where listeners are and what they serve; what is left out is as in the heads of nginx.conf and nginx-tls.conf. */
export interface ProductNginx {
  listen: string;
  /** host:port of the REST service. */
  upstream: string;
  files: string;
  tls?: string;
  log?: string;
  /** Listeners of nginx-tls.conf. */
  more?: { internal: string; plain: string; certificates: string };
}

/** Renders the product's own configuration; gives the text of nginx.conf, and writes what it includes. */
export function renderProductNginx(directory: string, options: ProductNginx): string {
  const { listen, upstream, files, tls = '# no TLS', log = 'off', more } = options;
  const include = join(directory, 'nginx-tls.conf');
  const values: Record<string, string> = {
    LISTEN: listen,
    UPSTREAM: upstream,
    FILES: files,
    TEMP: `${directory}/temp`,
    TLS: tls,
    LOG: log,
    ROOT: packageRoot(),
    MORE: more ? `include ${include};` : '',
    INTERNAL: more?.internal ?? '',
    PLAIN: more?.plain ?? '',
    CERTIFICATES: more?.certificates ?? '',
  };
  const render = (name: string): string =>
    readFileSync(join(packageRoot(), name), 'utf8').replaceAll(
      /\$\{GANTRY_NGINX_(\w+)\}/g,
      (_match, variable: string) => values[variable] ?? '',
    );
  if (more) {
    writeFileSync(include, render('nginx-tls.conf'));
  }
  const text = render('nginx.conf');
  // nginx started by root serves as nobody, who may not enter the folders of tests
  return process.getuid?.() === 0 ? `user root;\n${text}` : text;
}
