import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { pythonRepr, pythonText } from '../../domain/python-text.ts';
import { coerceError } from '../../domain/errors.ts';
import { isJsonObject } from '../session/paths.ts';
import { evaluateCtx } from './evaluate.ts';
import { StopOperation } from './tree.ts';
import { CtxError } from './values.ts';
import type { Caller, CtxObject } from './values.ts';

/** Largest request of a script in bytes. */
const largestRequest = 64 * 1024 * 1024;

/** One operation's access to the server. */
export interface CtxRoute {
  /** What the script finds in CTX_SOCKET_URL: it contains the operation's secret. */
  readonly url: string;
  /** Ends the access. */
  close(): void;
}

/** What a route serves. */
export interface CtxHandler {
  readonly tree: CtxObject;
  readonly inputs: JsonObject;
  /** An exception that ended an evaluated script. */
  onFailure(report: ScriptFailureReport): void;
}

/** How the runner of evaluated scripts describes what was raised. */
export interface ScriptFailureReport {
  kind: string;
  type: string;
  message: string;
  traceback: string;
  retryAfter: number | undefined;
}

/**
 * Answers the `ctx` calls of all scripts that this process runs: HTTP on a loopback port, one unguessable path per
 * operation. `POST <url>` with `{"args": [...]}` is the protocol Cloudify's own clients speak; `POST <url>/shell` is
 * the same for a client that cannot read JSON; `/inputs` and `/failure` serve evaluated scripts.
 */
export class CtxServer {
  readonly #handlers = new Map<string, CtxHandler>();
  #server: Server | undefined;
  #listening: Promise<string> | undefined;

  /** Opens access for one operation; the server starts with the first. */
  async open(handler: CtxHandler): Promise<CtxRoute> {
    this.#listening ??= this.#listen();
    const base = await this.#listening;
    const secret = randomBytes(24).toString('hex');
    this.#handlers.set(secret, handler);
    return { url: `${base}/${secret}`, close: () => void this.#handlers.delete(secret) };
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#listening = undefined;
    if (server !== undefined) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  async #listen(): Promise<string> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    server.requestTimeout = 0;
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    server.unref();
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.sendDate = false;
    const [, secret = '', action = ''] = (request.url ?? '').split('/');
    const handler = this.#handlers.get(secret);
    if (handler === undefined || request.method !== 'POST') {
      response.writeHead(404, { 'content-length': 0 }).end();
      return;
    }
    const body = await readBody(request);
    if (body === undefined) {
      response.writeHead(413, { 'content-length': 0, connection: 'close' }).end();
      return;
    }
    switch (action) {
      case '':
        sendJson(response, await answerJson(handler, body));
        return;
      case 'shell':
        sendShell(response, await answerShell(handler, body));
        return;
      case 'inputs':
        sendJson(response, handler.inputs);
        return;
      case 'failure':
        handler.onFailure(failureReport(JSON.parse(body.toString('utf8')) as unknown));
        sendJson(response, null);
        return;
      default:
        response.writeHead(404, { 'content-length': 0 }).end();
    }
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestRequest) {
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function sendJson(response: ServerResponse, value: Json): void {
  const text = Buffer.from(JSON.stringify(value));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length }).end(text);
}

async function answerJson(handler: CtxHandler, body: Buffer): Promise<JsonObject> {
  try {
    const request: unknown = JSON.parse(body.toString('utf8'));
    if (!isJsonObject(request) || !Array.isArray(request['args'])) {
      throw new CtxError('A request is an object with a list `args`', 'ValueError');
    }
    const directory = typeof request['cwd'] === 'string' ? request['cwd'] : undefined;
    return { type: 'result', payload: await evaluateCtx(handler.tree, request['args'], { directory }) };
  } catch (thrown) {
    if (thrown instanceof StopOperation) {
      return { type: 'stop_operation', payload: { message: thrown.message } };
    }
    const error = coerceError(thrown);
    return { type: 'error', payload: { type: error.name, message: error.message, traceback: error.stack ?? '' } };
  }
}

interface ShellAnswer {
  exitCode: number;
  text: string;
}

/** The answer as text for the shell: what to print, on which stream, and the exit code. */
async function answerShell(handler: CtxHandler, body: Buffer): Promise<ShellAnswer> {
  const [directory = '', options = '', prefix = '@', ...texts] = body.toString('utf8').replace(/\0$/, '').split('\0');
  const caller: Caller = { directory: directory.startsWith('/') ? directory : undefined };
  try {
    const args = texts.map((text) => argumentOf(text, prefix));
    const value = await evaluateCtx(handler.tree, args, caller);
    return { exitCode: 0, text: options.includes('j') ? JSON.stringify(value) : shellText(value) };
  } catch (thrown) {
    const error = coerceError(thrown);
    if (thrown instanceof StopOperation) {
      return { exitCode: 1, text: `${error.message}\n` };
    }
    const described = pythonRepr(`${error.name}: ${error.message}`);
    return { exitCode: 1, text: `cloudify.proxy.client.RequestError: (RequestError(...), ${described})\n` };
  }
}

function argumentOf(text: string, prefix: string): Json {
  if (!text.startsWith(prefix)) {
    return text;
  }
  try {
    return JSON.parse(text.slice(prefix.length), (_key, value: Json) =>
      isJsonObject(value) && '__non_json_serializable_repr__' in value
        ? value['__non_json_serializable_repr__']
        : value,
    ) as Json;
  } catch (thrown) {
    throw new CtxError(`The argument ${text} is not JSON: ${coerceError(thrown).message}`, 'ValueError');
  }
}

/** What Python prints for a value, and nothing for one that counts as false there. */
function shellText(value: Json): string {
  const isEmptyContainer = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return value === null || value === false || value === 0 || isEmptyContainer ? '' : pythonText(value);
}

function sendShell(response: ServerResponse, answer: ShellAnswer): void {
  // the shell reads the head byte by byte, so it is kept short
  const text = Buffer.from(answer.text.replaceAll('\0', ''));
  response.writeHead(200, { exit: answer.exitCode, 'content-length': text.length, connection: 'close' }).end(text);
}

function failureReport(value: unknown): ScriptFailureReport {
  const report = isJsonObject(value) ? value : {};
  const text = (name: string): string => {
    const member = report[name];
    return typeof member === 'string' ? member : '';
  };
  const retryAfter = report['retry_after'];
  return {
    kind: text('kind'),
    type: text('type'),
    message: text('message'),
    traceback: text('traceback'),
    retryAfter: typeof retryAfter === 'number' ? retryAfter : undefined,
  };
}
