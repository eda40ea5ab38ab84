import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { silentLogger } from '../../src/log/logger.ts';
import { createBlueprint } from '../../src/store/blueprints.ts';
import { asUnavailable, isConnectionError } from '../../src/store/database-errors.ts';
import type { Database } from '../../src/store/database.ts';
import { connectDatabase } from '../../src/store/database.ts';
import type { Transaction } from '../../src/store/session.ts';
import { addToOutbox, deletePublished, takeLeftOver } from '../../src/store/outbox.ts';
import type { TestDatabase } from '../kit/database.ts';
import { withoutPassword } from '../../src/store/database-address.ts';
import { createTestDatabase } from '../kit/database.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { until } from '../kit/until.ts';
import { owner } from './samples.ts';

const log = silentLogger;

describe('database', function () {
  this.timeout(60_000);

  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
    await database.query('create table sample (id integer primary key, value text)');
  });
  after(() => test.close());
  beforeEach(() => database.query('truncate sample'));

  const values = async (): Promise<unknown[]> => {
    const rows = await database.query<{ value: string }>('select value from sample order by id');
    return rows.map(({ value }) => value);
  };

  it('runs statements as text and prepared, and reads counts as numbers', async () => {
    await database.query('insert into sample values ($1, $2)', [1, 'one']);
    await database.prepared('insert into sample values ($1, $2)', [2, 'two']);
    expect(await values()).to.deep.equal(['one', 'two']);
    expect(await database.query('select count(*) as count, 7::bigint as big from sample')).to.deep.equal([
      { count: 2, big: 7 },
    ]);
  });

  describe('look-ups', () => {
    it('answer side by side, each its own', async () => {
      const numbers = Array.from({ length: 200 }, (_, index) => index);
      const answers = await Promise.all(
        numbers.map(async (number) => {
          const [row] = await database.lookUp<{ number: number }>('select $1::integer as number', [number]);
          return row?.number;
        }),
      );
      expect(answers).to.deep.equal(numbers);
    });

    it('that fail leave the others alone', async () => {
      const [good, bad, last] = await Promise.allSettled([
        database.lookUp('select 1 as one'),
        database.lookUp('select 1 / 0'),
        database.lookUp('select 3 as three'),
      ]);
      expect([good.status, bad.status, last.status]).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
    });

    it('go on over a new connection when theirs was lost', async () => {
      const pidNow = async (): Promise<number | undefined> =>
        (await database.lookUp<{ pid: number }>('select pg_backend_pid() as pid'))[0]?.pid;
      const before = await pidNow();
      await database.query('select pg_terminate_backend($1)', [before]);
      await until('an answer over another connection', async () => {
        const now = await pidNow().catch(() => undefined);
        return now !== undefined && now !== before;
      });
    });
  });

  describe('transactions', () => {
    it('commit when the work resolves and roll back when it throws', async () => {
      expect(
        await database.transaction(async (transaction) => {
          await transaction.query(`insert into sample values (1, 'kept')`);
          return transaction.transaction(async (inner) => {
            await inner.query(`insert into sample values (2, 'inner')`);
            return 'result';
          });
        }),
      ).to.equal('result');
      const failed = database.transaction(async (transaction) => {
        await transaction.query(`insert into sample values (3, 'lost')`);
        throw new Error('on purpose');
      });
      expect(String(await failed.catch((error: unknown) => error))).to.contain('on purpose');
      expect(await values()).to.deep.equal(['kept', 'inner']);
    });

    it('run tasks after the commit only, and survive a task that fails', async () => {
      const done: string[] = [];
      await database.transaction(async (transaction) => {
        transaction.afterCommit(() => {
          throw new Error('a task failed');
        });
        transaction.afterCommit(async () => {
          done.push(...((await values()) as string[]));
        });
        await transaction.query(`insert into sample values (1, 'seen')`);
      });
      await database
        .transaction(async (transaction) => {
          transaction.afterCommit(() => void done.push('never'));
          throw new Error('on purpose');
        })
        .catch(() => undefined);
      expect(done).to.deep.equal(['seen']);
    });

    it('run what does not wait for each other in the order asked for', async () => {
      const counts = await database.transaction((transaction) =>
        Promise.all([
          transaction.query<{ count: number }>('select count(*) as count from sample'),
          transaction.prepared(`insert into sample values (1, 'one')`),
          transaction.lookUp<{ count: number }>('select count(*) as count from sample'),
        ]),
      );
      expect([counts[0][0]?.count, counts[2][0]?.count]).to.deep.equal([0, 1]);
      expect(await values()).to.deep.equal(['one']);
    });

    it('tell the first failure of what was asked for at once, and keep nothing of it', async () => {
      const failed = database.transaction((transaction) =>
        Promise.all([
          transaction.query(`insert into sample values (1, 'one')`),
          transaction.query('select 1 / 0'),
          transaction.query(`insert into sample values (2, 'two')`),
        ]),
      );
      expect(String(await failed.catch((error: unknown) => error))).to.contain('division by zero');
      expect(await values()).to.deep.equal([]);
    });

    it('take no statement after their end, which would be part of nothing', async () => {
      let kept: Transaction | undefined;
      await database.transaction(async (transaction) => {
        kept = transaction;
        await transaction.query(`insert into sample values (1, 'in time')`);
      });
      const late = kept?.query(`insert into sample values (2, 'late')`);
      expect(String(await late?.catch((error: unknown) => error))).to.contain('after the end');
      expect(await values()).to.deep.equal(['in time']);
    });

    it('that block each other run again until both are through', async () => {
      await database.query(`insert into sample values (1, ''), (2, '')`);
      let bothHold = 0;
      let release: () => void = () => undefined;
      const met = new Promise<void>((resolve) => {
        release = resolve;
      });
      let runs = 0;
      const append = (first: number, second: number): Promise<void> =>
        database.transaction(async (transaction) => {
          runs += 1;
          await transaction.query(`update sample set value = value || $1::text where id = $1`, [first]);
          bothHold += 1;
          if (bothHold === 2) {
            release();
          }
          await met;
          await transaction.query(`update sample set value = value || $1::text where id = $2`, [first, second]);
        });
      await Promise.all([append(1, 2), append(2, 1)]);
      expect(runs).to.be.greaterThan(2);
      expect(await values()).to.have.length(2);
    });

    it('that only read see one moment', async () => {
      await database.query(`insert into sample values (1, 'before')`);
      await database.readConsistently(async (transaction) => {
        await transaction.query('select 1 from sample');
        await database.query(`insert into sample values (2, 'meanwhile')`);
        expect(await transaction.query('select * from sample')).to.have.length(1);
      });
      const write = database.readConsistently((transaction) =>
        transaction.query(`insert into sample values (3, 'no')`),
      );
      expect(String(await write.catch((error: unknown) => error))).to.contain('read-only');
      expect(await values()).to.deep.equal(['before', 'meanwhile']);
    });

    it('tell the audit log who acts', async () => {
      const session = database.actingAs({ username: `o'hara`, executionId: 'e1' });
      const { storageId } = await createBlueprint(session, { ...owner, id: 'audited', state: 'pending' });
      await session.query(`update blueprints set description = 'x' where storage_id = $1`, [storageId]);
      await database.query('delete from blueprints where storage_id = $1', [storageId]);
      const records = await database.query(
        `select operation, creator_name as name, execution_id as execution, ref_identifier ->> 'id' as id
         from audit_log where ref_table = 'blueprints' and ref_id = $1 order by storage_id`,
        [storageId],
      );
      expect(records).to.deep.equal([
        { operation: 'create', name: `o'hara`, execution: 'e1', id: 'audited' },
        { operation: 'update', name: `o'hara`, execution: 'e1', id: 'audited' },
        { operation: 'delete', name: null, execution: null, id: 'audited' },
      ]);
    });
  });

  describe('outbox', () => {
    it('gives messages to one of many takers and forgets published ones', async () => {
      const messages = [1, 2, 3].map((number) => ({ exchange: 'x', routingKey: 'r', body: { number } }));
      const stored = await database.transaction((transaction) => addToOutbox(transaction, messages));
      expect(stored.map(({ body }) => body)).to.deep.equal([{ number: 1 }, { number: 2 }, { number: 3 }]);
      expect(await takeLeftOver(database, 60, 10)).to.deep.equal([]);
      await database.transaction(async (one) => {
        const first = await takeLeftOver(one, 0, 2);
        const second = await database.transaction((other) => takeLeftOver(other, 0, 10));
        expect([first.length, second.length]).to.deep.equal([2, 1]);
        await deletePublished(
          one,
          first.map(({ id }) => id),
        );
      });
      expect((await takeLeftOver(database, 0, 10)).map(({ body }) => body)).to.deep.equal([{ number: 3 }]);
      expect(await addToOutbox(database, [])).to.deep.equal([]);
    });
  });

  describe('when the server goes away', () => {
    let server: PostgresServer;
    let other: Database;

    beforeEach(async () => {
      server = await PostgresServer.start();
      other = await connectDatabase({ url: server.url(), poolSize: 3, log });
    });
    afterEach(async () => {
      await other.close();
      await server.stop();
    });

    it('fails with errors that may be retried, and works again when it is back', async () => {
      await other.query('create table kept (id integer)');
      const cut = other.transaction(async (transaction) => {
        await transaction.query('insert into kept values (1)');
        await server.halt('SIGQUIT');
        await transaction.query('insert into kept values (2)');
      });
      const error = await cut.catch((thrown: unknown) => thrown);
      expect(isConnectionError(error), String(error)).to.equal(true);
      const refused = await other.query('select 1').catch((thrown: unknown) => thrown);
      expect(isConnectionError(refused), String(refused)).to.equal(true);
      expect(asUnavailable(refused)).to.include({ code: 'manager_unavailable', status: 503 });
      await server.resume();
      await other.waitUntilReady();
      expect(await other.query('select * from kept')).to.deep.equal([]);
    });

    it('listens again, and tells that something may have been missed', async () => {
      const heard: (string | undefined)[] = [];
      await other.listen('news', (payload) => heard.push(payload));
      await other.query(`select pg_notify('news', 'before')`);
      await until('the first notification', () => heard.length === 1);
      await server.halt('SIGQUIT');
      await server.resume();
      await until('the listener to be back', () => heard.length === 2);
      await other.query(`select pg_notify('news', 'after')`);
      await until('the last notification', () => heard.length === 3);
      expect(heard).to.deep.equal(['before', undefined, 'after']);
    });
  });

  describe('at start', () => {
    it('says in one sentence that nobody answers, without the password', async () => {
      const silent = createServer().listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const address = silent.address();
      const port = typeof address === 'object' ? address?.port : 0;
      silent.close();
      const url = `postgres://user:hidden@127.0.0.1:${port}/gantry`;
      const attempt = connectDatabase({ url, poolSize: 2, log, connectTimeout: 100 });
      const message = String(await attempt.catch((error: unknown) => error));
      expect(message).to.match(/Cannot use the database at postgres:\/\/user@127\.0\.0\.1.*Check that PostgreSQL runs/);
      expect(message).not.to.contain('hidden');
      expect(withoutPassword('nonsense')).to.equal('the configured URL');
      expect(withoutPassword('postgres://user:hidden@one:1,two:2/gantry?sslkey=hidden')).to.equal(
        'postgres://user@one:1/gantry or postgres://user@two:2/gantry',
      );
    });

    it('gives up at once when it is not let in, or told to stop', async () => {
      const wrong = test.url.replace(/\/[^/]*$/, '/no_such_database');
      const refused = connectDatabase({ url: wrong, poolSize: 2, log });
      expect(String(await refused.catch((error: unknown) => error))).to.contain('no_such_database');
      const nowhere = { url: 'postgres://127.0.0.1:1/x', poolSize: 2, log };
      const stopped = connectDatabase(nowhere, AbortSignal.abort(new Error('stopped')));
      expect(String(await stopped.catch((error: unknown) => error))).to.contain('stopped');
    });
  });

  it('tells every process on a channel what another one notified, until it stops listening', async () => {
    const heard: string[] = [];
    const stop = await database.listen('a channel', (payload) => heard.push(payload ?? ''));
    const stopOther = await database.listen('other', () => {
      throw new Error('a handler failed');
    });
    await database.query(`select pg_notify('other', ''), pg_notify('a channel', 'one')`);
    await until('the notification', () => heard.length === 1);
    await stop();
    await database.query(`select pg_notify('a channel', 'two')`);
    const again = await database.listen('a channel', (payload) => heard.push(payload ?? ''));
    await database.query(`select pg_notify('a channel', 'three')`);
    await until('the notification', () => heard.length === 2);
    await Promise.all([again(), stopOther()]);
    expect(heard).to.deep.equal(['one', 'three']);
  });
});
