import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../src/config/package-root.ts';

const program = join(packageRoot(), 'dist', 'gantry.js');
let built: Promise<unknown> | undefined;

/** Bundles dist/ once per test process, so that tests run what users run. */
export async function buildOnce(): Promise<void> {
  built ??= (async () => {
    const script = pathToFileURL(join(packageRoot(), 'scripts', 'build.mjs')).href;
    const { buildProgram } = (await import(script)) as { buildProgram: () => Promise<number> };
    await buildProgram();
  })();
  await built;
}

/** Environment of a child without settings of the person who runs the tests. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('GANTRY_') && name !== 'DATABASE_URL' && name !== 'AMQP_URL',
  );
  return { ...Object.fromEntries(kept), NO_COLOR: '1', ...extra };
}

export interface ProgramOptions {
  environment?: Readonly<Record<string, string>>;
  /** Run as this user (only root can ask for another one). */
  uid?: number;
  gid?: number;
}

const keptLines = 200;
/** Lines that the message about a process shows that did not stop. */
const shownLines = 40;
/** Seconds a process may take to stop: the grace it gives operations, and that of a busy machine. */
const stopLimit = 60;
const running = new Set<ChildProcess>();

// a test process that ends early must not leave managers behind
process.once('exit', () => {
  for (const child of running) {
    child.kill('SIGKILL');
  }
});

/** A serving `gantry` process: `up` or `serve`. */
export class ServingProgram {
  readonly words: readonly string[];
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly lines: string[] = [];
  readonly ready: Promise<Record<string, unknown>>;

  private constructor(words: readonly string[], options: ProgramOptions) {
    this.words = words;
    this.child = spawn(process.execPath, ['--enable-source-maps', program, ...words, '--json'], {
      cwd: packageRoot(),
      env: cleanEnvironment(options.environment),
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    running.add(this.child);
    this.ended = once(this.child, 'exit').then(([code, signal]) => {
      running.delete(this.child);
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
    createInterface({ input: this.child.stderr! }).on('line', (line) => {
      this.lines.push(line);
      if (this.lines.length > keptLines) {
        this.lines.shift();
      }
    });
    const firstLine = once(createInterface({ input: this.child.stdout! }), 'line');
    this.ready = Promise.race([
      firstLine.then(([line]) => JSON.parse(String(line)) as Record<string, unknown>),
      this.ended.then(({ code, signal }) => {
        throw new Error(`gantry ${words.join(' ')} ended (${signal ?? code}):\n${this.lines.join('\n')}`);
      }),
    ]);
    this.ready.catch(() => undefined);
  }

  /** Starts the process; await `ready` for the moment it serves. */
  static async start(words: readonly string[], options: ProgramOptions = {}): Promise<ServingProgram> {
    await buildOnce();
    return new ServingProgram(words, options);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /**
   * Asks the process to stop cleanly and waits until it has.
   * @param seconds after which it is killed
   * @throws Error with its last log lines when it had to be killed
   */
  async stop(seconds = stopLimit): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.child.kill('SIGKILL');
    }, seconds * 1000);
    // a process that is suspended does not hear the request
    this.child.kill('SIGCONT');
    this.child.kill('SIGTERM');
    const end = await this.ended;
    clearTimeout(timer);
    if (isLate) {
      const tail = this.lines.slice(-shownLines).join('\n');
      throw new Error(`gantry ${this.words.join(' ')} did not stop within ${seconds} s:\n${tail}`);
    }
    return end;
  }

  /** Ends the process at once, as a crash would. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Lets the process hang: it stays, and does nothing any more. */
  suspend(): void {
    this.child.kill('SIGSTOP');
  }

  /** Lets a suspended process go on. */
  resume(): void {
    this.child.kill('SIGCONT');
  }
}

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs any program to its end. */
export async function runProgram(
  command: string,
  words: readonly string[],
  options: { environment?: NodeJS.ProcessEnv; cwd?: string; input?: string } = {},
): Promise<CommandResult> {
  const child = spawn(command, words, {
    cwd: options.cwd ?? packageRoot(),
    env: options.environment ?? cleanEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Runs a `gantry` command to its end. */
export async function runGantry(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  await buildOnce();
  return runProgram(process.execPath, [program, ...words], { environment: cleanEnvironment(environment) });
}
