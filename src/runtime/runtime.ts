import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json } from '../domain/plan.ts';
import { CtxServer } from './ctx/server.ts';
import { failureOf, ReportedFailure } from './failure.ts';
import { interruptedError } from './node/interrupted.ts';
import { SessionPluginContext } from './node/plugin-context.ts';
import type { TemplateRenderer } from './node/plugin-context.ts';
import { ProcessPool } from './node/process-pool.ts';
import { outcomeOf } from './outcome.ts';
import { endOrphans, runtimeFolderName } from './script/orphans.ts';
import { runScript, scriptTaskName } from './script/script-plugin.ts';
import { NonRecoverableError } from './sdk.ts';
import { OperationSession } from './session/operation-session.ts';
import { SecretFilter } from './session/secret-filter.ts';
import { OperationLimit } from './time-limit.ts';
import type {
  InstalledPlugin,
  OperationContext,
  OperationHost,
  OperationOutcome,
  OperationRequest,
  PluginFunction,
  Runtime,
  RuntimeOptions,
} from './types.ts';

/**
 * Makes the runtime of a process.
 * @param options see `RuntimeOptions`
 */
export function makeRuntime(options: RuntimeOptions): Runtime {
  return new OperationRuntime(options);
}

/** Runs operations: built-in functions in this process, scripts and plugins in processes of their own. */
class OperationRuntime implements Runtime {
  readonly #options: RuntimeOptions;
  readonly #folder: string;
  readonly #ctxServer = new CtxServer();
  readonly #pools = new Map<string, ProcessPool>();
  readonly #renderers = new ProcessPool(2);
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  #orphansEnded: Promise<void> | undefined;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    setMaxListeners(0, this.#stopping.signal);
    this.#folder = join(options.temporaryDirectory, runtimeFolderName(randomUUID().slice(0, 8)));
  }

  run(request: OperationRequest, host: OperationHost, signal?: AbortSignal): Promise<OperationOutcome> {
    const running = this.#run(request, host, signal);
    this.#running.add(running);
    return running.finally(() => this.#running.delete(running));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
    await Promise.all([
      this.#ctxServer.stop(),
      this.#renderers.stop(),
      ...[...this.#pools.values()].map((pool) => pool.stop()),
    ]);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #run(request: OperationRequest, host: OperationHost, caller?: AbortSignal): Promise<OperationOutcome> {
    const { context } = request;
    const seconds = context.timeout ?? this.#options.defaultTimeoutSeconds;
    const limit = new OperationLimit(seconds, [caller, this.#stopping.signal]);
    const session = new OperationSession(request, host, limit.signal, {
      temporaryDirectory: this.#folder,
      workDirectory: this.#options.workDirectory,
    });
    try {
      return await outcomeOf(session, () => this.#perform(session));
    } catch (thrown) {
      return { ok: false, error: failureOf(thrown, new SecretFilter()) };
    } finally {
      limit.close();
      await session.close();
    }
  }

  #perform(session: OperationSession): Json | undefined | void | Promise<Json | undefined | void> {
    session.signal.throwIfAborted();
    const { context } = session;
    if (context.task_name === scriptTaskName) {
      return this.#runScript(session);
    }
    const functions = this.#options.builtins.get(context.plugin?.name ?? '');
    if (functions !== undefined) {
      return this.#runBuiltin(session, functions);
    }
    return this.#runInstalled(session);
  }

  async #runScript(session: OperationSession): Promise<Json> {
    this.#orphansEnded ??= endOrphans(this.#options.temporaryDirectory);
    await this.#orphansEnded;
    if (session.context.resume === true) {
      throw interruptedError();
    }
    return runScript(session, {
      ctxServer: this.#ctxServer,
      render: this.#render,
      remotePolicy: { allowedHosts: this.#options.allowedScriptHosts ?? [] },
    });
  }

  #runBuiltin(session: OperationSession, functions: ReadonlyMap<string, PluginFunction>): ReturnType<PluginFunction> {
    const { context } = session;
    const target = functions.get(context.task_name);
    if (target === undefined) {
      throw new NonRecoverableError(
        `Plugin '${context.plugin?.name ?? ''}' has no function '${context.task_name}'; ` +
          `it has ${[...functions.keys()].join(', ')}`,
      );
    }
    const result = target(new SessionPluginContext(session, this.#render));
    return result instanceof Promise ? untilAborted(result, session.signal) : result;
  }

  async #runInstalled(session: OperationSession): Promise<Json> {
    const { context } = session;
    const plugin = await this.#options.finder?.find(context, session.signal);
    if (plugin === undefined) {
      throw new NonRecoverableError(missingPluginText(context));
    }
    if (plugin.kind === 'python') {
      const runner = this.#options.pythonRunner;
      if (runner === undefined) {
        throw new NonRecoverableError(pythonText(plugin));
      }
      return runner(session.context, session.inputs, plugin, session.signal);
    }
    return this.#runNode(session, plugin);
  }

  async #runNode(session: OperationSession, plugin: InstalledPlugin): Promise<Json> {
    const { entry } = plugin;
    if (entry === undefined) {
      throw new NonRecoverableError(`Plugin '${plugin.name}' in ${plugin.directory} names no module to load`);
    }
    const call = {
      entry,
      pluginName: plugin.name,
      temporaryDirectory: await this.#pluginFolder(),
      workDirectory: this.#options.workDirectory,
    };
    const outcome = await this.#poolFor(plugin).use(session.signal, (process) => process.run(session, call));
    if (!outcome.ok) {
      throw new ReportedFailure(outcome.error);
    }
    return outcome.result;
  }

  async #pluginFolder(): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    return this.#folder;
  }

  #poolFor(plugin: InstalledPlugin): ProcessPool {
    // a process has loaded one upload of the plugin and must not run another
    const key = `${plugin.directory} ${plugin.id}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new ProcessPool(this.#options.maxProcessesPerPlugin ?? Math.max(4, availableParallelism() * 2));
      this.#pools.set(key, pool);
    }
    return pool;
  }

  readonly #render: TemplateRenderer = (text, variables, signal) =>
    this.#renderers.use(signal, (process) => process.render(text, variables, signal));
}

/** The result of a function of this process, which cannot be killed: an abort leaves it to itself. */
function untilAborted<Value>(result: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function missingPluginText(context: OperationContext): string {
  const { plugin } = context;
  const name = plugin?.name ?? '';
  const version = plugin?.package_version ? `, version ${plugin.package_version}` : '';
  const packageText = plugin?.package_name ? ` (package ${plugin.package_name}${version})` : '';
  return (
    `Plugin was not installed: '${name}'${packageText} is needed for ${context.task_name}; upload it, or correct ` +
    `the plugin's name in the blueprint`
  );
}

function pythonText(plugin: InstalledPlugin): string {
  return (
    `Plugin '${plugin.name}' is written in Python, and this process has no host for Python plugins. Scripts and ` +
    `plugins written for Node run here; keep operations of Python plugins on a manager that has Python 3 and ` +
    `cloudify-common installed`
  );
}
