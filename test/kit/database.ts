/** A database of its own, migrated and set up, for every test file that asks. */
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { silentLogger } from '../../src/log/logger.ts';
import { bootstrap } from '../../src/store/bootstrap.ts';
import type { Database } from '../../src/store/database.ts';
import { connectDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { testServerUrl } from './postgres.ts';

export interface TestDatabase {
  url: string;
  database: Database;
  /** Closes the connections and drops the database. */
  close(): Promise<void>;
}

/** Password of the user admin in every database made by `createMigratedDatabase`. */
export const adminPassword = 'a-password-for-tests';

let template: Promise<string> | undefined;

function urlOf(serverUrl: string, name: string): string {
  return serverUrl.replace(/\/[^/]*$/, `/${name}`);
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Makes an empty database; returns its URL. */
export async function createEmptyDatabase(): Promise<string> {
  const serverUrl = await testServerUrl();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await execute(serverUrl, `create database ${name}`);
  return urlOf(serverUrl, name);
}

export async function dropDatabase(url: string): Promise<void> {
  await execute(await testServerUrl(), `drop database if exists ${url.slice(url.lastIndexOf('/') + 1)} with (force)`);
}

async function createTemplate(): Promise<string> {
  const url = await createEmptyDatabase();
  await migrate({ url, log: silentLogger });
  const passwordFile = join(tmpdir(), `gantry-test-password-${process.pid}`);
  await writeFile(passwordFile, adminPassword);
  const database = await connectDatabase({ url, poolSize: 1, log: silentLogger });
  try {
    await bootstrap(database, { adminPasswordFile: passwordFile, log: silentLogger });
  } finally {
    await database.close();
    await rm(passwordFile, { force: true });
  }
  return url.slice(url.lastIndexOf('/') + 1);
}

/** Copies a migrated database with the administrator (id 0) and default_tenant (id 0); returns its URL. */
export async function createMigratedDatabase(): Promise<string> {
  const serverUrl = await testServerUrl();
  template ??= createTemplate();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await execute(serverUrl, `create database ${name} template ${await template}`);
  return urlOf(serverUrl, name);
}

/** A connection to a database of `createMigratedDatabase`. */
export async function createTestDatabase(options: { poolSize?: number } = {}): Promise<TestDatabase> {
  const url = await createMigratedDatabase();
  const database = await connectDatabase({ url, poolSize: options.poolSize ?? 8, log: silentLogger });
  return {
    url,
    database,
    close: async () => {
      await database.close();
      await dropDatabase(url);
    },
  };
}
