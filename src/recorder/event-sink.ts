import type { EventInput } from '../domain/entities.ts';
import type { Logger } from '../log/logger.ts';
import { isConnectionError } from '../store/database-errors.ts';
import { insertEvents } from '../store/events.ts';
import type { Session } from '../store/session.ts';
import { withoutStored } from '../store/stored-events.ts';
import { GroupCommit } from './group-commit.ts';

const batchSize = 2000;
const flushDelay = 20;
/** Lines kept while the store cannot be reached; beyond it writers wait. */
const softLimit = 20_000;
const retryDelay = 500;

/**
 * Stores log lines and events of this process in batches, beside whatever produces them. A failing store delays it,
 * never the operation: lines wait in memory, and writers that ask are slowed down above a limit.
 */
export class EventSink {
  readonly #log: Logger;
  readonly #group: GroupCommit<EventInput>;
  #isStopped = false;

  constructor(session: Session, log: Logger) {
    this.#log = log;
    this.#group = new GroupCommit<EventInput>({
      maxItems: batchSize,
      delay: flushDelay,
      commit: async (events) => {
        await this.#store(session, events);
        return [];
      },
    });
  }

  /**
   * Takes a line; never throws.
   * @returns a promise when the writer had better wait for it before it writes more
   */
  add(event: EventInput): void | Promise<void> {
    const stored = this.#group.add(event).catch(() => undefined);
    return this.#group.size > softLimit ? stored : undefined;
  }

  /** Stores what is left; gives up on lines that cannot be stored now. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#group.drained();
  }

  async #store(session: Session, events: readonly EventInput[]): Promise<void> {
    let left = events;
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        left = isRepeated ? await withoutStored(session, events) : events;
        await insertEvents(session, left);
        return;
      } catch (error) {
        if (!isConnectionError(error) || this.#isStopped) {
          this.#log.error('Log lines of operations could not be stored', { count: left.length, error });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, retryDelay));
      }
    }
  }
}
