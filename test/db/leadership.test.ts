import { expect } from 'chai';
import pg from 'pg';
import { silentLogger } from '../../src/log/logger.ts';
import { Leadership } from '../../src/scheduler/leader.ts';
import { Database } from '../../src/store/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { TcpProxy } from '../kit/tcp-proxy.ts';
import { until } from '../kit/until.ts';

const leaderLock = 7_163_101;

/** One that stands for the leadership, and what became of it. */
class Candidate {
  readonly leadership: Leadership;
  readonly database: Database;

  constructor(url: string, name: string, staleAfter = 6) {
    this.database = new Database({ url, poolSize: 2, log: silentLogger, applicationName: name });
    this.leadership = new Leadership({
      database: this.database,
      log: silentLogger,
      staleAfter: () => staleAfter,
      onChange: () => undefined,
    });
    this.leadership.start();
  }

  get isLeader(): boolean {
    return this.leadership.isLeader;
  }

  async stop(): Promise<void> {
    await this.leadership.stop();
    await this.database.close();
  }
}

describe('the leadership of the scheduler', function () {
  this.timeout(60_000);
  let candidates: Candidate[] = [];
  const stand = (...words: ConstructorParameters<typeof Candidate>): Candidate => {
    const candidate = new Candidate(...words);
    candidates.push(candidate);
    return candidate;
  };

  afterEach(async () => {
    await Promise.all(candidates.map((candidate) => candidate.stop()));
    candidates = [];
  });

  describe('over a network that fails', () => {
    let server: PostgresServer;
    let proxy: TcpProxy;

    before(async () => {
      server = await PostgresServer.start();
      proxy = await TcpProxy.start(server.port);
    });
    after(async () => {
      await proxy.stop();
      await server.stop();
    });

    it('is with one process again, however often connections failed', async () => {
      const url = proxy.over(server.url());
      const first = stand(url, 'first');
      const second = stand(url, 'second');
      for (let count = 0; count < 3; count += 1) {
        await until('a leader', () => first.isLeader || second.isLeader);
        proxy.become('refuse');
        await until('no leader', () => !first.isLeader && !second.isLeader);
        // connections are refused some times before one succeeds
        await until('refused connections', () => proxy.refusals > 4 * (count + 1));
        proxy.become('pass');
      }
      await until('a leader', () => first.isLeader || second.isLeader);
      expect([first.isLeader, second.isLeader]).to.have.members([true, false]);
    });
  });

  describe('when the leader hangs', () => {
    let test: TestDatabase;
    let hanging: pg.Client;

    before(async () => {
      test = await createTestDatabase();
    });
    after(() => test.close());
    beforeEach(async () => {
      hanging = new pg.Client({ connectionString: test.url, application_name: 'hanging' });
      hanging.on('error', () => undefined);
      await hanging.connect();
      await hanging.query('select pg_advisory_lock($1)', [leaderLock]);
    });
    afterEach(() => hanging.end());

    const seen = async (secondsAgo: number): Promise<void> => {
      await test.database.query(
        `insert into processes (name, run, roles, last_seen) values ('hanging', '', '{}', now() - make_interval(secs => $1))
          on conflict (name) do update set last_seen = excluded.last_seen`,
        [secondsAgo],
      );
    };

    it('goes to another one once its heartbeat is missed', async () => {
      await seen(0);
      const waiting = stand(test.url, 'waiting', 2);
      await until('the other one to wait', async () => {
        const [row] = await test.database.query<{ count: number }>(
          `select count(*) as count from pg_locks where locktype = 'advisory' and not granted`,
        );
        return row?.count === 1;
      });
      expect(waiting.isLeader).to.equal(false);
      await seen(10);
      await until('the other one to lead', () => waiting.isLeader);
    });
  });
});
