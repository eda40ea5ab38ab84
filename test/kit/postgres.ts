/** One PostgreSQL for a whole run of mocha, started when the first test asks for it. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'mocha';
import { silentLogger } from '../../src/log/logger.ts';
import type { EmbeddedPostgres } from '../../src/store/postgres/embedded.ts';
import { startEmbeddedPostgres } from '../../src/store/postgres/embedded.ts';

interface TestServer {
  url: string;
  stop(): Promise<void>;
}

let server: Promise<TestServer> | undefined;

async function start(): Promise<TestServer> {
  const given = process.env['GANTRY_TEST_DATABASE_URL'];
  if (given) {
    return { url: given, stop: async () => undefined };
  }
  const directory = await mkdtemp(join(tmpdir(), 'gantry-test-'));
  // open for the account that root lends the server
  await chmod(directory, 0o755);
  const embedded: EmbeddedPostgres = await startEmbeddedPostgres({
    dataDir: directory,
    log: silentLogger,
    // a crash of the machine may take the tests' data with it
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  });
  return {
    url: embedded.url,
    stop: async () => {
      await embedded.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * URL of a database on a server that tests may use as they like. GANTRY_TEST_DATABASE_URL names another server than
 * the embedded one.
 */
export async function testServerUrl(): Promise<string> {
  server ??= start();
  return (await server).url;
}

after('stop the test server', async () => {
  const running = server;
  server = undefined;
  await (await running)?.stop();
});
