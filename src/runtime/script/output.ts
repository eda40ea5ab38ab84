import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';
import type { SecretFilter } from '../session/secret-filter.ts';

/** Longest line of the log in characters; longer ones are cut. */
const longestLine = 32 * 1024;

/** Characters kept for the error message of a script that fails. */
const tailLength = 8 * 1024;

/**
 * Cuts what a process writes into lines, with secrets masked, and keeps the end of it. Bytes that are not UTF-8 become
 * replacement characters.
 */
export class OutputLines {
  readonly #decoder = new StringDecoder('utf8');
  readonly #secrets: SecretFilter;
  #pending = '';
  #tail = '';

  constructor(secrets: SecretFilter) {
    this.#secrets = secrets;
  }

  /** The last characters of the output. */
  get tail(): string {
    return this.#secrets.apply(this.#tail);
  }

  /** @returns the lines that became complete */
  push(chunk: Uint8Array): string[] {
    return this.#take(this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  }

  /** @returns the last line where it has no end */
  end(): string[] {
    const lines = this.#take(this.#decoder.end());
    if (this.#pending !== '') {
      lines.push(this.#clean(this.#pending));
      this.#pending = '';
    }
    return lines;
  }

  #take(text: string): string[] {
    if (text === '') {
      return [];
    }
    // the tail holds a little more than is shown, so that a secret at its start is still whole and gets masked
    this.#tail = (this.#tail + text).slice(-(tailLength + this.#secrets.longest));
    const parts = (this.#pending + text).split('\n');
    this.#pending = parts.pop() ?? '';
    const lines = parts.flatMap((part) => this.#cut(part));
    while (this.#pending.length > longestLine + this.#secrets.longest) {
      // a secret may go on in what has not arrived yet, so as much as one is long stays behind
      const masked = this.#secrets.apply(this.#pending);
      const end = Math.min(longestLine, Math.max(1, masked.length - this.#secrets.longest));
      lines.push(this.#clean(masked.slice(0, end)));
      this.#pending = masked.slice(end);
    }
    return lines;
  }

  #cut(line: string): string[] {
    const clean = this.#clean(line);
    if (clean.length <= longestLine) {
      return [clean];
    }
    const pieces: string[] = [];
    for (let start = 0; start < clean.length; start += longestLine) {
      pieces.push(clean.slice(start, start + longestLine));
    }
    return pieces;
  }

  #clean(line: string): string {
    return this.#secrets.apply(line.endsWith('\r') ? line.slice(0, -1) : line).replaceAll('\0', '<NUL>');
  }
}

/** Takes a line; a promise holds the writer back until it is settled. */
export type LineSink = (line: string) => void | Promise<void>;

/** Hands everything a stream carries to a sink, line by line, until the stream ends or is destroyed. */
export class OutputPump {
  readonly done: Promise<void>;
  readonly #stream: Readable;
  readonly #lines: OutputLines;
  readonly #sink: LineSink;
  #chunks = 0;
  #isWriting = false;

  constructor(stream: Readable, lines: OutputLines, sink: LineSink) {
    this.#stream = stream;
    this.#lines = lines;
    this.#sink = sink;
    this.done = this.#pump();
    this.done.catch(() => undefined);
  }

  /** Changes whenever something arrived; undefined while there is something to write. */
  get progress(): number | undefined {
    return this.#isWriting || this.#stream.readableLength > 0 ? undefined : this.#chunks;
  }

  async #pump(): Promise<void> {
    try {
      for await (const chunk of this.#stream as AsyncIterable<Buffer>) {
        this.#chunks += 1;
        await this.#write(this.#lines.push(chunk));
      }
    } catch (thrown) {
      if (!this.#stream.destroyed) {
        throw thrown;
      }
    }
    await this.#write(this.#lines.end());
  }

  async #write(batch: readonly string[]): Promise<void> {
    this.#isWriting = true;
    for (const line of batch) {
      const pause = this.#sink(line);
      if (pause !== undefined) {
        await pause;
      }
    }
    this.#isWriting = false;
  }
}
