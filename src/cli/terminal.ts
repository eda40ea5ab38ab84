import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { UsageError } from './errors.ts';

/** What a command may touch of the process it runs in; tests hand in their own. */
export interface Terminal {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether a person watches standard error, so that progress may be drawn. */
  readonly isInteractive: boolean;
  /** Columns to write help and progress in. */
  readonly columns: number;
  /** Columns of standard output when it is a screen; files and pipes take lines of any length. */
  readonly screenColumns: number | undefined;
  /** Reads standard input to its end. */
  readInput(): Promise<string>;
  /** Asks for a line that is not echoed. */
  askSecret(question: string): Promise<string>;
  /** Shows a page to the person, where there is a browser; nothing fails where there is none. */
  openBrowser(url: string): void;
}

/** The terminal of the real process. */
export function processTerminal(): Terminal {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    isInteractive: process.stderr.isTTY === true && process.env['CI'] === undefined,
    columns: process.stdout.columns ?? process.stderr.columns ?? 120,
    screenColumns: process.stdout.isTTY === true ? process.stdout.columns : undefined,
    readInput: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) {
        chunks.push(chunk as Buffer);
      }
      return Buffer.concat(chunks).toString('utf8');
    },
    askSecret,
    openBrowser,
  };
}

/** What opens a page on this kind of machine; undefined where there is no screen to open it on. */
function browserCommand(url: string): readonly [string, ...string[]] | undefined {
  if (process.platform === 'win32') {
    return ['rundll32', 'url.dll,FileProtocolHandler', url];
  }
  if (process.platform === 'darwin') {
    return ['open', url];
  }
  const hasScreen = ['DISPLAY', 'WAYLAND_DISPLAY'].some((name) => process.env[name] !== undefined);
  return hasScreen ? ['xdg-open', url] : undefined;
}

function openBrowser(url: string): void {
  const [program, ...words] = browserCommand(url) ?? [];
  if (program !== undefined) {
    const child = spawn(program, words, { stdio: 'ignore', detached: true });
    // the address is written, too
    child.on('error', () => undefined);
    child.unref();
  }
}

async function askSecret(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const { Writable: Sink } = await import('node:stream');
  const silent = new Sink({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: process.stdin.isTTY === true });
  process.stderr.write(question);
  const ended = new Promise<never>((_resolve, reject) => {
    reader.once('close', () => reject(new UsageError('No answer: standard input has ended', 'Give it in a file.')));
  });
  try {
    return await Promise.race([reader.question(''), ended]);
  } finally {
    ended.catch(() => undefined);
    reader.close();
    process.stderr.write('\n');
  }
}
