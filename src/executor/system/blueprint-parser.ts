import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { WorkerOptions } from 'node:worker_threads';
import { packageRoot } from '../../config/package-root.ts';
import type { Plan } from '../../domain/plan.ts';
import type { ImportResolver } from '../../dsl/parse.ts';
import type { ParseRequest, ParserAnswer, ParserRequest, PlainError } from './parse-protocol.ts';
import { toPlainError } from './plain-error.ts';

export interface ParserLimits {
  /** Milliseconds one blueprint may take. */
  readonly time: number;
  /** Megabytes of memory a parsing thread may use. */
  readonly memory: number;
  /** Blueprints parsed at the same time. */
  readonly threads: number;
}

const defaultLimits: ParserLimits = { time: 120_000, memory: 1024, threads: 2 };
/** Milliseconds a thread without work is kept warm. */
const idleTime = 60_000;

/** A blueprint could not be parsed; `plain` says whether that is the fault of the blueprint. */
export class ParseFailure extends Error {
  override readonly name = 'ParseFailure';
  readonly plain: PlainError;

  constructor(plain: PlainError) {
    super(plain.description);
    this.plain = plain;
  }
}

type ParseInput = ParseRequest & { readonly resolver: ImportResolver };

/** Parses blueprints in threads of their own, so that a hostile or huge one affects nothing else. */
export class BlueprintParser {
  readonly #limits: ParserLimits;
  readonly #idle: ParserThread[] = [];
  readonly #queue: (() => void)[] = [];
  #busy = 0;

  constructor(limits: Partial<ParserLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /**
   * Parses a blueprint.
   * @throws ParseFailure when it is wrong, or takes more than the limits allow; AbortError when `signal` is aborted
   */
  async parse(input: ParseInput, signal: AbortSignal): Promise<Plan> {
    await this.#enter();
    const thread = this.#idle.pop() ?? new ParserThread(this.#limits.memory);
    try {
      const plan = await thread.parse(input, this.#limits.time, signal);
      thread.rest(idleTime, () => this.#forget(thread));
      this.#idle.push(thread);
      return plan;
    } catch (thrown) {
      if (thrown instanceof ParseFailure && thread.isUsable) {
        thread.rest(idleTime, () => this.#forget(thread));
        this.#idle.push(thread);
      } else {
        await thread.end();
      }
      throw thrown;
    } finally {
      this.#busy -= 1;
      this.#queue.shift()?.();
    }
  }

  /** Ends idle threads; running ones end with their executions. */
  async stop(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((thread) => thread.end()));
  }

  async #enter(): Promise<void> {
    while (this.#busy >= this.#limits.threads) {
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
    this.#busy += 1;
  }

  #forget(thread: ParserThread): void {
    const position = this.#idle.indexOf(thread);
    if (position >= 0) {
      this.#idle.splice(position, 1);
      void thread.end();
    }
  }
}

class ParserThread {
  readonly #worker: Worker;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;
  #onAnswer: (answer: ParserAnswer) => void = () => undefined;
  #onFailure: (error: Error) => void = () => undefined;

  constructor(memory: number) {
    this.#worker = startThread({ resourceLimits: { maxOldGenerationSizeMb: memory } });
    this.#worker.on('message', (answer: ParserAnswer) => this.#onAnswer(answer));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('The parser ended unexpectedly')));
    this.#worker.unref();
  }

  get isUsable(): boolean {
    return this.#failure === undefined;
  }

  async parse(input: ParseInput, time: number, signal: AbortSignal): Promise<Plan> {
    clearTimeout(this.#timer);
    const { resolver, ...options } = input;
    this.#worker.ref();
    let stopTimer: NodeJS.Timeout | undefined;
    const onAbort = (): void => this.#fail(signal.reason instanceof Error ? signal.reason : new Error('Aborted'));
    try {
      return await new Promise<Plan>((resolve, reject) => {
        this.#onFailure = (error) => reject(signal.aborted ? error : this.#limitFailure(error));
        this.#onAnswer = (answer) => this.#take(answer, resolver, resolve, reject);
        signal.throwIfAborted();
        signal.addEventListener('abort', onAbort);
        stopTimer = setTimeout(() => {
          const seconds = Math.round(time / 1000);
          this.#fail(new Error(`Parsing the blueprint took more than ${seconds} seconds and was stopped`));
        }, time);
        this.#send({ kind: 'parse', options });
      });
    } finally {
      clearTimeout(stopTimer);
      signal.removeEventListener('abort', onAbort);
      this.#worker.unref();
    }
  }

  /** Ends the thread if it is not used for `time` milliseconds. */
  rest(time: number, onEnd: () => void): void {
    this.#timer = setTimeout(onEnd, time);
    this.#timer.unref();
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#failure ??= new Error('The parser was stopped');
    await this.#worker.terminate();
  }

  #limitFailure(error: Error): ParseFailure {
    const isMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    const message = isMemory ? 'Parsing the blueprint needs more memory than is allowed' : error.message;
    return new ParseFailure({ ...toPlainError(error), message, description: message });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#onFailure(error);
  }

  #take(
    answer: ParserAnswer,
    resolver: ImportResolver,
    resolve: (plan: Plan) => void,
    reject: (error: Error) => void,
  ): void {
    switch (answer.kind) {
      case 'plan':
        resolve(answer.plan);
        return;
      case 'failure':
        reject(new ParseFailure(answer.error));
        return;
      case 'ask': {
        const { call, method, argument } = answer;
        resolver[method](argument).then(
          (value) => this.#send({ kind: 'answer', call, value }),
          (error: unknown) => this.#send({ kind: 'refusal', call, error: toPlainError(error) }),
        );
        return;
      }
    }
  }

  #send(request: ParserRequest): void {
    this.#worker.postMessage(request);
  }
}

/** Runs the source in development and tests, where threads have to be taught TypeScript first, its bundle otherwise. */
function startThread(options: WorkerOptions): Worker {
  const source = new URL('./parse-worker.ts', import.meta.url);
  if (!existsSync(source)) {
    return new Worker(join(packageRoot(), 'dist', 'parse-worker.js'), options);
  }
  const program = `import('tsx/esm/api').then(({ register }) => { register(); return import('${source.href}'); });`;
  return new Worker(program, { ...options, eval: true });
}
