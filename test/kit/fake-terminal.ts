import { Writable } from 'node:stream';
import type { Terminal } from '../../src/cli/terminal.ts';

/** A terminal that keeps what is written to it. */
export interface FakeTerminal extends Terminal {
  /** What was written to standard output. */
  output(): string;
  /** What was written to standard error. */
  errors(): string;
}

function collector(): { stream: Writable; text: () => string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer | string, _encoding, done) => {
      chunks.push(chunk.toString());
      done();
    },
  });
  return { stream, text: () => chunks.join('') };
}

/** @param options environment, standard input, and answers to questions for secrets */
export function fakeTerminal(
  options: { environment?: Record<string, string>; input?: string; secret?: string } = {},
): FakeTerminal {
  const stdout = collector();
  const stderr = collector();
  return {
    stdout: stdout.stream,
    stderr: stderr.stream,
    environment: options.environment ?? {},
    isInteractive: false,
    columns: 100,
    readInput: async () => options.input ?? '',
    askSecret: async () => options.secret ?? '',
    output: stdout.text,
    errors: stderr.text,
  };
}
