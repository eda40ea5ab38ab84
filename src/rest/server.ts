import { once } from 'node:events';
import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';

export interface ListenOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** PEM files; undefined = no TLS. */
  tls?: { certificateFile: string; keyFile: string } | undefined;
}

type TlsFiles = NonNullable<ListenOptions['tls']>;

export interface HttpServer {
  /** How the service is reached from this machine, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Takes no more connections; requests that run may end within `graceMilliseconds`. */
  stop(graceMilliseconds?: number): Promise<void>;
}

/** Longer than a proxy keeps a connection that it may still use, in milliseconds. */
const keepAliveTimeout = 75_000;

async function listen(server: Server | SecureServer, { host, port }: ListenOptions): Promise<AddressInfo> {
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
 * Checks before anything is started that the port is free, and chooses one for 0.
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

async function readTls({ certificateFile, keyFile }: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  const read = (file: string): Promise<Buffer> =>
    readFile(file).catch((error: NodeJS.ErrnoException) => {
      throw new Error(`Cannot read ${file} (${error.code ?? error.message}); make one with gantry certs create`);
    });
  const [cert, key] = await Promise.all([read(certificateFile), read(keyFile)]);
  return { cert, key };
}

/** Takes a renewed certificate for new connections; a pair that does not fit yet is left until both files are written. */
function followTls(server: SecureServer, files: TlsFiles, whenTold: (problem: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const renew = (): void => {
    readTls(files).then(
      (pair) => {
        try {
          server.setSecureContext({ ...pair, minVersion: 'TLSv1.2' });
        } catch (error) {
          whenTold(String(error));
        }
      },
      (error: unknown) => whenTold(String(error)),
    );
  };
  const watchers = [...new Set([dirname(files.certificateFile), dirname(files.keyFile)])].map((folder) =>
    watch(folder, () => {
      clearTimeout(timer);
      timer = setTimeout(renew, 200);
    }),
  );
  return () => {
    clearTimeout(timer);
    watchers.forEach((watcher) => watcher.close());
  };
}

/**
 * Serves an application over HTTP, or HTTPS when there are files of a certificate; renewed files are used at once.
 * @param whenTold told when renewed files are of no use
 * @throws Error with one sentence when the port cannot be had or a file cannot be read
 */
export async function serveHttp(
  options: ListenOptions,
  application: RequestListener,
  whenTold: (problem: string) => void = () => undefined,
): Promise<HttpServer> {
  let server: Server | SecureServer;
  let isStopping = false;
  const answering = new Set<ServerResponse>();
  /** Tells clients to send no more requests over connections that are about to be closed. */
  const listener: RequestListener = (request, response) => {
    answering.add(response);
    response.once('close', () => {
      answering.delete(response);
      if (isStopping) {
        server.closeIdleConnections();
      }
    });
    if (isStopping) {
      response.setHeader('Connection', 'close');
    }
    application(request, response);
  };
  let unfollow = (): void => undefined;
  if (options.tls) {
    const secure = createSecureServer({ ...(await readTls(options.tls)), minVersion: 'TLSv1.2' }, listener);
    unfollow = followTls(secure, options.tls, whenTold);
    server = secure;
  } else {
    server = createServer(listener);
  }
  server.keepAliveTimeout = keepAliveTimeout;
  const { port } = await listen(server, options);
  const isEverywhere = options.host === '0.0.0.0' || options.host === '::';
  const name = isEverywhere ? '127.0.0.1' : options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `${options.tls ? 'https' : 'http'}://${name}:${port}`,
    stop: async (graceMilliseconds = 5000) => {
      unfollow();
      isStopping = true;
      for (const response of answering) {
        if (!response.headersSent) {
          response.setHeader('Connection', 'close');
        }
      }
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMilliseconds);
      await closed;
      clearTimeout(timer);
    },
  };
}
