import type { Clock } from '../domain/clock.ts';
import { derivedId } from '../security/derived-id.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { deleteOldMarks, isDoneByAnother } from '../store/done-requests.ts';
import type { Once } from '../store/session.ts';

/** Knows which requests for changes were carried out already, whichever process did it. */
export interface DoneRequests {
  /** Whether another attempt of the same request was carried out. */
  isDone(once: Once): Promise<boolean>;
  /** Waits for what is being tidied up. */
  flush(): Promise<void>;
}

/** Minutes for which a request that is sent again is known. */
const keptMinutes = 60;
const tidyEvery = 10 * 60_000;

/** Makes the memory of requests; it tidies up behind itself while there are any. */
export function createDoneRequests(dependencies: { database: Database; clock: Clock; log: Logger }): DoneRequests & {
  /** To be told of every request that has a key. */
  noteKey(): void;
} {
  const { database, clock, log } = dependencies;
  let tidiedAt = clock.now();
  let tidying: Promise<void> = Promise.resolve();
  return {
    isDone: (once) => isDoneByAnother(database, once),

    noteKey() {
      if (clock.now() - tidiedAt < tidyEvery) {
        return;
      }
      tidiedAt = clock.now();
      tidying = deleteOldMarks(database, keptMinutes).catch((error: unknown) =>
        log.warn('Old idempotency keys could not be removed', { error }),
      );
    },

    flush: () => tidying,
  };
}

/** The id of the one thing that a request creates: the same whenever it is sent, a UUID. */
export function idFor({ key }: Once): string {
  return derivedId(`id ${key}`);
}
