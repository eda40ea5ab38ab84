import { PluginProcess } from './plugin-process.ts';

/** Milliseconds after which a process that has nothing to do is ended. */
const idleLimit = 60_000;

interface Waiter {
  resolve(process: PluginProcess): void;
  reject(error: Error): void;
}

/** Warm processes of one plugin: started when needed, kept for a while, never more than a limit. */
export class ProcessPool {
  readonly #limit: number;
  readonly #idle: { process: PluginProcess; timer: NodeJS.Timeout }[] = [];
  readonly #all = new Set<PluginProcess>();
  readonly #waiting: Waiter[] = [];
  #isStopped = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#all.size;
  }

  /**
   * Lends a process to `work` and takes it back; a dead one is replaced when next needed.
   * @throws what `work` throws; the signal's reason when it is aborted while waiting
   */
  async use<Result>(signal: AbortSignal, work: (process: PluginProcess) => Promise<Result>): Promise<Result> {
    const process = await this.#acquire(signal);
    try {
      return await work(process);
    } finally {
      this.#release(process);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const waiter of this.#waiting.splice(0)) {
      waiter.reject(stoppedError());
    }
    for (const { timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
    }
    await Promise.all([...this.#all].map((process) => process.stop()));
  }

  async #acquire(signal: AbortSignal): Promise<PluginProcess> {
    if (this.#isStopped) {
      throw stoppedError();
    }
    const idle = this.#takeIdle();
    if (idle !== undefined) {
      return idle;
    }
    return this.#all.size < this.#limit ? this.#start() : this.#wait(signal);
  }

  #takeIdle(): PluginProcess | undefined {
    for (;;) {
      const entry = this.#idle.pop();
      if (entry === undefined) {
        return undefined;
      }
      clearTimeout(entry.timer);
      if (entry.process.isAlive) {
        return entry.process;
      }
      this.#all.delete(entry.process);
    }
  }

  async #start(): Promise<PluginProcess> {
    const process = new PluginProcess();
    this.#all.add(process);
    try {
      await process.ready();
      return process;
    } catch (thrown) {
      this.#all.delete(process);
      this.#serveNext();
      throw thrown;
    }
  }

  #wait(signal: AbortSignal): Promise<PluginProcess> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (process) => {
          signal.removeEventListener('abort', onAbort);
          resolve(process);
        },
        reject,
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #release(process: PluginProcess): void {
    if (!process.isAlive || this.#isStopped) {
      this.#all.delete(process);
      this.#serveNext();
      return;
    }
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      waiter.resolve(process);
      return;
    }
    const timer = setTimeout(() => {
      const position = this.#idle.findIndex((entry) => entry.process === process);
      this.#idle.splice(position, 1);
      this.#all.delete(process);
      process.kill();
    }, idleLimit);
    timer.unref();
    this.#idle.push({ process, timer });
  }

  /** Starts a process for the next in the queue, in place of one that has died. */
  #serveNext(): void {
    const waiter = this.#isStopped ? undefined : this.#waiting.shift();
    if (waiter !== undefined) {
      this.#start().then(
        (process) => waiter.resolve(process),
        (thrown: unknown) => waiter.reject(thrown as Error),
      );
    }
  }
}

function stoppedError(): Error {
  return new Error('The runtime is stopping');
}
