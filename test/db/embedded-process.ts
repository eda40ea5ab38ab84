/** Starts the embedded server of the directory it is given and runs until it is told to end. */
import { silentLogger } from '../../src/log/logger.ts';
import { startEmbeddedPostgres } from '../../src/store/postgres/embedded.ts';

const [dataDir = ''] = process.argv.slice(2);
const server = await startEmbeddedPostgres({ dataDir, log: silentLogger, settings: { fsync: 'off' } });
console.log('ready');
const alive = setInterval(() => undefined, 60_000);
process.once('SIGTERM', () => {
  clearInterval(alive);
  void server.stop();
});
