import { setTimeout as delay } from 'node:timers/promises';
import { coerceError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';

export interface FollowOptions<Value> {
  readonly database: Pick<Database, 'listen'>;
  /** Channel that is notified when the value may have changed. */
  readonly channel: string;
  readonly read: () => Promise<Value>;
  readonly log: Logger;
  /** Names the value in log lines. */
  readonly what: string;
}

/** A value of the database that is read again whenever it may have changed. */
export interface FollowedValue<Value> {
  readonly current: Value;
  /** Resolves when a reading that began after the call has ended. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** Milliseconds before a reading that failed is repeated. */
const retryPause = 1000;

/**
 * Reads a value and follows its changes. There is one reading at a time, so that the result of an earlier one never
 * replaces that of a later one; one that fails is repeated, since no other notification may come.
 */
export async function followValue<Value>(options: FollowOptions<Value>): Promise<FollowedValue<Value>> {
  const { database, channel, read, log, what } = options;
  const stopping = new AbortController();
  let reading: Promise<void> | undefined;
  let isOutdated = false;
  let current = undefined as Value;

  const readUntilCurrent = async (): Promise<void> => {
    while (isOutdated && !stopping.signal.aborted) {
      isOutdated = false;
      try {
        current = await read();
      } catch (error) {
        isOutdated = true;
        log.warn('A value could not be read from the database; retrying', { what, reason: coerceError(error).message });
        await delay(retryPause, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
    reading = undefined;
  };
  const reload = (): Promise<void> => {
    isOutdated = true;
    reading ??= readUntilCurrent();
    return reading;
  };
  const stopListening = await database.listen(channel, () => void reload());
  await reload();
  return {
    get current() {
      return current;
    },
    reload,
    stop: async () => {
      stopping.abort();
      await stopListening();
      await reading;
    },
  };
}
