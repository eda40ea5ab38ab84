import { expect } from 'chai';
import { silentLogger } from '../../src/log/logger.ts';
import { connectDatabase } from '../../src/store/database.ts';
import type { Database } from '../../src/store/database.ts';
import { isConnectionError } from '../../src/store/database-errors.ts';
import { migrate } from '../../src/store/migrate.ts';
import { findPrimary } from '../../src/store/primary.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { until } from '../kit/until.ts';

describe('a database of a primary and a standby', function () {
  this.timeout(60_000);
  let primary: PostgresServer;
  let standby: PostgresServer;
  let database: Database;
  /** The standby first. */
  let url: string;

  before(async () => {
    primary = await PostgresServer.start();
    standby = await primary.startStandby();
    url = `postgres://postgres@127.0.0.1:${standby.port},127.0.0.1:${primary.port}/postgres`;
    database = await connectDatabase({ url, poolSize: 3, log: silentLogger });
  });
  after(async () => {
    await database.close();
    await Promise.all([primary.stop(), standby.stop()]);
  });

  const caughtUp = async (): Promise<boolean> => {
    const [row] = await primary.ask<{ done: boolean }>(
      'select replay_lsn >= pg_current_wal_lsn() as done from pg_stat_replication',
    );
    return row?.done === true;
  };

  /** Tries until the connections have found the server; anything but a lost connection is a failure. */
  const goesOn = async (work: () => Promise<unknown>): Promise<unknown> =>
    until('the new primary', async () =>
      work().then(
        () => true,
        (error: unknown) => {
          expect(isConnectionError(error), String(error)).to.equal(true);
          return false;
        },
      ),
    );

  it('is used at the primary, whichever place that has in the URL', async () => {
    await migrate({ url, log: silentLogger });
    await database.query('create table sample (id integer primary key)');
    await database.transaction(async (transaction) => transaction.query('insert into sample values (1)'));
    expect(await primary.ask('select id from sample')).to.deep.equal([{ id: 1 }]);
    expect(await findPrimary(url)).to.include(`:${primary.port}/`);
  });

  it('counts a server that takes no changes any more as lost, and does not use its connection again', async () => {
    const failure = await database
      .transaction(async (transaction) => {
        await transaction.query('set transaction read only');
        await transaction.query('insert into sample values (2)');
      })
      .catch((error: unknown) => error);
    expect(isConnectionError(failure), String(failure)).to.equal(true);
    expect(database.poolState.busy).to.equal(0);
  });

  it('goes on at the standby when that is promoted, and tells listeners to look for themselves', async () => {
    const heard: (string | undefined)[] = [];
    await database.listen('sample', (payload) => heard.push(payload));
    await until('the standby to have everything', caughtUp);
    await primary.crash();
    await standby.promote();
    await goesOn(async () =>
      database.transaction(async (transaction) => transaction.query('insert into sample values (3)')),
    );
    expect(await database.query('select id from sample order by id')).to.deep.equal([{ id: 1 }, { id: 3 }]);
    await until('the listener', () => heard.includes(undefined));
    await goesOn(async () => database.query(`notify sample, 'hello'`));
    await until('a notification', () => heard.includes('hello'));
  });
});
