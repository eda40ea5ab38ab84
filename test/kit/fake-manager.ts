import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

export type FakeAnswer = { status?: number; body?: unknown; headers?: Record<string, string> } | 'hang up';
export type FakeHandler = (request: SeenRequest) => FakeAnswer | undefined;

/** An HTTP server that answers what a test tells it to, and remembers what it was asked. */
export class FakeManager {
  readonly seen: SeenRequest[] = [];
  private readonly server: Server;

  private constructor(handler: FakeHandler) {
    this.server = createServer((request, response) => {
      void this.answer(handler, request, response);
    });
  }

  /** @param handler undefined counts as 404 */
  static async start(handler: FakeHandler): Promise<FakeManager> {
    const manager = new FakeManager(handler);
    manager.server.listen(0, '127.0.0.1');
    await once(manager.server, 'listening');
    return manager;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(handler: FakeHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const url = new URL(request.url ?? '/', 'http://fake');
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks),
    };
    this.seen.push(seen);
    const answer = handler(seen) ?? {
      status: 404,
      body: { error_code: 'not_found_error', message: `${seen.path} was not found`, server_traceback: null },
    };
    if (answer === 'hang up') {
      request.socket.destroy();
      return;
    }
    const body = answer.body === undefined ? '' : JSON.stringify(answer.body);
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
    response.end(body);
  }
}

/** A list answer of the manager. */
export function listAnswer(items: readonly unknown[], total = items.length, offset = 0): FakeAnswer {
  return { body: { items, metadata: { pagination: { total, size: 1000, offset }, filtered: null } } };
}
