import { mkdir } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { resourcePath } from '../../config/package-root.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import type { RemotePolicy } from '../../files/remote.ts';
import type { CtxServer, ScriptFailureReport } from '../ctx/server.ts';
import { ctxTree } from '../ctx/tree.ts';
import { retryOutcome } from '../failure.ts';
import type { TemplateRenderer } from '../node/plugin-context.ts';
import { NonRecoverableError, RecoverableError } from '../sdk.ts';
import type { OperationSession } from '../session/operation-session.ts';
import { OperationTimeout } from '../time-limit.ts';
import { scriptEnvironment } from './environment.ts';
import { recordProcess } from './orphans.ts';
import { OutputLines, OutputPump } from './output.ts';
import { runProcess } from './process-group.ts';
import { processOptions } from './process-options.ts';
import type { ProcessOptions } from './process-options.ts';
import { fetchScript } from './source.ts';
import type { ScriptFile } from './source.ts';

/** Operation of the script plugin in plans and messages. */
export const scriptTaskName = 'script_runner.tasks.run';

/** Milliseconds a script has to end by itself: when it is killed, and when its time is over. */
const graceWhenKilled = 500;
const graceWhenLate = 5000;

/** Characters of output that one script may write to the log; the rest is dropped with a note. */
const largestLog = 32 * 1024 * 1024;

/** Inputs that say how to run the script; all others are for the script itself. */
const ownInputs = ['script_path', 'script_source', 'process', 'ssl_cert_content', 'ctx'];

/** Scripts that the Node of this process runs, wherever the machine has one. */
const nodeExtensions = ['.js', '.cjs', '.mjs'];

export interface ScriptPluginOptions {
  readonly ctxServer: CtxServer;
  readonly render: TemplateRenderer;
  /** From where scripts may be fetched by URL. */
  readonly remotePolicy: RemotePolicy;
}

/** A script that ended with an exit code other than 0. */
class ProcessFailure extends RecoverableError {
  override readonly name = 'ProcessException';
}

interface ScriptRun {
  readonly session: OperationSession;
  readonly options: ProcessOptions;
  readonly script: ScriptFile;
  readonly command: ScriptCommand;
  failure: ScriptFailureReport | undefined;
}

interface ScriptCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** For people. */
  readonly description: string;
}

/**
 * Runs the script of an operation as a process and says what it means.
 * Compatibility: `script_runner.tasks.run` of Cloudify's script plugin. Python scripts that Cloudify evaluates inside
 * its own process run in a Python of their own here.
 * @returns what the script gave to `ctx returns`, null when it gave nothing
 * @throws NonRecoverableError, RecoverableError, OperationRetry
 */
export async function runScript(session: OperationSession, plugin: ScriptPluginOptions): Promise<Json> {
  const inputs = session.inputs;
  const options = processOptions(inputs['process']);
  const script = await fetchScript(session, inputs, plugin.remotePolicy);
  const command = commandFor(script, options);
  const run: ScriptRun = { session, options, script, command, failure: undefined };
  const scriptInputs = Object.fromEntries(Object.entries(inputs).filter(([name]) => !ownInputs.includes(name)));
  const route = options.hasCtx
    ? await plugin.ctxServer.open({
        tree: ctxTree(session, plugin.render),
        inputs: scriptInputs,
        onFailure: (report) => {
          run.failure ??= report;
        },
      })
    : undefined;
  try {
    return await execute(run, scriptInputs, route?.url);
  } finally {
    route?.close();
  }
}

async function execute(run: ScriptRun, inputs: JsonObject, ctxUrl: string | undefined): Promise<Json> {
  const { session, options, command } = run;
  const folder = await session.folder();
  const env = scriptEnvironment({
    inputs,
    extra: options.env,
    executionEnvironment: session.context.execution_env ?? {},
    ctxUrl,
    temporaryDirectory: folder,
  });
  const output = new OutputLines(session.secrets);
  const errors = options.isErrorJoined ? output : new OutputLines(session.secrets);
  const log = makeLog(session);
  const exitCode = await runProcess({
    file: command.file,
    args: command.args,
    cwd: await workingDirectory(session, options),
    env,
    signal: session.signal,
    graceOnAbort: () => (session.signal.reason instanceof OperationTimeout ? graceWhenLate : graceWhenKilled),
    onStart: (pid) => {
      recordProcess(folder, pid);
      void session.log('debug', `Process created, PID: ${pid}`);
    },
    readOutput: (stream, name) => {
      const isError = name === 'stderr' && !options.isErrorJoined;
      const isLogged = isError ? options.isErrorLogged : options.isOutputLogged;
      const lines = new OutputLines(session.secrets);
      return new OutputPump(stream, isError ? errors : name === 'stderr' ? lines : output, (line) =>
        isLogged ? log(isError ? `<err> ${line}` : `<out> ${line}`) : undefined,
      );
    },
  });
  void session.log('debug', `Execution done (return_code=${exitCode}): ${command.description}`);
  session.signal.throwIfAborted();
  return resultOf(run, exitCode, output.tail, options.isErrorJoined ? undefined : errors.tail);
}

