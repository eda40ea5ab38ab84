import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ListenOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
}

export interface HttpServer {
  /** How the service is reached from this machine, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Takes no more connections; requests that run may end within `graceMilliseconds`. */
  stop(graceMilliseconds?: number): Promise<void>;
}

/** Longer than a proxy keeps a connection that it may still use, in milliseconds. */
const keepAliveTimeout = 75_000;

async function listen(server: Server, { host, port }: ListenOptions): Promise<AddressInfo> {
  const listening = once(server, 'listening');
  server.listen(port, host);
  try {
    await listening;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') {
      throw new Error(`Port ${port} of ${host} is taken by another program; choose another one with --port`);
    }
    if (code === 'EACCES') {
      throw new Error(`This user may not listen on port ${port}; choose one above 1023 with --port`);
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new Error(`${host} is no address of this machine; choose one that is with --host`);
    }
    throw error;
  }
  return server.address() as AddressInfo;
}

/**
 * Finds out before anything is started whether a port can be had, and which one 0 stands for.
 * @throws Error with one sentence when the port cannot be had
 */
export async function choosePort(options: ListenOptions): Promise<number> {
  const server = createServer();
  const { port } = await listen(server, options);
  const closed = once(server, 'close');
  server.close();
  await closed;
  return port;
}

/** Serves an application over HTTP. @throws Error with one sentence when the port cannot be had */
export async function serveHttp(options: ListenOptions, application: RequestListener): Promise<HttpServer> {
  const server = createServer(application);
  server.keepAliveTimeout = keepAliveTimeout;
  const { port } = await listen(server, options);
  const isEverywhere = options.host === '0.0.0.0' || options.host === '::';
  const name = isEverywhere ? '127.0.0.1' : options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${name}:${port}`,
    stop: async (graceMilliseconds = 5000) => {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMilliseconds);
      await closed;
      clearTimeout(timer);
    },
  };
}
