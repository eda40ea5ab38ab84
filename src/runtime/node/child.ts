/**
 * Program of a plugin's process: loads one node plugin and runs its operations, one at a time. It also renders
 * templates. The process that started it talks to it by messages (see protocol.ts) and kills it when it must.
 */
import { pathToFileURL } from 'node:url';
import { coerceError } from '../../domain/errors.ts';
import { NonRecoverableError } from '../sdk.ts';
import { outcomeOf } from '../outcome.ts';
import { OperationSession } from '../session/operation-session.ts';
import { renderTemplate } from '../template/render.ts';
import { OperationTimeout } from '../time-limit.ts';
import type { PluginFunction } from '../types.ts';
import { SessionPluginContext } from './plugin-context.ts';
import { interruptedError } from './interrupted.ts';
import type { FromPlugin, ToPlugin } from './protocol.ts';
import { RemoteHost } from './remote-host.ts';

interface Running {
  readonly session: OperationSession;
  readonly remote: RemoteHost;
  readonly controller: AbortController;
}

let running: Running | undefined;

function send(message: FromPlugin): void {
  process.send?.(message);
}

process.on('message', (message: ToPlugin) => {
  receive(message).catch((thrown: unknown) => {
    process.stderr.write(`${coerceError(thrown).stack ?? ''}\n`);
    process.exit(1);
  });
});
process.on('unhandledRejection', (reason) => {
  const error = coerceError(reason);
  const text = `A promise of the plugin was rejected and nobody handled it: ${error.stack ?? error.message}`;
  if (running === undefined) {
    process.stderr.write(`${text}\n`);
  } else {
    void running.session.log('error', text);
  }
});
// without the process that started it there is nobody to answer
process.on('disconnect', () => process.exit(0));
send({ type: 'ready' });

async function receive(message: ToPlugin): Promise<void> {
  switch (message.type) {
    case 'run':
      send({ type: 'done', outcome: await run(message) });
      return;
    case 'render':
      render(message);
      return;
    case 'abort':
      running?.controller.abort(
        message.timeoutSeconds === undefined ? undefined : new OperationTimeout(message.timeoutSeconds),
      );
      return;
    default:
      running?.remote.receive(message);
  }
}

function render(message: Extract<ToPlugin, { type: 'render' }>): void {
  try {
    send({ type: 'rendered', text: renderTemplate(message.text, message.variables) });
  } catch (thrown) {
    send({ type: 'render-failed', message: coerceError(thrown).message });
  }
}

async function run(message: Extract<ToPlugin, { type: 'run' }>): ReturnType<typeof outcomeOf> {
  const remote = new RemoteHost(send);
  const controller = new AbortController();
  const session = new OperationSession(message.request, remote.host(), controller.signal, {
    temporaryDirectory: message.temporaryDirectory,
    workDirectory: message.workDirectory,
  });
  running = { session, remote, controller };
  const restore = redirectOutput(session);
  const environment = { ...process.env };
  Object.assign(process.env, message.request.context.execution_env ?? {});
  try {
    return await outcomeOf(session, async () => {
      const target = await loadFunction(message.entry, message.pluginName, message.request.context.task_name);
      if (message.request.context.resume === true && Reflect.get(target, 'resumable') !== true) {
        throw interruptedError();
      }
      const render = async (text: string, variables: Parameters<typeof renderTemplate>[1]): Promise<string> =>
        renderTemplate(text, variables);
      const result = await target(new SessionPluginContext(session, render));
      return result === undefined ? null : checkedResult(result);
    });
  } finally {
    process.env = environment;
    restore();
    await session.close();
    running = undefined;
  }
}

/** A result must survive its way as JSON. */
function checkedResult(result: unknown): ReturnType<PluginFunction> {
  try {
    return JSON.parse(JSON.stringify(result) ?? 'null') as ReturnType<PluginFunction>;
  } catch (thrown) {
    throw new NonRecoverableError(`The result is not JSON: ${coerceError(thrown).message}`);
  }
}

/**
 * The function of a task name such as `tasks.start`: an export of that name, or a member of an export.
 * @throws NonRecoverableError when the module cannot be loaded or has no such function
 */
async function loadFunction(entry: string, pluginName: string, taskName: string): Promise<PluginFunction> {
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(entry).href)) as Record<string, unknown>;
  } catch (thrown) {
    const error = coerceError(thrown);
    throw new NonRecoverableError(`Plugin '${pluginName}' cannot be loaded from ${entry}: ${error.message}`, {
      cause: error,
    });
  }
  const found = member(module, taskName) ?? member(module['default'], taskName);
  if (typeof found !== 'function') {
    throw new NonRecoverableError(`Plugin '${pluginName}' has no function '${taskName}' in ${entry}`);
  }
  return found as PluginFunction;
}

function member(container: unknown, name: string): unknown {
  if (typeof container !== 'object' || container === null) {
    return undefined;
  }
  if (Object.hasOwn(container, name)) {
    return Reflect.get(container, name);
  }
  const dot = name.indexOf('.');
  if (dot < 0) {
    return undefined;
  }
  const first = name.slice(0, dot);
  return Object.hasOwn(container, first) ? member(Reflect.get(container, first), name.slice(dot + 1)) : undefined;
}

/** Sends what the plugin prints to the log of its operation, in the order of everything else. */
function redirectOutput(session: OperationSession): () => void {
  const restores = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name];
    const original = stream.write.bind(stream);
    let pending = '';
    const flush = (text: string): void => {
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) {
        void session.log('info', `${name === 'stdout' ? '<out>' : '<err>'} ${line}`);
      }
    };
    stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      flush(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8'));
      const done = rest.at(-1);
      if (typeof done === 'function') {
        (done as () => void)();
      }
      return true;
    };
    return () => {
      if (pending !== '') {
        flush('\n');
      }
      stream.write = original;
    };
  });
  return () => restores.forEach((restore) => restore());
}
