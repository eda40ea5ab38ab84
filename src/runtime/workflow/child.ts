/**
 * Program of the process of one workflow of a plugin: loads the function and calls it once. Everything that counts is
 * asked of the executor that started it (see protocol.ts), which kills it when it must.
 */
import { randomUUID } from 'node:crypto';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { coerceError } from '../../domain/errors.ts';
import type { Json } from '../../domain/plan.ts';
import { loadPluginFunction } from '../node/plugin-module.ts';
import { redirectOutput } from '../node/output.ts';
import type { Workflow } from '../workflow-sdk.ts';
import { PluginWorkflowContext } from './child-context.ts';
import type { ExecutorLink } from './child-context.ts';
import type { FromWorkflow, ToWorkflow, WorkflowModule } from './protocol.ts';

/** An error that the executor answered with; a function that lets it pass fails as the engine says. */
class EngineError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

const controller = new AbortController();
const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
let calls = 0;
let fail: (error: Error) => void = () => undefined;

function send(message: FromWorkflow): void {
  process.send?.(message);
}

const link: ExecutorLink = {
  call: (name, ...args) => {
    calls += 1;
    const call = calls;
    const answer = new Promise<unknown>((resolve, reject) => pending.set(call, { resolve, reject }));
    send({ type: 'call', call, name, args });
    return answer as Promise<never>;
  },
  log: (level, message) => send({ type: 'log', level, message }),
  event: (message) => send({ type: 'event', message }),
  newId: randomUUID,
};

process.on('message', (message: ToWorkflow) => receive(message));
process.on('unhandledRejection', (reason) => fail(coerceError(reason)));
process.on('uncaughtException', (error) => fail(coerceError(error)));
// without the executor this process has nothing to do; another executor starts the function again
process.on('disconnect', () => process.exit(0));
endWithParent();
send({ type: 'ready' });

function receive(message: ToWorkflow): void {
  switch (message.type) {
    case 'run':
      void run(message);
      return;
    case 'abort':
      send({ type: 'aborting' });
      controller.abort();
      return;
    case 'answer':
      settle(message.call)?.resolve(message.value);
      return;
    case 'refusal':
      settle(message.call)?.reject(new EngineError(message.name, message.message));
      return;
  }
}

function settle(call: number): { resolve(value: unknown): void; reject(error: Error): void } | undefined {
  const waiting = pending.get(call);
  pending.delete(call);
  return waiting;
}

async function run(message: Extract<ToWorkflow, { type: 'run' }>): Promise<void> {
  const restore = redirectOutput((line) => send({ type: 'log', level: 'info', message: line }));
  const { module } = message;
  const failing = new Promise<never>((_, reject) => (fail = reject));
  let answer: FromWorkflow;
  try {
    answer = { type: 'done', result: await Promise.race([callFunction(message), failing]) };
  } catch (thrown) {
    const error = coerceError(thrown);
    const place = placeIn(module, error);
    answer = {
      type: 'failed',
      name: error.name,
      message: error.message,
      place,
      isEngines: error instanceof EngineError,
    };
  }
  restore();
  send(answer);
}

async function callFunction(message: Extract<ToWorkflow, { type: 'run' }>): Promise<Json> {
  const { entry, pluginName, functionName } = message.module;
  const target = (await loadPluginFunction(entry, pluginName, functionName)) as Workflow;
  if (message.mustBeResumable && target.resumable !== true) {
    throw new EngineError('WorkflowRefused', `Cannot resume - workflow not resumable: ${message.execution.workflowId}`);
  }
  const context = new PluginWorkflowContext(message, link, controller.signal);
  send({ type: 'called' });
  const result = await target(context);
  if (context.running !== undefined) {
    throw new Error(`The function ended while graph '${context.running}' was running: await it`);
  }
  return result === undefined ? null : (JSON.parse(JSON.stringify(result) ?? 'null') as Json);
}

/** Where in the plugin an error (or what led to it) comes from: the first line of its stack that names a plugin's file. */
function placeIn(module: WorkflowModule, error: Error): string | undefined {
  for (const line of (error.stack ?? '').split('\n')) {
    const [, file = '', row = '', column] = /((?:file:\/\/)?\/[^():]+):(\d+)(?::(\d+))?\)?$/.exec(line) ?? [];
    const path = file.startsWith('file:') ? fileURLToPath(file.split('?')[0] ?? file) : file;
    if (path.startsWith(module.directory) && !path.includes('/node_modules/')) {
      return [relative(module.directory, path), row, ...(column === undefined ? [] : [column])].join(':');
    }
  }
  return error.cause instanceof Error ? placeIn(module, error.cause) : undefined;
}

/** Ends this process with the executor even while the function never lets its event loop turn. */
function endWithParent(): void {
  const source = `
    const { workerData } = require('node:worker_threads');
    setInterval(() => { if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL'); }, 1000);`;
  new Worker(source, { eval: true, workerData: process.ppid, execArgv: [] }).unref();
}
