import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Config } from '../config/config.ts';
import type { FileStore } from '../files/file-store.ts';
import { recentLines } from '../log/logger.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { logsWantedChannel, tellLogsGiven } from '../store/log-bundles.ts';

export interface LogCourier {
  stop(): Promise<void>;
}

/** Bytes of a log file that are given: its end says most. */
const mostBytes = 50 * 1024 * 1024;

/** The log file and those it was rotated to. */
async function filesOf(logFile: string): Promise<string[]> {
  const stem = basename(logFile, extname(logFile));
  const names = await readdir(dirname(logFile)).catch(() => []);
  return names.filter((name) => name.startsWith(stem)).map((name) => join(dirname(logFile), name));
}

/**
 * Gives the logs of this process to log bundles. Every process has one, whatever its roles and wherever it runs: only
 * it can read what it wrote, and the file server's directory is what all share.
 */
export async function startLogCourier(dependencies: {
  config: Config;
  log: Logger;
  database: Database;
  files: FileStore;
}): Promise<LogCourier> {
  const { config, log, database, files } = dependencies;
  let running: Promise<void> = Promise.resolve();

  const give = async (bundleId: string): Promise<void> => {
    const directory = files.logDirectory(bundleId);
    const { file } = config.log;
    for (const path of file === undefined ? [] : await filesOf(file)) {
      const { size } = await stat(path);
      const target = join(directory, `${config.instanceName}.${basename(path)}`);
      await pipeline(createReadStream(path, { start: Math.max(0, size - mostBytes) }), createWriteStream(target));
    }
    // lines that were not written to a file are kept in memory; the file is complete or absent
    const unfinished = join(directory, `.${config.instanceName}`);
    await writeFile(unfinished, recentLines(log).join(''));
    await rename(unfinished, join(directory, `${config.instanceName}.recent.log`));
    await tellLogsGiven(database, bundleId, config.instanceName);
  };

  const stop = await database.listen(logsWantedChannel, (bundleId) => {
    if (bundleId !== undefined && bundleId !== '') {
      running = running
        .then(() => give(bundleId))
        .catch((error: unknown) =>
          log.warn('The logs of this process could not be stored for the log bundle', { bundleId, error }),
        );
    }
  });
  return {
    stop: async () => {
      await stop();
      await running;
    },
  };
}
