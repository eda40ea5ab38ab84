import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../config/package-root.ts';
import { coerceError, GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { NonRecoverableError, RecoverableError } from '../sdk.ts';
import type { OperationSession } from '../session/operation-session.ts';
import { baseEnvironment } from '../script/environment.ts';
import { OperationTimeout } from '../time-limit.ts';
import type { OperationOutcome } from '../types.ts';
import type { FromPlugin, ToPlugin } from './protocol.ts';

/** Milliseconds a plugin has to end by itself: when it is killed, and when its time is over. */
const graceWhenKilled = 500;
const graceWhenLate = 5000;

/** Milliseconds for rendering one template. */
const renderLimit = 10_000;

/** Characters of the last output that explain a crash. */
const tailLength = 4096;

/** What a run needs besides the session. */
export interface PluginCall {
  readonly entry: string;
  readonly pluginName: string;
  readonly temporaryDirectory: string;
  readonly workDirectory: string | undefined;
}

/** One process that runs the operations of one plugin, one after the other. */
export class PluginProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #end: string | undefined;
  #isKilled = false;
  #tail = '';
  #receive: ((message: FromPlugin) => void) | undefined;
  #onEnd: (() => void) | undefined;

  /** Starts a process; it must be `ready` before it is used. */
  constructor() {
    this.#child = fork(childProgram(), [], {
      detached: true,
      env: baseEnvironment(),
      execArgv: process.execArgv.filter((argument) => !argument.startsWith('--inspect')),
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#ended = new Promise((resolve) => {
      const onEnd = (description: string): void => {
        this.#end ??= description;
        this.#onEnd?.();
        resolve();
      };
      this.#child.once('error', (error) => onEnd(error.message));
      this.#child.once('exit', (code, signal) => {
        onEnd(signal === null ? `exit code ${String(code)}` : `signal ${signal}`);
      });
    });
    this.#child.on('message', (message) => this.#receive?.(message as FromPlugin));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#tail = (this.#tail + text).slice(-tailLength);
      });
    }
  }

  /** Whether it may be used; a process that was killed may still be about to end. */
  get isAlive(): boolean {
    return this.#end === undefined && !this.#isKilled;
  }

  /** Waits until the process takes work. @throws RecoverableError when it does not start */
  async ready(): Promise<void> {
    await this.#converse<void>(undefined, (message, finish) => {
      if (message.type === 'ready') {
        finish();
      }
    });
  }

  /**
   * Runs one operation.
   * @throws RecoverableError when the process ends meanwhile
   * @throws the reason of the session's signal when it was aborted; the process is then dead
   */
  async run(session: OperationSession, call: PluginCall): Promise<OperationOutcome> {
    const { signal } = session;
    signal.throwIfAborted();
    const onAbort = (): void => {
      const { reason } = signal as { reason: unknown };
      const isLate = reason instanceof OperationTimeout;
      this.#send({ type: 'abort', timeoutSeconds: isLate ? reason.seconds : undefined });
      setTimeout(() => this.kill(), isLate ? graceWhenLate : graceWhenKilled).unref();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const request = { context: session.context, inputs: session.inputs };
    try {
      const outcome = await this.#converse<OperationOutcome>({ type: 'run', request, ...call }, (message, finish) => {
        if (message.type === 'done') {
          finish(message.outcome);
        } else {
          this.#serve(session, message);
        }
      });
      return outcome;
    } catch (thrown) {
      signal.throwIfAborted();
      throw thrown;
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (signal.aborted) {
        this.kill();
      }
    }
  }

  /** Renders a template. @throws NonRecoverableError when it is wrong or takes too long */
  async render(text: string, variables: JsonObject, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.kill();
    }, renderLimit);
    const onAbort = (): void => this.kill();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await this.#converse<string>({ type: 'render', text, variables }, (message, finish, fail) => {
        if (message.type === 'rendered') {
          finish(message.text);
        } else if (message.type === 'render-failed') {
          fail(new NonRecoverableError(message.message));
        }
      });
    } catch (thrown) {
      signal.throwIfAborted();
      throw isLate
        ? new NonRecoverableError(`The template could not be rendered within ${renderLimit / 1000} seconds`)
        : thrown;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Kills the process and everything it started. */
  kill(): void {
    this.#isKilled = true;
    if (this.#end === undefined && this.#child.pid !== undefined) {
      try {
        process.kill(-this.#child.pid, 'SIGKILL');
      } catch {
        this.#child.kill('SIGKILL');
      }
    }
  }

  /** Kills the process and waits for its end. */
  async stop(): Promise<void> {
    this.kill();
    await this.#ended;
  }

  /** Sends a message and takes what comes back until one of it is the answer, or the process ends. */
  #converse<Answer>(
    message: ToPlugin | undefined,
    receive: (message: FromPlugin, finish: (answer: Answer) => void, fail: (error: Error) => void) => void,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const crash = (): void => reject(this.#crashError());
      if (!this.isAlive) {
        crash();
        return;
      }
      this.#onEnd = crash;
      this.#receive = (answer) => receive(answer, resolve, reject);
      if (message !== undefined) {
        this.#send(message);
      }
    }).finally(() => {
      this.#onEnd = undefined;
      this.#receive = undefined;
    });
  }

  #send(message: ToPlugin): void {
    if (this.#child.connected) {
      // a failure to send means that the process has ended, which is noticed by its exit
      this.#child.send(message, () => undefined);
    }
  }

  #crashError(): RecoverableError {
    const tail = this.#tail.trim();
    return new RecoverableError(
      `The process of the plugin ended in the middle of the operation (${this.#end ?? 'unknown reason'})` +
        (tail === '' ? '' : `: ${tail}`),
    );
  }

  /** Does what the plugin asked for, with the authority of its operation. */
  #serve(session: OperationSession, message: FromPlugin): void {
    switch (message.type) {
      case 'log':
        void session.log(message.entry.level, message.entry.message);
        return;
      case 'event':
        void session.sendEvent(message.message);
        return;
      case 'call':
        this.#answer(session, message).catch((thrown: unknown) => {
          const error = coerceError(thrown);
          const code = error instanceof GantryError ? error.code : undefined;
          this.#send({ type: 'refusal', call: message.call, name: error.name, message: error.message, code });
        });
        return;
      default:
    }
  }

  async #answer(session: OperationSession, message: Extract<FromPlugin, { type: 'call' }>): Promise<void> {
    const method = session.host[message.method].bind(session.host) as (...args: unknown[]) => Promise<unknown>;
    const value = await method(session.context, ...message.args);
    session.secrets.add(secretsIn(message.method, value));
    this.#send({ type: 'answer', call: message.call, value });
  }
}

/** The secrets in an answer of the host; they are masked on this side as well. */
function secretsIn(method: string, value: unknown): readonly string[] {
  if (method === 'getSecret') {
    return [String(value)];
  }
  const secrets: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'secrets') : undefined;
  return Array.isArray(secrets) ? secrets.filter((secret) => typeof secret === 'string') : [];
}

/** The program of the process: the source in development, its bundle in the product. */
function childProgram(): string {
  const source = fileURLToPath(new URL('./child.ts', import.meta.url));
  return existsSync(source) ? source : join(packageRoot(), 'dist', 'plugin-process.js');
}
