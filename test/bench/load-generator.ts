import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import type { RequestKind, Sender } from './load-requests.ts';
import { senderOf } from './load-requests.ts';
import { summarizeLatencies } from './statistics.ts';
import type { LatencySummary } from './statistics.ts';

export interface LoadOptions {
  /** Address without path, and what stands before every path. */
  readonly url: string;
  readonly prefix?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** How many send at a time; each sends its next request when it has the answer to the one before. */
  readonly clients: number;
  readonly seconds: number;
  /** Seconds before that which do not count. */
  readonly warmUp?: number;
  /** Requests per second of all clients; as many as are answered by default. */
  readonly rate?: number;
  /** What is sent in turn; one kind several times has that share. */
  readonly requests: readonly RequestKind[];
}

export interface Failure {
  readonly request: string;
  /** Status and beginning of the body, or why there was no answer. */
  readonly reason: string;
}

export interface LoadResult extends LatencySummary {
  readonly failed: number;
  /** The first ones. */
  readonly failures: readonly Failure[];
  /** Answered requests by method. */
  readonly byMethod: Readonly<Record<string, number>>;
}

const keptFailures = 20;
/** Tells the runs of all generators apart. */
const runName = `${process.pid}-${Date.now().toString(36)}`;
let numbers = 0;

class Run {
  readonly #options: LoadOptions;
  readonly #pool: Pool;
  readonly #latencies: number[] = [];
  readonly #failures: Failure[] = [];
  readonly #byMethod: Record<string, number> = {};
  #failed = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#pool = new Pool(options.url, { connections: options.clients, pipelining: 1, keepAliveTimeout: 60_000 });
  }

  async execute(): Promise<LoadResult> {
    const { clients, seconds, warmUp = 0 } = this.#options;
    const begin = performance.now() + warmUp * 1000;
    await Promise.all(Array.from({ length: clients }, (_, client) => this.#client(client, begin, seconds * 1000)));
    const elapsed = (performance.now() - begin) / 1000;
    await this.#pool.close();
    return {
      ...summarizeLatencies(this.#latencies, elapsed),
      failed: this.#failed,
      failures: this.#failures,
      byMethod: this.#byMethod,
    };
  }

  async #client(client: number, begin: number, milliseconds: number): Promise<void> {
    const { clients, rate, requests } = this.#options;
    const senders = requests.map((request) => senderOf(request, client));
    const first = performance.now();
    for (let turn = 0; ; turn += 1) {
      if (rate !== undefined) {
        const pause = first + ((client + turn * clients) / rate) * 1000 - performance.now();
        await (pause > 1 ? delay(pause) : undefined);
      }
      if (performance.now() - begin >= milliseconds) {
        return;
      }
      // clients begin at different places, so that all kinds are under way at any time
      const sender = senders[(turn + client) % senders.length];
      await (sender && this.#send(sender, begin));
    }
  }

  async #send(sender: Sender, begin: number): Promise<void> {
    const { prefix = '', headers = {} } = this.#options;
    const { method, path, body } = sender.next(`${runName}-${(numbers += 1)}`);
    const started = performance.now();
    try {
      const response = await this.#pool.request({
        method,
        path: `${prefix}${path}`,
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        body: body ?? null,
      });
      const content = Buffer.from(await response.body.arrayBuffer());
      const { statusCode: status } = response;
      sender.answered(status, content);
      if (status >= 400) {
        this.#fail(`${method} ${path}`, `${status} ${content.toString().slice(0, 300)}`);
      } else if (started >= begin) {
        this.#latencies.push(performance.now() - started);
        this.#byMethod[method] = (this.#byMethod[method] ?? 0) + 1;
      }
    } catch (error) {
      sender.answered(0, Buffer.alloc(0));
      this.#fail(`${method} ${path}`, String(error));
    }
  }

  #fail(request: string, reason: string): void {
    this.#failed += 1;
    if (this.#failures.length < keptFailures) {
      this.#failures.push({ request, reason });
    }
  }
}

/** A process of its own that sends requests, so that measuring does not slow down what is measured. */
export class LoadGenerator {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'exit');
  }

  static async start(): Promise<LoadGenerator> {
    const child = fork(fileURLToPath(import.meta.url), ['generate'], { execArgv: ['--import', 'tsx'] });
    await once(child, 'message');
    return new LoadGenerator(child);
  }

  /** Sends requests; one run at a time. @throws Error when the process has ended */
  async run(options: LoadOptions): Promise<LoadResult> {
    const answered = once(this.#child, 'message');
    this.#child.send(options);
    const [result] = (await Promise.race([
      answered,
      this.#ended.then(() => {
        throw new Error('The load generator ended');
      }),
    ])) as [LoadResult];
    return result;
  }

  async stop(): Promise<void> {
    this.#child.disconnect();
    await this.#ended;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'generate') {
  process.on('message', (options: LoadOptions) => {
    new Run(options).execute().then(
      (result) => process.send?.(result),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.send?.('ready');
}
