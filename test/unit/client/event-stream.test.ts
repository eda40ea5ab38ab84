import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import { GantryClient } from '../../../src/client/client.ts';
import { readEventStream } from '../../../src/client/event-stream.ts';
import type { StreamMemory } from '../../../src/client/event-stream.ts';
import { followExecution } from '../../../src/client/follow.ts';

async function* inChunks(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function read(text: string, cuts: readonly number[] = []): Promise<{ messages: string[]; memory: StreamMemory }> {
  const bytes = Buffer.from(text);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
  const memory: StreamMemory = {};
  const messages: string[] = [];
  for await (const { event, data } of readEventStream(inChunks(chunks), memory)) {
    messages.push(`${event}=${data}`);
  }
  return { messages, memory };
}

describe('event streams', () => {
  for (const [what, text, messages, lastEventId] of [
    ['a message', 'data: x\n\n', ['message=x'], undefined],
    ['a named message', 'event: a\ndata: x\n\n', ['a=x'], undefined],
    ['several lines of data', 'data: x\ndata:\ndata:y\n\n', ['message=x\n\ny'], undefined],
    ['comments and unknown fields', ': x\nfoo: y\ndata: z\n\n', ['message=z'], undefined],
    ['only the first space of a value', 'data:  x\n\n', ['message= x'], undefined],
    ['ids, also without data', 'id: 1\ndata: x\n\nid: 2\n\n', ['message=x'], '2'],
    ['no id of a block that is not complete', 'id: 1\n\nid: 2\ndata: x\n', [], '1'],
    ['all ends of lines', 'data: a\r\n\r\ndata: b\r\rdata: c\n\n', ['message=a', 'message=b', 'message=c'], undefined],
    ['an event without data', 'event: a\n\ndata: x\n\n', ['message=x'], undefined],
  ] as const) {
    it(`have ${what}`, async () => {
      const { messages: seen, memory } = await read(text);
      expect(seen).to.deep.equal(messages);
      expect(memory.lastEventId).to.equal(lastEventId);
    });
  }

  it('are the same wherever their bytes are cut', async () => {
    const text = 'retry: 5\r\nevent: ä\r\ndata: {"a": "€"}\r\nid: 7\r\n\r\ndata: b\n\ndata: c\r\n\n';
    const whole = await read(text);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(200), { maxLength: 8 }), async (cuts) => {
        expect(await read(text, cuts)).to.deep.equal(whole);
      }),
    );
  });
});

describe('following an execution by its stream', () => {
  type Script = (request: IncomingMessage, response: ServerResponse, count: number) => void;

  async function follow(script: Script): Promise<{ messages: string[]; status: string; heads: string[] }> {
    let count = 0;
    const heads: string[] = [];
    const server = createServer((request, response) => {
      if (request.url?.startsWith('/api/v3.1/stream') === true) {
        count += 1;
        heads.push(String(request.headers['last-event-id'] ?? ''));
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        script(request, response, count);
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ id: 'x', status: 'terminated', parameters: { a: 1 } }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = new GantryClient({ url, credentials: { kind: 'none' }, retries: 0 });
    try {
      const messages: string[] = [];
      const ended = await followExecution(client, 'x', {
        onEvents: (events) => messages.push(...events.map(({ message }) => message)),
      });
      return { messages, status: ended.status, heads };
    } finally {
      client.close();
      server.closeAllConnections();
      server.close();
    }
  }

  const event = (message: string, id: number): string =>
    `event: event\ndata: ${JSON.stringify({ message })}\nid: ${id}\n\n`;

  it('goes on behind the last complete message when the connection breaks', async () => {
    const stored = ['one', 'two', 'three', 'four'];
    const { messages, status, heads } = await follow((request, response, count) => {
      const seen = Number(request.headers['last-event-id'] ?? 0);
      const rest = stored.map((message, index) => event(message, index + 1)).slice(seen);
      response.write('retry: 1\n\n');
      if (count === 1) {
        response.end(`${rest.slice(0, 2).join('')}event: event\ndata: {"mess`);
      } else if (count === 2) {
        response.write(rest.slice(0, 1).join(''), () => response.destroy());
      } else {
        response.write(`${rest.join('')}event: execution\ndata: {"status": "terminated"}\n\n`);
      }
    });
    expect(messages).to.deep.equal(stored);
    expect(heads.slice(0, 2)).to.deep.equal(['', '2']);
    expect(status).to.equal('terminated');
  });

  it('says why it ended when permissions were withdrawn', async () => {
    const work = follow((_request, response) => {
      response.end('event: end\ndata: {"error_code": "forbidden_error", "message": "no more"}\n\n');
    });
    const error = await work.catch((thrown: unknown) => thrown);
    expect(error).to.include({ message: 'no more', code: 'forbidden_error' });
  });
});
