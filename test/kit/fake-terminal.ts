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

export interface FakeTerminalOptions {
  environment?: Record<string, string>;
  /** Standard input. */
  input?: string;
  /** Answer to questions for secrets. */
  secret?: string;
  /** The person's browser. */
  browse?: (url: string) => void;
  /** Whether progress may be drawn. */
  isInteractive?: boolean;
  /** Columns of standard output when it is a screen. */
  screenColumns?: number;
}

export function fakeTerminal(options: FakeTerminalOptions = {}): FakeTerminal {
  const stdout = collector();
  const stderr = collector();
  return {
    stdout: stdout.stream,
    stderr: stderr.stream,
    environment: options.environment ?? {},
    isInteractive: options.isInteractive ?? false,
    columns: options.screenColumns ?? 100,
    screenColumns: options.screenColumns,
    readInput: async () => options.input ?? '',
    askSecret: async () => options.secret ?? '',
    openBrowser: (url) => options.browse?.(url),
    output: stdout.text,
    errors: stderr.text,
  };
}
