import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/**
 * What a network does to those who speak over it: `pass` everything, `stall` (connections stay open and nothing arrives
 * any more, as behind a pulled cable), or `refuse` (nobody listens).
 */
export type NetworkState = 'pass' | 'stall' | 'refuse';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** A stretch of network between a process under test and a server, which a test may cut and mend. */
export class TcpProxy {
  readonly port: number;
  /** Connections that were refused so far. */
  refusals = 0;
  readonly #target: number;
  readonly #listener: Server;
  readonly #pairs = new Set<Pair>();
  #state: NetworkState = 'pass';
  /** Bytes from clients that still pass before the next connection is cut; undefined = all. */
  #budget: number | undefined;

  private constructor(listener: Server, target: number) {
    this.#listener = listener;
    this.#target = target;
    this.port = (listener.address() as AddressInfo).port;
    listener.on('connection', (client) => this.#join(client));
  }

  /** Listens on a free port and hands everything on to `targetPort` of this machine. */
  static async start(targetPort: number): Promise<TcpProxy> {
    const listener = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(0, '127.0.0.1', resolve);
    });
    return new TcpProxy(listener, targetPort);
  }

  /** The same URL, over this proxy. */
  over(url: string): string {
    const parsed = new URL(url);
    parsed.hostname = '127.0.0.1';
    parsed.port = String(this.port);
    return parsed.toString();
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Resets every connection; new ones pass. */
  cut(): void {
    this.#pairs.forEach((pair) => this.#reset(pair));
  }

  /** Resets the connection on which clients have sent so many bytes from now on, and the others with it. */
  cutAfter(bytes: number): void {
    this.#budget = bytes;
  }

  /** Sets what happens from now on to open and to new connections. */
  become(state: NetworkState): void {
    this.#state = state;
    for (const pair of this.#pairs) {
      if (state === 'refuse') {
        this.#reset(pair);
      } else if (state === 'stall') {
        pair.client.pause();
        pair.server.pause();
      } else {
        pair.client.resume();
        pair.server.resume();
      }
    }
  }

  /** Ends it: connections are reset, nobody listens any more. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    this.cut();
    await closed;
  }

  #join(client: Socket): void {
    if (this.#state === 'refuse') {
      this.refusals += 1;
      client.resetAndDestroy();
      return;
    }
    const pair = { client, server: connect({ port: this.#target, host: '127.0.0.1', noDelay: true }) };
    this.#pairs.add(pair);
    this.#forward(pair, client, pair.server, true);
    this.#forward(pair, pair.server, client, false);
    if (this.#state === 'stall') {
      client.pause();
      pair.server.pause();
    }
  }

  #forward(pair: Pair, from: Socket, to: Socket, isFromClient: boolean): void {
    from.on('data', (chunk: Buffer) => {
      to.write(chunk);
      if (isFromClient && this.#budget !== undefined) {
        this.#budget -= chunk.length;
        if (this.#budget < 0) {
          this.#budget = undefined;
          this.cut();
        }
      }
    });
    from.on('end', () => to.end());
    from.on('error', () => this.#reset(pair));
    from.on('close', () => {
      this.#pairs.delete(pair);
      to.destroy();
    });
  }

  #reset(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
  }
}
