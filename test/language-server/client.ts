import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProtocolConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-languageserver/node';
import type { Diagnostic, Position, ProtocolConnection } from 'vscode-languageserver/node';
import { packageRoot } from '../../src/config/package-root.ts';
import { buildOnce, cleanEnvironment } from '../kit/program.ts';

/** An editor that talks to `gantry lsp` over its standard input and output. */
export class EditorClient {
  readonly #child: ChildProcess;
  readonly connection: ProtocolConnection;
  readonly #diagnostics = new Map<string, Diagnostic[]>();
  readonly #waiting = new Set<() => void>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.connection = createProtocolConnection(
      new StreamMessageReader(child.stdout!),
      new StreamMessageWriter(child.stdin!),
    );
    this.connection.onNotification(
      'textDocument/publishDiagnostics',
      ({ uri, diagnostics }: { uri: string; diagnostics: Diagnostic[] }) => {
        this.#diagnostics.set(uri, diagnostics);
        this.#waiting.forEach((look) => look());
      },
    );
    this.connection.listen();
  }

  static async start(): Promise<EditorClient> {
    await buildOnce();
    const child = spawn(process.execPath, [join(packageRoot(), 'dist', 'gantry.js'), 'lsp', '--stdio'], {
      env: cleanEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const client = new EditorClient(child);
    await client.connection.sendRequest('initialize', { processId: process.pid, rootUri: null, capabilities: {} });
    await client.connection.sendNotification('initialized', {});
    return client;
  }

  /** Opens a file with its text on the disk, or another one. */
  async open(uri: string, text?: string): Promise<void> {
    const content = text ?? (await readFile(fileURLToPath(uri), 'utf8'));
    await this.connection.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId: 'yaml', version: 1, text: content },
    });
  }

  /** Replaces the whole text of an open file. */
  async change(uri: string, text: string, version: number): Promise<void> {
    await this.connection.sendNotification('textDocument/didChange', {
      textDocument: { uri, version },
      contentChanges: [{ text }],
    });
  }

  async ask<Answer>(method: string, uri: string, position: Position, more: object = {}): Promise<Answer> {
    return this.connection.sendRequest<Answer>(method, { textDocument: { uri }, position, ...more });
  }

  /** The problems of a file as soon as they are as wanted. */
  async diagnostics(uri: string, isWanted: (found: readonly Diagnostic[]) => boolean): Promise<Diagnostic[]> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.#diagnostics.get(uri);
        if (found && isWanted(found)) {
          this.#waiting.delete(look);
          resolve(found);
        }
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Ends the server as editors do. @returns its exit code */
  async stop(): Promise<number | null> {
    const ended = once(this.#child, 'exit');
    await this.connection.sendRequest('shutdown');
    await this.connection.sendNotification('exit');
    const [code] = (await ended) as [number | null];
    this.connection.dispose();
    return code;
  }
}
