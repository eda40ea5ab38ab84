import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pg from 'pg';
import { silentLogger } from '../../src/log/logger.ts';
import type { EmbeddedPostgres } from '../../src/store/postgres/embedded.ts';
import { startEmbeddedPostgres } from '../../src/store/postgres/embedded.ts';
import { until } from '../kit/until.ts';

const settings = { fsync: 'off' };

describe('embedded PostgreSQL', function () {
  this.timeout(60_000);

  let dataDir: string;
  let running: EmbeddedPostgres[];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'gantry-embedded-'));
    // open for the account that root lends the server
    await chmod(dataDir, 0o755);
    running = [];
  });
  afterEach(async () => {
    for (const server of running) {
      await server.stop();
    }
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async (): Promise<EmbeddedPostgres> => {
    const server = await startEmbeddedPostgres({ dataDir, log: silentLogger, settings });
    running.push(server);
    return server;
  };
  const ask = async (url: string, statement: string): Promise<unknown[]> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      const { rows } = await client.query<object>(statement);
      return rows;
    } finally {
      await client.end();
    }
  };
  const serverPid = async (): Promise<number> => {
    const content = await readFile(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8');
    return Number(content.split('\n')[0]);
  };
  /** Another process that starts the server and goes on. */
  const startElsewhere = async (): Promise<ChildProcess> => {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL('embedded-process.ts', import.meta.url)), dataDir],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(createInterface(child.stdout), 'line');
    return child;
  };

  it('keeps its data from one start to the next', async () => {
    const first = await start();
    await ask(first.url, 'create table kept (id integer)');
    await first.stop();
    expect(await ask(first.url, 'select 1').catch(() => 'gone')).to.equal('gone');
    const second = await start();
    expect(second.url).to.equal(first.url);
    expect(await ask(second.url, 'select count(*)::integer as count from kept')).to.deep.equal([{ count: 0 }]);
  });

  it('can be reached with its password and from its own account only', async () => {
    const { url } = await start();
    expect((await stat(join(dataDir, 'postgres-password'))).mode & 0o777).to.equal(0o600);
    const wrong = url.replace(/gantry:[0-9a-f]+@/, 'gantry:wrong@');
    expect(String(await ask(wrong, 'select 1').catch((error: unknown) => error))).to.contain('password');
    expect(await ask(url, 'show listen_addresses')).to.deep.equal([{ listen_addresses: '' }]);
  });

  it('comes back when the server is killed', async () => {
    const { url } = await start();
    await ask(url, 'create table kept (id integer)');
    const pid = await serverPid();
    process.kill(pid, 'SIGKILL');
    await until('the server to be back', async () => {
      const rows = await ask(url, 'select * from kept').catch(() => undefined);
      return rows !== undefined;
    });
    expect(await serverPid()).not.to.equal(pid);
  });

  it('is taken over from a process that was killed, and stopped by the new one', async () => {
    const child = await startElsewhere();
    const pid = await serverPid();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const server = await start();
    expect(server.isShared).to.equal(false);
    expect(await serverPid()).to.equal(pid);
    await server.stop();
    running = [];
    expect(await ask(server.url, 'select 1').catch(() => 'gone')).to.equal('gone');
  });

  it('is shared with a process that is alive, and left to it', async () => {
    const child = await startElsewhere();
    const server = await start();
    expect(server.isShared).to.equal(true);
    await server.stop();
    expect(await ask(server.url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(await ask(server.url, 'select 1').catch(() => 'gone')).to.equal('gone');
  });

  it('is started once when several processes want it at the same time', async () => {
    const servers = await Promise.all([start(), start(), start()]);
    expect(servers.filter(({ isShared }) => !isShared)).to.have.length(1);
    for (const { url } of servers) {
      expect(await ask(url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
    }
  });

  it('starts over a pid file of a process that is something else', async () => {
    const first = await start();
    await first.stop();
    running = [];
    const file = join(dataDir, 'postgres', 'data', 'postmaster.pid');
    await writeFile(file, `${process.pid}\n/nowhere\n0\n5432\n`);
    const second = await start();
    expect(await ask(second.url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
  });

  it('lies elsewhere when its account cannot enter the directory of root', async function () {
    if (process.getuid?.() !== 0) {
      this.skip();
    }
    await chmod(dataDir, 0o700);
    const server = await start();
    const [row] = (await ask(server.url, 'show data_directory')) as { data_directory: string }[];
    await server.stop();
    running = [];
    expect(row?.data_directory).to.match(/^\/var\/lib\/gantry-[0-9a-f]{12}\/data$/);
    await rm(dirname(row?.data_directory ?? ''), { recursive: true, force: true });
  });

  it('explains a lost password file and a data directory of another version', async () => {
    const first = await start();
    await first.stop();
    running = [];
    const version = join(dataDir, 'postgres', 'data', 'PG_VERSION');
    const original = await readFile(version, 'utf8');
    await writeFile(version, '9\n');
    expect(String(await start().catch((error: unknown) => error))).to.match(/written by PostgreSQL 9.*pg_upgrade/);
    await writeFile(version, original);
    await rm(join(dataDir, 'postgres-password'));
    expect(String(await start().catch((error: unknown) => error))).to.contain('has no password file any more');
  });
});
