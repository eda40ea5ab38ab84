import { expect } from 'chai';
import type { Migration } from '../../migrations/index.ts';
import { migrations } from '../../migrations/index.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { bootstrap } from '../../src/store/bootstrap.ts';
import type { Database } from '../../src/store/database.ts';
import { connectDatabase } from '../../src/store/database.ts';
import { createPartitions, insertEvents } from '../../src/store/events.ts';
import { migrate, migrateDown } from '../../src/store/migrate.ts';
import { createEmptyDatabase, dropDatabase } from '../kit/database.ts';
import { addExecution, addInstances, owner } from './samples.ts';

const log = silentLogger;

describe('database migrations', () => {
  let url: string;
  let database: Database;

  beforeEach(async () => {
    url = await createEmptyDatabase();
    database = await connectDatabase({ url, poolSize: 2, log });
  });
  afterEach(async () => {
    await database.close();
    await dropDatabase(url);
  });

  const tables = async (): Promise<string[]> => {
    const rows = await database.query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
       and relname !~ '^(knex_|schema_marks)' order by 1`,
    );
    return rows.map(({ name }) => name);
  };

  it('go up once, whatever the number of processes that start together', async () => {
    const ran = await Promise.all([1, 2, 3].map(() => migrate({ url, log })));
    expect(ran.flat()).to.deep.equal(migrations.map(({ name }) => name));
    expect(await migrate({ url, log })).to.deep.equal([]);
  });

  it('go down again to nothing, with rows in the tables', async () => {
    await migrate({ url, log });
    await bootstrap(database, { adminPasswordFile: '/dev/null', log });
    await addInstances(database, 3);
    const execution = await addExecution(database);
    await insertEvents(database, [
      { ...owner, kind: 'log', timestamp: new Date(), executionId: execution.id, message: 'hello' },
    ]);
    const names: string[] = [];
    for (let name = await migrateDown({ url, log }); name; name = await migrateDown({ url, log })) {
      names.push(name);
    }
    expect(names).to.deep.equal(migrations.map(({ name }) => name).toReversed());
    expect(await tables()).to.deep.equal([]);
    const rest = await database.query(
      `select proname from pg_proc where pronamespace = 'public'::regnamespace
       union all select typname from pg_type where typnamespace = 'public'::regnamespace and typtype = 'd'`,
    );
    expect(rest).to.deep.equal([]);
  });

  it('leave the schema as it was after down and up', async () => {
    await migrate({ url, log });
    const before = await tables();
    await migrateDown({ url, log });
    await migrate({ url, log });
    expect(await tables()).to.deep.equal(before);
  });

  it('go on after a process died while it held the lock of knex', async () => {
    const [first, ...others] = migrations;
    await migrate({ url, log, migrations: first ? [first] : [] });
    await database.query('update knex_migrations_lock set is_locked = 1');
    expect(await migrate({ url, log })).to.have.length(others.length);
  });

  it('leave nothing of a migration that fails', async () => {
    const broken: Migration = {
      name: '999-broken',
      isBreaking: false,
      up: 'create table half_done (id integer); select no_such_function()',
      down: '',
    };
    await migrate({ url, log });
    const error = await migrate({ url, log, migrations: [...migrations, broken] }).catch((thrown: unknown) => thrown);
    expect(String(error)).to.contain('no_such_function');
    expect(await tables()).not.to.contain('half_done');
    expect(await migrate({ url, log })).to.deep.equal([]);
  });

  it('refuse a schema that a newer version changed in a breaking way, and accept an additive one', async () => {
    const additive: Migration = { name: '998-additive', isBreaking: false, up: 'select 1', down: 'select 1' };
    await migrate({ url, log, migrations: [...migrations, additive] });
    expect(await migrate({ url, log })).to.deep.equal([]);
    await migrate({
      url,
      log,
      migrations: [...migrations, additive, { ...additive, name: '999-new', isBreaking: true }],
    });
    const error = await migrate({ url, log }).catch((thrown: unknown) => thrown);
    expect(String(error)).to.match(/newer version.*999-new.*Start the newer version/);
  });

  it('keep the partitions of events ahead of time', async () => {
    await migrate({ url, log });
    expect(await createPartitions(database, 3)).to.equal(0);
    expect(await createPartitions(database, 5)).to.equal(4);
    expect((await tables()).filter((name) => /^events_\d/.test(name))).to.have.length(6);
  });
});
