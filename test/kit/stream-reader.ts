/** Follows `/stream` of a manager and keeps what it told. */
import { readEventStream } from '../../src/client/event-stream.ts';
import type { StreamMemory } from '../../src/client/event-stream.ts';

export interface Told {
  event: string;
  body: Record<string, unknown>;
}

export class StreamReader {
  readonly told: Told[] = [];
  readonly memory: StreamMemory = {};
  readonly response: Response;
  /** Resolves when the stream has ended, however. */
  readonly ended: Promise<void>;
  readonly #abort: AbortController;
  #wake: () => void = () => undefined;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.ended = this.#read().catch(() => undefined);
  }

  /** Opens a stream and waits for its first message. */
  static async open(url: string, headers: Record<string, string>): Promise<StreamReader> {
    const abort = new AbortController();
    const response = await fetch(url, { headers, signal: abort.signal });
    if (response.status !== 200) {
      throw new Error(`${response.status} ${await response.text()}`);
    }
    const reader = new StreamReader(response, abort);
    await reader.until(({ event }) => event === 'ready');
    return reader;
  }

  /** Waits for a message; looks at those that came already, too. */
  async until(matches: (told: Told) => boolean): Promise<Told> {
    for (let read = 0; ;) {
      for (; read < this.told.length; read += 1) {
        const entry = this.told[read];
        if (entry && matches(entry)) {
          return entry;
        }
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Bodies of one kind of message, in their order. */
  bodies(event: string): Record<string, unknown>[] {
    return this.told.filter((entry) => entry.event === event).map(({ body }) => body);
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(): Promise<void> {
    for await (const { event, data } of readEventStream(this.response.body as AsyncIterable<Uint8Array>, this.memory)) {
      this.told.push({ event, body: JSON.parse(data) as Record<string, unknown> });
      this.#wake();
    }
  }
}
