import knexModule from 'knex';
import type { Knex } from 'knex';
import pg from 'pg';
import { migrations as shippedMigrations } from '../../migrations/index.ts';
import type { Migration } from '../../migrations/index.ts';
import type { Logger } from '../log/logger.ts';
import { readDatabaseUrl, unreachable } from './database-address.ts';
import { findPrimary } from './primary.ts';

export interface MigrateOptions {
  /** postgres:// URL (of one server or several) of a user that owns the schema. */
  url: string;
  log: Logger;
  /** Tests pass their own. */
  migrations?: readonly Migration[];
}

/** Any number nobody else uses: processes that start together migrate one after the other. */
const lockKey = 7_163_001;

/** Runs `work` while no other process migrates. The connection holds the lock and nothing else. */
async function whileLocked<Result>(given: string, work: (url: string) => Promise<Result>): Promise<Result> {
  const url = await findPrimary(given).catch((error: unknown) => {
    throw unreachable(given, error);
  });
  const client = new pg.Client({ ...readDatabaseUrl(url), application_name: 'gantry-migrate' });
  client.on('error', () => undefined);
  await client.connect().catch((error: unknown) => {
    throw unreachable(url, error);
  });
  try {
    await client.query('select pg_advisory_lock($1)', [lockKey]);
    return await work(url);
  } finally {
    await client.end();
  }
}

/** knex reads a ? as a place for a value; none is meant in a migration. */
function statements(text: string): string {
  return text.replaceAll('?', '\\?');
}

function sourceOf(migrations: readonly Migration[]): Knex.MigrationSource<Migration> {
  return {
    getMigrations: async () => [...migrations],
    getMigrationName: (migration) => migration.name,
    getMigration: async (migration) => ({
      up: async (knex) => {
        await knex.raw(statements(migration.up));
        await knex('schema_marks').insert({ name: migration.name, is_breaking: migration.isBreaking });
      },
      down: async (knex) => {
        await knex.raw(statements(migration.down));
        await knex('schema_marks').where({ name: migration.name }).delete();
      },
    }),
  };
}

async function withKnex<Result>(options: MigrateOptions, work: (knex: Knex) => Promise<Result>): Promise<Result> {
  const knex = knexModule({
    client: 'pg',
    connection: { ...readDatabaseUrl(options.url), application_name: 'gantry-migrate' } as Knex.PgConnectionConfig,
    pool: { min: 0, max: 1 },
    migrations: {
      migrationSource: sourceOf(options.migrations ?? shippedMigrations),
      // a newer program may have migrated further
      disableMigrationsListValidation: true,
    },
    log: {
      debug: () => undefined,
      deprecate: () => undefined,
      warn: (message: string) => options.log.debug('Migration notice', { message }),
      error: (message: string) => options.log.error('Migration failed', { message }),
    },
  });
  try {
    return await work(knex);
  } finally {
    await knex.destroy();
  }
}

/** @throws Error when a newer program has changed the schema in a way this one cannot work with */
async function refuseNewerSchema(knex: Knex, migrations: readonly Migration[]): Promise<void> {
  const known = migrations.map(({ name }) => name);
  const marks = await knex<{ name: string; is_breaking: boolean }>('schema_marks')
    .where('is_breaking', true)
    .whereNotIn('name', known)
    .orderBy('name')
    .pluck('name');
  if (marks.length > 0) {
    throw new Error(
      `The database was changed by a newer version of this program (migration ${marks.join(', ')}) in a way this version cannot work with. Start the newer version, or restore a backup from before the upgrade.`,
    );
  }
}

async function prepare(knex: Knex, migrations: readonly Migration[]): Promise<void> {
  await knex.raw(
    'create table if not exists schema_marks (name text primary key, is_breaking boolean not null, applied_at timestamptz not null default now())',
  );
  await refuseNewerSchema(knex, migrations);
  // whoever holds the advisory lock is alone: a lock row that is left is that of a process that died
  if (await knex.schema.hasTable('knex_migrations_lock')) {
    await knex.migrate.forceFreeMigrationsLock();
  }
}

/**
 * Brings the schema up to date. Safe to call from any number of processes at once.
 * @returns the names of the migrations that ran
 * @throws Error with one sentence when the schema is too new for this program
 */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const migrations = options.migrations ?? shippedMigrations;
  return whileLocked(options.url, (url) =>
    withKnex({ ...options, url }, async (knex) => {
      await prepare(knex, migrations);
      const [, ran] = (await knex.migrate.latest()) as [number, (string | Migration)[]];
      const names = ran.map((entry) => (typeof entry === 'string' ? entry : entry.name));
      if (names.length > 0) {
        options.log.info('Database migrated', { migrations: names });
      }
      return names;
    }),
  );
}

/** Takes the last migration back; returns its name, undefined when there was none. */
export async function migrateDown(options: MigrateOptions): Promise<string | undefined> {
  const migrations = options.migrations ?? shippedMigrations;
  return whileLocked(options.url, (url) =>
    withKnex({ ...options, url }, async (knex) => {
      await prepare(knex, migrations);
      const [, [last]] = (await knex.migrate.down()) as [number, (string | Migration)[]];
      return typeof last === 'object' ? last.name : last;
    }),
  );
}
