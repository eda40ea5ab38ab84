import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pRetry, { AbortError } from 'p-retry';
import { ManagerUnreachableError, connectionErrorCode, errorFromBody } from './errors.ts';

/** Who calls: a user with password, or a token made by `POST /tokens`. */
export type Credentials =
  { kind: 'basic'; username: string; password: string } | { kind: 'token'; token: string } | { kind: 'none' };

export interface TransportOptions {
  /** Address of the manager without path, e.g. `https://manager.example.com:443`. */
  url: string;
  credentials: Credentials;
  /** Tenant of every call that does not name its own. */
  tenant?: string;
  /** PEM text of the certificate authority that signed the manager's certificate. */
  caCertificate?: string;
  /** Accept any certificate; for tests of one's own manager only. */
  isInsecure?: boolean;
  /** Repetitions after a failed connection or a 503, with growing pauses. Default 3. */
  retries?: number;
  /** Milliseconds without any byte of an answer. Default 300 000, the read timeout of Cloudify's client. */
  timeout?: number;
}

export type QueryValue = string | number | boolean | undefined | readonly string[];

/** A body that can be sent again: `open` makes a fresh stream for every attempt. */
export interface StreamBody {
  contentType: string;
  /** Bytes, when known. */
  length: number;
  open(): Readable;
}

export interface RequestOptions {
  query?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON. */
  body?: unknown;
  stream?: StreamBody;
  /** Called with the bytes sent so far. */
  onProgress?: (sentBytes: number) => void;
  headers?: Readonly<Record<string, string>>;
  tenant?: string;
  /** Milliseconds without any byte of the answer; that of the transport when absent. */
  timeout?: number;
  /** Whether repeating the call cannot change its effect; by default GET, HEAD and DELETE. */
  isIdempotent?: boolean;
  signal?: AbortSignal;
}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Failures that tell that the request never reached the manager, so that every method may be tried again. */
const neverConnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
/** Failures of an open connection; the manager may have worked on the request. */
const brokenConnection = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED']);

/** Speaks HTTP to one manager: authentication, tenant, retries, errors. Knows no resource. */
export class Transport {
  readonly url: string;
  private readonly options: TransportOptions;
  private readonly agent: http.Agent;

  constructor(options: TransportOptions) {
    this.options = options;
    this.url = options.url.replace(/\/+$/, '');
    this.agent = this.url.startsWith('https:')
      ? new https.Agent({
          keepAlive: true,
          rejectUnauthorized: options.isInsecure !== true,
          ...(options.caCertificate === undefined ? {} : { ca: options.caCertificate }),
        })
      : new http.Agent({ keepAlive: true });
  }

  get tenant(): string | undefined {
    return this.options.tenant;
  }

  /** Closes kept connections. */
  close(): void {
    this.agent.destroy();
  }

  /**
   * Sends a request below `/api/v3.1` and reads the JSON answer; `undefined` for an empty one.
   * @throws GantryApiError when the manager refuses
   * @throws ManagerUnreachableError when no answer came
   */
  async json<Answer>(method: Method, path: string, options: RequestOptions = {}): Promise<Answer> {
    const text = await this.withRetries(method, options, async () => {
      const response = await this.send(method, path, options);
      return readText(response);
    });
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }

