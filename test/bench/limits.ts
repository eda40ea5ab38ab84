import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import express from 'express';
import pg from 'pg';
import { summarizeLatencies } from './statistics.ts';
import type { LatencySummary } from './statistics.ts';

/** A statement with its values. */
export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

interface SqlRun {
  readonly statement: Statement;
  readonly clients: number;
  readonly seconds: number;
}

/** As many connections as a REST process has. */
const poolSize = 10;

function openPool(connectionString: string): pg.Pool {
  return new pg.Pool({ connectionString, max: poolSize, options: '-c jit=off -c timezone=UTC' });
}

/** Runs one statement over and over and makes JSON of its rows, as the least that an answer costs. */
async function runSql(pool: pg.Pool, { statement, clients, seconds }: SqlRun): Promise<LatencySummary> {
  const latencies: number[] = [];
  const begin = performance.now();
  const isOver = (): boolean => performance.now() - begin >= seconds * 1000;
  const client = async (): Promise<void> => {
    while (!isOver()) {
      const started = performance.now();
      const { rows } = await pool.query<object>({ text: statement.text, values: [...statement.values] });
      JSON.stringify({ items: rows });
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return summarizeLatencies(latencies, (performance.now() - begin) / 1000);
}

async function serve(databaseUrl: string): Promise<void> {
  const pool = openPool(databaseUrl);
  const app = express();
  app.get('/deployments/:id', async (request, response) => {
    const { rows } = await pool.query<object>({
      name: 'one',
      text: 'select storage_id, id, display_name, created_at, installation_status from deployments where tenant_id = $1 and id = $2',
      values: [0, request.params.id],
    });
    response.json(rows[0] ?? null);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.on('message', (run: SqlRun) => {
    void runSql(pool, run).then((summary) => process.send?.(summary));
  });
  process.once('disconnect', () => process.exit(0));
  process.send?.((server.address() as AddressInfo).port);
}

/** What a process of the same kind is capable of: Express with one query, and statements without HTTP. */
export class Limits {
  /** Answers `GET /deployments/:id` with one row. */
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(databaseUrl: string): Promise<Limits> {
    const child = fork(fileURLToPath(import.meta.url), ['serve', databaseUrl], { execArgv: ['--import', 'tsx'] });
    const [port] = (await once(child, 'message')) as [number];
    return new Limits(child, port);
  }

  /** Measures a statement alone; one at a time. */
  async sql(statement: Statement, clients: number, seconds: number): Promise<LatencySummary> {
    const answered = once(this.#child, 'message');
    this.#child.send({ statement, clients, seconds } satisfies SqlRun);
    const [summary] = (await answered) as [LatencySummary];
    return summary;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'serve') {
  await serve(process.argv[3] ?? '');
}
