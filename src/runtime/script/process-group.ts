import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { NonRecoverableError } from '../sdk.ts';
import type { OutputPump } from './output.ts';

/**
 * How long the output may be silent after the process has ended before it is left, in milliseconds. What the process
 * wrote is there at once; a process left running in the background may hold the pipe for ever.
 */
const silenceAfterEnd = 200;

export interface ProcessSpecification {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Milliseconds the group has to end by itself after the signal was aborted. */
  graceOnAbort(): number;
  onStart(pid: number): void;
  /** Starts to read an output. */
  readOutput(stream: Readable, name: 'stdout' | 'stderr'): OutputPump;
}

/**
 * Runs a program in a process group of its own and waits for its end. When the signal is aborted the whole group is
 * asked to end and then killed; when the program ends by itself, whatever it left in the background goes on.
 * @returns the exit code, or the negative number of the signal that ended it
 * @throws NonRecoverableError when it cannot be started
 */
export async function runProcess(specification: ProcessSpecification): Promise<number> {
  const { signal } = specification;
  signal.throwIfAborted();
  const child = await start(specification);
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signalName) => {
      resolve(code ?? -(signalName === null ? 1 : constants.signals[signalName]));
    });
  });
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  const pumps = streams.map((stream) =>
    specification.readOutput(stream, stream === child.stdout ? 'stdout' : 'stderr'),
  );
  specification.onStart(child.pid as number);

  let killed: Promise<void> | undefined;
  const onAbort = (): void => {
    killed = killGroup(child, ended, specification.graceOnAbort());
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const exitCode = await ended;
    await killed;
    await readToSilence(pumps);
    return exitCode;
  } finally {
    signal.removeEventListener('abort', onAbort);
    for (const stream of streams) {
      stream.destroy();
    }
    await Promise.all(pumps.map((pump) => pump.done));
  }
}

/** Waits for the end of all outputs, or until none of them brings anything any more. */
async function readToSilence(pumps: readonly OutputPump[]): Promise<void> {
  let isDone = false;
  const done = Promise.all(pumps.map((pump) => pump.done)).then(() => {
    isDone = true;
  });
  for (;;) {
    const before = pumps.map((pump) => pump.progress);
    await settleWithin(done, silenceAfterEnd);
    if (isDone || pumps.every((pump, index) => pump.progress !== undefined && pump.progress === before[index])) {
      return;
    }
  }
}

async function start(specification: ProcessSpecification): Promise<ChildProcess> {
  const { file, args, cwd, env } = specification;
  let child: ChildProcess;
  try {
    child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (thrown) {
    throw describeStartFailure(thrown as NodeJS.ErrnoException, specification);
  }
  if (child.pid === undefined) {
    const failure = await new Promise<NodeJS.ErrnoException>((resolve) => child.once('error', resolve));
    throw describeStartFailure(failure, specification);
  }
  child.on('error', () => undefined);
  return child;
}

function describeStartFailure(failure: NodeJS.ErrnoException, specification: ProcessSpecification): Error {
  const { file, cwd, env } = specification;
  if (failure.code === 'ENOENT' && !existsSync(cwd)) {
    return new NonRecoverableError(`The working directory ${cwd} does not exist`);
  }
  if (failure.code === 'E2BIG') {
    const [name, value] = Object.entries(env).reduce((left, right) =>
      right[1].length > left[1].length ? right : left,
    );
    return new NonRecoverableError(
      `The environment of the script is too large for the system; its largest variable is ${name} with ` +
        `${value.length} characters. Read large inputs from node properties or a file instead`,
    );
  }
  if (failure.code === 'ENOENT') {
    return new NonRecoverableError(
      `${file} could not be started: its interpreter (first line) or the program itself does not exist`,
    );
  }
  return new NonRecoverableError(`${file} could not be started: ${failure.message}`);
}

/** Asks a group to end, then kills what is left of it. */
async function killGroup(child: ChildProcess, ended: Promise<unknown>, grace: number): Promise<void> {
  signalGroup(child, 'SIGTERM');
  await settleWithin(ended, grace);
  signalGroup(child, 'SIGKILL');
  await ended;
}

function signalGroup(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid as number), name);
  } catch {
    // the group has ended already
  }
}

async function settleWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise.then(undefined, () => undefined), timeout]);
  clearTimeout(timer);
}