  /** Sends a GET and pipes the answer's body into what `open` gives; returns the file name the manager proposes. */
  async download(path: string, open: () => NodeJS.WritableStream, options: RequestOptions = {}): Promise<string> {
    const response = await this.withRetries('GET', options, () => this.send('GET', path, options));
    await pipeline(response, open());
    const disposition = response.headers['content-disposition'] ?? '';
    return /filename="?([^";]+)"?/.exec(disposition)?.[1] ?? '';
  }

  /**
   * Opens an answer that goes on until one of the two sides ends it. One attempt.
   * @throws GantryApiError when the manager refuses
   * @throws ManagerUnreachableError when no answer came
   */
  async open(path: string, options: RequestOptions = {}): Promise<http.IncomingMessage> {
    return this.send('GET', path, options);
  }

  private async withRetries<Result>(
    method: Method,
    options: RequestOptions,
    attempt: () => Promise<Result>,
  ): Promise<Result> {
    const isIdempotent = options.isIdempotent ?? (method === 'GET' || method === 'HEAD' || method === 'DELETE');
    return pRetry(attempt, {
      retries: this.options.retries ?? 3,
      minTimeout: 200,
      maxTimeout: 5000,
      randomize: true,
      ...(options.signal ? { signal: options.signal } : {}),
      shouldRetry: ({ error }) => {
        if (error instanceof ManagerUnreachableError) {
          return neverConnected.has(error.reason) || (isIdempotent && brokenConnection.has(error.reason));
        }
        return isIdempotent && 'status' in error && (error.status === 503 || error.status === 502);
      },
    });
  }

  private headers(options: RequestOptions): Record<string, string> {
    const { credentials } = this.options;
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': 'gantry-client' };
    if (credentials.kind === 'basic') {
      const pair = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
      headers['authorization'] = `Basic ${pair}`;
    } else if (credentials.kind === 'token') {
      headers['authentication-token'] = credentials.token;
    }
    const tenant = options.tenant ?? this.options.tenant;
    if (tenant !== undefined) {
      headers['tenant'] = tenant;
    }
    return { ...headers, ...options.headers };
  }

  /** One attempt. Resolves with a successful response whose body is still to be read. */
  private async send(method: Method, path: string, options: RequestOptions): Promise<http.IncomingMessage> {
    const target = new URL(`${this.url}${path.startsWith('/api/') ? '' : '/api/v3.1'}${path}`);
    appendQuery(target, options.query ?? {});
    const headers = this.headers(options);
    const payload = options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body));
    if (payload) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = String(payload.length);
    } else if (options.stream) {
      headers['content-type'] = options.stream.contentType;
      headers['content-length'] = String(options.stream.length);
    }
    const { request, responded } = this.start(method, target, headers, options);
    try {
      await sendBody(request, payload ?? options.stream, responded, options.onProgress);
      const response = await responded;
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) {
        return response;
      }
      throw errorFromBody(`${method} ${target.pathname}`, status, await readText(response));
    } catch (thrown) {
      if (options.signal?.aborted) {
        throw new AbortError(thrown instanceof Error ? thrown : new Error('Aborted'));
      }
      const reason = connectionErrorCode(thrown);
      const isConnectionError = thrown instanceof Error && thrown.name !== 'GantryApiError';
      throw isConnectionError ? new ManagerUnreachableError(this.url, reason, thrown) : thrown;
    }
  }

  private start(
    method: Method,
    target: URL,
    headers: Record<string, string>,
    { signal, timeout = this.options.timeout ?? 300_000 }: RequestOptions,
  ): { request: http.ClientRequest; responded: Promise<http.IncomingMessage> } {
    const library = target.protocol === 'https:' ? https : http;
    const request = library.request(target, { method, headers, agent: this.agent, ...(signal ? { signal } : {}) });
    request.setTimeout(timeout, () => {
      request.destroy(Object.assign(new Error(`No answer within ${timeout / 1000} s`), { code: 'ETIMEDOUT' }));
    });
    const responded = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
    });
    // the caller awaits it after the body is sent; a refusal in the meantime must not count as unhandled
    responded.catch(() => undefined);
    return { request, responded };
  }
}

function appendQuery(target: URL, query: Readonly<Record<string, QueryValue>>): void {
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) {
      continue;
    }
    for (const entry of Array.isArray(value) ? (value as readonly string[]) : [String(value)]) {
      target.searchParams.append(name, entry);
    }
  }
}

async function readText(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Writes the body, unless the manager answers before it is complete (a refusal needs no upload). */
async function sendBody(
  request: http.ClientRequest,
  body: Buffer | StreamBody | undefined,
  responded: Promise<unknown>,
  onProgress: ((sentBytes: number) => void) | undefined,
): Promise<void> {
  if (body === undefined || Buffer.isBuffer(body)) {
    request.end(body);
    return;
  }
  const source = body.open();
  let sent = 0;
  source.on('data', (chunk: Buffer) => {
    sent += chunk.length;
    onProgress?.(sent);
  });
  const uploaded = pipeline(source, request);
  await Promise.race([uploaded, responded]);
  uploaded.catch(() => undefined);
}
