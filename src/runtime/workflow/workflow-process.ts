import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../config/package-root.ts';
import { coerceError } from '../../domain/errors.ts';
import type { LogLevel, WorkflowContext } from '../../workflows/context.ts';
import { ExecutionCancelled, WorkflowFailed, WorkflowRefused } from '../../workflows/errors.ts';
import { baseEnvironment } from '../script/environment.ts';
import type { FromWorkflow, ToWorkflow, WorkflowModule } from './protocol.ts';
import { ServedContext } from './served-context.ts';

export interface WorkflowProcessOptions {
  readonly module: WorkflowModule;
  /** Whether the execution is resumed on request, which the function must allow. */
  readonly mustBeResumable: boolean;
  /** Ends the process at once, whatever it does. */
  readonly stop: AbortSignal;
  /** Milliseconds in which the process must answer once it is cancelled, again and again; default 5000. */
  readonly aliveLimit?: number;
}

/** Megabytes the function and its copy of the topology may take. */
const memoryLimit = 1024;
const defaultAliveLimit = 5000;
/** Characters of the last output that explain a crash. */
const tailLength = 4096;
const levels: readonly LogLevel[] = ['debug', 'info', 'warning', 'error'];

/**
 * Runs a workflow function of a plugin against a context, in a process of its own: what the function does to its
 * process, it does to nobody else.
 *
 * A cancellation is told to the function; one that does not let its event loop turn any more is killed.
 *
 * @throws WorkflowFailed with the place in the plugin when the function throws, or its process ends; what the context
 *   threw when the function lets that pass; the reason of `stop`
 */
export async function runPluginWorkflow(context: WorkflowContext, options: WorkflowProcessOptions): Promise<void> {
  options.stop.throwIfAborted();
  const conversation = new Conversation(context, options);
  await conversation.run();
}

/** The life of the process of one workflow. */
class Conversation {
  readonly #context: WorkflowContext;
  readonly #options: WorkflowProcessOptions;
  readonly #served: ServedContext;
  readonly #child: ChildProcess;
  readonly #thrown = new Map<string, Error>();
  #isCalled = false;
  #isAlive = true;
  #tail = '';

  constructor(context: WorkflowContext, options: WorkflowProcessOptions) {
    this.#context = context;
    this.#options = options;
    this.#served = new ServedContext(context);
    this.#child = fork(childProgram(), [], {
      detached: true,
      env: baseEnvironment(),
      execArgv: [
        ...process.execArgv.filter((argument) => !argument.startsWith('--inspect')),
        `--max-old-space-size=${memoryLimit}`,
      ],
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#tail = (this.#tail + text).slice(-tailLength);
      });
    }
  }

  async run(): Promise<void> {
    const { stop } = this.#options;
    const { signal } = this.#context;
    const onStop = (): void => this.#kill();
    const onAbort = (): void => this.#abort();
    stop.addEventListener('abort', onStop, { once: true });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) {
      this.#kill();
    }
    try {
      await new Promise<void>((resolve, reject) => {
        this.#child.once('error', reject);
        // not `exit`: what it has said last is read before `close`
        this.#child.once('close', (code, killedBy) => reject(this.#endError(code, killedBy)));
        this.#child.on('message', (message) => this.#receive(message as FromWorkflow, resolve, reject));
      });
    } finally {
      stop.removeEventListener('abort', onStop);
      signal.removeEventListener('abort', onAbort);
      this.#kill();
    }
  }

  #receive(message: FromWorkflow, resolve: () => void, reject: (error: Error) => void): void {
    switch (message.type) {
      case 'ready':
        this.#begin();
        return;
      case 'called':
        this.#isCalled = true;
        return;
      case 'aborting':
        this.#isAlive = true;
        return;
      case 'call':
        void this.#answer(message);
        return;
      case 'log':
        this.#context.log(levels.find((level) => level === message.level) ?? 'info', String(message.message));
        return;
      case 'event':
        this.#context.sendEvent('workflow_stage', String(message.message));
        return;
      case 'done':
        resolve();
        return;
      case 'failed':
        reject(this.#failure(message));
        return;
    }
  }

  #begin(): void {
    const { execution, parameters, config, topology } = this.#context;
    const { module, mustBeResumable } = this.#options;
    this.#send({ type: 'run', module, execution, parameters, config, topology, mustBeResumable });
  }

  async #answer({ call, name, args }: Extract<FromWorkflow, { type: 'call' }>): Promise<void> {
    try {
      this.#send({ type: 'answer', call, value: await this.#served.answer(name, args) });
    } catch (thrown) {
      const error = coerceError(thrown);
      this.#thrown.set(error.message, error);
      this.#send({ type: 'refusal', call, name: error.name, message: error.message });
    }
  }

  /** The error of the execution: the engine's own where the function let it pass, else one that names the place. */
  #failure({ name, message, place, isEngines }: Extract<FromWorkflow, { type: 'failed' }>): Error {
    const own = isEngines ? this.#thrown.get(message) : undefined;
    if (own) {
      return own;
    }
    if (name === 'WorkflowRefused' && place === undefined) {
      return new WorkflowRefused(message);
    }
    const { functionName, pluginName } = this.#options.module;
    const at = place === undefined ? '' : ` at ${place}`;
    return new WorkflowFailed(
      `Workflow function '${functionName}' of plugin '${pluginName}' failed${at}: ${name}: ${message}`,
    );
  }

  #endError(code: number | null, killedBy: NodeJS.Signals | null): Error {
    const { stop, module } = this.#options;
    if (stop.aborted) {
      return coerceError(stop.reason);
    }
    if (this.#context.signal.aborted) {
      return new ExecutionCancelled();
    }
    const end = killedBy === null ? `exit code ${String(code)}` : `signal ${killedBy}`;
    const tail = this.#tail.trim();
    return new WorkflowFailed(
      `The process of workflow function '${module.functionName}' of plugin '${module.pluginName}' ended in the middle ` +
        `(${end})${tail === '' ? '' : `: ${tail}`}`,
    );
  }

  /** Tells the function that the execution is cancelled; a process that cannot hear it, or has not begun, is killed. */
  #abort(): void {
    if (!this.#isCalled) {
      this.#kill();
      return;
    }
    this.#askForLife();
    const timer = setInterval(() => {
      if (this.#isAlive) {
        this.#askForLife();
      } else {
        this.#kill();
      }
    }, this.#options.aliveLimit ?? defaultAliveLimit);
    this.#child.once('exit', () => clearInterval(timer));
  }

  #askForLife(): void {
    this.#isAlive = false;
    this.#send({ type: 'abort' });
  }

  #kill(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      try {
        process.kill(-this.#child.pid, 'SIGKILL');
      } catch {
        this.#child.kill('SIGKILL');
      }
    }
  }

  #send(message: ToWorkflow): void {
    if (this.#child.connected) {
      // a failure to send means that the process has ended, which is noticed by its end
      this.#child.send(message, () => undefined);
    }
  }
}

/** The program of the process: the source in development, its bundle in the product. */
function childProgram(): string {
  const source = fileURLToPath(new URL('./child.ts', import.meta.url));
  return existsSync(source) ? source : join(packageRoot(), 'dist', 'workflow-process.js');
}
