import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
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
    process.once('exit', () => child.kill('SIGKILL'));
    await until(`nginx on port ${port}`, async () => {
      if (child.exitCode !== null) {
        throw new Error(`nginx ended (exit code ${child.exitCode}): ${complaint}`);
      }
      return accepts(port);
    });
  }
}
