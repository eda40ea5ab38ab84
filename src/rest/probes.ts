import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Express } from 'express';
import type { Metrics } from '../metrics/metrics.ts';

/** Whether a part that the process cannot work without is there. */
export interface Check {
  readonly name: string;
  readonly isReady: () => Promise<boolean> | boolean;
}

/** How long a check may take before it counts as failed, in milliseconds. */
const patience = 3000;

async function ask(check: Check): Promise<boolean> {
  try {
    return await check.isReady();
  } catch {
    return false;
  }
}

async function holds(check: Check): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), patience)));
  try {
    return await Promise.race([ask(check), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readiness(checks: readonly Check[]): Promise<{ isReady: boolean; checks: Record<string, boolean> }> {
  const results = await Promise.all(checks.map(async (check) => [check.name, await holds(check)] as const));
  return { isReady: results.every(([, isReady]) => isReady), checks: Object.fromEntries(results) };
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
  response.end(body);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { metrics, checks }: ProbeOptions,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(response, 405, 'text/plain', 'Only GET is allowed\n');
    return;
  }
  switch (request.url?.split('?', 1)[0]) {
    case '/metrics':
      send(response, 200, metrics.contentType, await metrics.text());
      return;
    case '/healthz':
      send(response, 200, 'application/json', '{"status":"alive"}\n');
      return;
    case '/readyz': {
      const { isReady, checks: results } = await readiness(checks);
      const body = JSON.stringify({ status: isReady ? 'ready' : 'not ready', checks: results });
      send(response, isReady ? 200 : 503, 'application/json', `${body}\n`);
      return;
    }
    default:
      send(response, 404, 'text/plain', 'There are /metrics, /healthz and /readyz\n');
  }
}

export interface ProbeOptions {
  readonly metrics: Metrics;
  /** What /readyz asks. */
  readonly checks: readonly Check[];
}

/**
 * Answers those who watch the process: `/metrics`, `/healthz` (it runs) and `/readyz` (it can work). It needs no
 * authentication and tells nothing about what is managed, but belongs on a port that only they reach.
 */
export function probeListener(options: ProbeOptions): RequestListener {
  return (request, response) => {
    answer(request, response, options).catch(() => {
      if (!response.headersSent) {
        send(response, 500, 'text/plain', 'The numbers could not be read\n');
      }
    });
  };
}

/** Measures every request of an application, by its route. */
export function measureRequests(app: Express, metrics: Metrics): void {
  app.use((request, response, next) => {
    const started = performance.now();
    response.once('close', () => {
      // paths carry ids, of which there is no end; routes do not
      const route: unknown = (request.route as { path?: unknown } | undefined)?.path;
      const name = typeof route === 'string' ? route : 'none';
      metrics.observeRequest(request.method, name, response.statusCode, (performance.now() - started) / 1000);
    });
    next();
  });
}
