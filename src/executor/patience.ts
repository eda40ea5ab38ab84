import { setTimeout as delay } from 'node:timers/promises';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import { isConnectionError } from '../store/database-errors.ts';
import { WriterStoppedError } from './progress-writer.ts';

const firstPause = 50;
const longestPause = 5000;

/**
 * Does work that only needs the database, as often as it takes the database to come back.
 * @param limit milliseconds after which the failure is thrown all the same
 * @throws WriterStoppedError when `stopping` is aborted while the database is away; what else the work throws
 */
export async function whileDatabaseAway<Result>(
  work: () => Promise<Result>,
  log: Logger,
  stopping: AbortSignal,
  limit = Infinity,
): Promise<Result> {
  const deadline = performance.now() + limit;
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    try {
      return await work();
    } catch (thrown) {
      if (!isConnectionError(thrown) || performance.now() > deadline) {
        throw thrown;
      }
      if (stopping.aborted) {
        throw new WriterStoppedError('The database cannot be reached while this process stops');
      }
      log.warn('Waiting for the database', { reason: coerceError(thrown).message });
      await delay(pause, undefined, { signal: stopping }).catch(() => undefined);
    }
  }
}
