/**
 * Program of a plugin's process: loads one node plugin and runs its operations, one at a time. It also renders
 * templates. The process that started it talks to it by messages (see protocol.ts) and kills it when it must.
 */
import { coerceError } from '../../domain/errors.ts';
import { NonRecoverableError } from '../sdk.ts';
import { outcomeOf } from '../outcome.ts';
import { OperationSession } from '../session/operation-session.ts';
import { renderTemplate } from '../template/render.ts';
import { OperationTimeout } from '../time-limit.ts';
import type { PluginFunction } from '../types.ts';
import { redirectOutput } from './output.ts';
import { SessionPluginContext } from './plugin-context.ts';
import { interruptedError } from './interrupted.ts';
import { loadPluginFunction } from './plugin-module.ts';
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
// without its parent process this one has nothing to do
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
  const restore = redirectOutput((line) => void session.log('info', line));
  const environment = { ...process.env };
  Object.assign(process.env, message.request.context.execution_env ?? {});
  try {
    return await outcomeOf(session, async () => {
      const { entry, pluginName, request } = message;
      const target = (await loadPluginFunction(entry, pluginName, request.context.task_name)) as PluginFunction;
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