/** Writes lines to the log until the script has written too much. */
function makeLog(session: OperationSession): (line: string) => void | Promise<void> {
  let written = 0;
  return (line) => {
    const wasOver = written > largestLog;
    written += line.length;
    if (written <= largestLog) {
      return session.log('info', line);
    }
    return wasOver
      ? undefined
      : session.log('warning', `The script wrote more than ${largestLog} characters: the rest is not logged`);
  };
}

/** What the end of a script means. */
function resultOf(run: ScriptRun, exitCode: number, stdout: string, stderr: string | undefined): Json {
  const { session, failure } = run;
  const verdict = session.verdict;
  if (verdict?.kind === 'contradiction') {
    throw new NonRecoverableError('ctx may only abort or return once');
  }
  if (verdict?.kind === 'aborted') {
    throw new NonRecoverableError(verdict.message);
  }
  if (verdict?.kind === 'retry') {
    throw retryOutcome(verdict.message, verdict.retryAfter);
  }
  if (failure !== undefined) {
    throw raisedByScript(failure);
  }
  if (exitCode !== 0) {
    const command = `command: ${run.command.description}, exit_code: ${exitCode}`;
    throw new ProcessFailure(`${command}, stdout: ${stdout}, stderr: ${stderr ?? 'None'}`);
  }
  return verdict?.kind === 'returned' ? verdict.value : null;
}

/** The error of an exception that ended an evaluated Python script. */
function raisedByScript(report: ScriptFailureReport): Error {
  const options = report.retryAfter === undefined ? {} : { retryAfter: report.retryAfter };
  const error =
    report.kind === 'NonRecoverableError'
      ? new NonRecoverableError(report.message)
      : report.kind === 'OperationRetry'
        ? retryOutcome(report.message, report.retryAfter)
        : new RecoverableError(report.message, options);
  if (report.kind !== 'OperationRetry') {
    error.stack = report.traceback;
    Object.defineProperty(error, 'name', { value: report.type });
  }
  return error;
}

async function workingDirectory(session: OperationSession, options: ProcessOptions): Promise<string> {
  if (options.cwd !== undefined) {
    return options.cwd;
  }
  const directory = session.workDirectory;
  if (directory === undefined) {
    return session.folder();
  }
  await mkdir(directory, { recursive: true });
  return directory;
}

/** How a script is started: by Python, by Node, directly, or by a shell when it has a prefix or arguments. */
function commandFor(script: ScriptFile, options: ProcessOptions): ScriptCommand {
  const extension = extname(script.path).toLowerCase();
  if (options.isEvaluated ?? extension === '.py') {
    const runner = resourcePath('runtime', 'python', 'run_script.py');
    return {
      file: 'python3',
      args: ['-u', runner, script.path],
      description: `python3 ${basename(script.path)}`,
    };
  }
  if (options.commandPrefix === undefined && nodeExtensions.includes(extension) && options.args.length === 0) {
    return { file: process.execPath, args: [script.path], description: `node ${script.path}` };
  }
  const prefix = options.commandPrefix ?? defaultPrefix(extension);
  if (prefix === undefined && options.args.length === 0) {
    return { file: script.path, args: [], description: script.path };
  }
  const description = [...(prefix === undefined ? [] : [prefix]), script.path, ...options.args].join(' ');
  return { file: '/bin/sh', args: ['-c', description], description };
}

function defaultPrefix(extension: string): string | undefined {
  if (nodeExtensions.includes(extension)) {
    return `'${process.execPath}'`;
  }
  return extension === '.ps1' ? 'powershell' : undefined;
}
