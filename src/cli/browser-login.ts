import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { FailedOutcome } from './errors.ts';

/** Milliseconds that somebody has to log in; the manager waits as long. */
const longestLogin = 10 * 60_000;

/** Waits on this machine for the browser of the person to come back from a login. */
export interface BrowserReturn {
  /** Where the browser is led in the end. */
  readonly url: string;
  /** The code that it brings. @throws FailedOutcome when the login was refused, or nobody comes */
  readonly code: Promise<string>;
  /** Stops waiting. */
  close(): void;
}

function show(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'",
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(`<!doctype html><title>Gantry</title><p>${text}</p>`);
}

/**
 * Listens on a free port that only this machine reaches, below a path that nobody can guess.
 * @param signal ends the waiting, e.g. when the person presses Ctrl-C
 */
export async function awaitBrowser(signal: AbortSignal): Promise<BrowserReturn> {
  const path = `/${randomBytes(16).toString('base64url')}`;
  let settle: { resolve: (code: string) => void; reject: (error: Error) => void } | undefined;
  const code = new Promise<string>((resolve, reject) => (settle = { resolve, reject }));
  // whoever asks for it is told; nobody may
  code.catch(() => undefined);
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const found = url.searchParams.get('code');
    if (url.pathname !== path || request.method !== 'GET') {
      show(response, 404, 'There is nothing here.');
    } else if (found === null) {
      show(response, 200, 'The login was refused. The terminal says why; you can close this window.');
      settle?.reject(new FailedOutcome(url.searchParams.get('error_description') ?? 'The login was refused'));
    } else {
      show(response, 200, 'You are logged in; you can close this window.');
      settle?.resolve(found);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const timer = setTimeout(() => {
    settle?.reject(new FailedOutcome('Nobody has logged in for ten minutes', 'Try again: gantry profiles login'));
  }, longestLogin);
  const stop = (): void => settle?.reject(new Error('Interrupted'));
  signal.addEventListener('abort', stop, { once: true });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    code,
    close: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      // what was answered is on its way
      server.close();
      server.closeIdleConnections();
    },
  };
}
