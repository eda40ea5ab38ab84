import { randomUUID } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pRetry, { AbortError } from 'p-retry';
import { GantryApiError, ManagerUnreachableError, connectionErrorCode, errorFromBody } from './errors.ts';

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
  /** Repetitions while nobody listens at the address, with growing pauses. Default 3. */
  retries?: number;
  /** Repetitions once the manager was heard of: its connection broke, or it is not ready. Default 6, some ten seconds. */
  patience?: number;
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
  /** Whether the call changes nothing, by default GET and HEAD; others are sent with a key, so that each counts once. */
  isReading?: boolean;
  /**
   * The answer to a change that was carried out by an attempt whose answer was lost, where the manager cannot tell it
   * again. Default: none for DELETE, otherwise the manager's refusal (`request_done_before`) is thrown.
   */
  whenDone?: () => Promise<unknown>;
  signal?: AbortSignal;
}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Failures that tell that the request never reached the manager, so that every method may be tried again. */
const neverConnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
/** Failures of an open connection; the manager may have worked on the request. */
const brokenConnection = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE']);
/** Minutes have passed: only what costs the manager nothing is asked for again. */
const timedOut = 'ETIMEDOUT';
/** Answers of a manager that is not ready, and of proxies that do not reach one. */
const notReady = new Set(['manager_unavailable', 'http_502', 'http_503']);
const carriedOut = 'request_done_before';

/**
 * Speaks HTTP to one manager: authentication, tenant, retries, errors. Knows no resource.
 *
 * Every change has a key that is the same for all attempts (`Idempotency-Key`), by which the manager carries it out once:
 * what got no answer is sent again, to whichever process is there.
 */
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
    const isReading = options.isReading ?? (method === 'GET' || method === 'HEAD');
    const keyed = isReading ? options : withKey(options);
    let attempts = 0;
    try {
      const text = await this.withRetries({ ...options, isReading }, async () => {
        attempts += 1;
        return this.read(await this.send(method, path, keyed), options);
      });
      return (text === '' ? undefined : JSON.parse(text)) as Answer;
    } catch (thrown) {
      const { whenDone = method === 'DELETE' ? async () => undefined : undefined } = options;
      if (whenDone && attempts > 1 && thrown instanceof GantryApiError && thrown.code === carriedOut) {
        return (await whenDone()) as Answer;
      }
      throw thrown;
    }
  }

  /** Sends a GET and pipes the answer's body into what `open` gives; returns the file name the manager proposes. */
  async download(path: string, open: () => NodeJS.WritableStream, options: RequestOptions = {}): Promise<string> {
    const response = await this.withRetries({ ...options, isReading: true }, () => this.send('GET', path, options));
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

  private async withRetries<Result>(options: RequestOptions, attempt: () => Promise<Result>): Promise<Result> {
    const { retries = 3, patience = 6 } = this.options;
    let wasHeardOf = false;
    return pRetry(attempt, {
      retries: Math.max(retries, patience),
      minTimeout: 200,
      maxTimeout: 5000,
      randomize: true,
      ...(options.signal ? { signal: options.signal } : {}),
      shouldRetry: ({ error, attemptNumber }) => {
        const reason = error instanceof ManagerUnreachableError ? error.reason : '';
        const isBroken = brokenConnection.has(reason) || isNotReady(error);
        wasHeardOf ||= isBroken;
        if (reason === timedOut) {
          return options.isReading === true && attemptNumber <= retries;
        }
        return (isBroken || neverConnected.has(reason)) && attemptNumber <= (wasHeardOf ? patience : retries);
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
      throw this.failure(thrown, options);
    }
  }

  private async read(response: http.IncomingMessage, options: RequestOptions): Promise<string> {
    try {
      return await readText(response);
    } catch (thrown) {
      throw this.failure(thrown, options);
    }
  }

  /** What an attempt fails with. */
  private failure(thrown: unknown, { signal }: RequestOptions): unknown {
    if (signal?.aborted) {
      return new AbortError(thrown instanceof Error ? thrown : new Error('Aborted'));
    }
    const isConnectionError = thrown instanceof Error && thrown.name !== 'GantryApiError';
    return isConnectionError ? new ManagerUnreachableError(this.url, connectionErrorCode(thrown), thrown) : thrown;
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

function isNotReady(error: Error): boolean {
  return error instanceof GantryApiError && notReady.has(error.code);
}

function withKey(options: RequestOptions): RequestOptions {
  return { ...options, headers: { 'idempotency-key': randomUUID(), ...options.headers } };
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
