import type { BrokerConnection } from '../amqp/connection.ts';
import { workflowQueue } from '../amqp/names.ts';
import { workflowMessage } from '../amqp/workflow-message.ts';
import type { Clock } from '../domain/clock.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { findOrphanedExecutions } from '../store/executions.ts';

/** Milliseconds after which an execution that is still not driven is announced again. */
const announcedFor = 60_000;

/** Announces executions that are active but not driven by a living process, so that an executor takes them. */
export class OrphanRecovery {
  readonly #database: Database;
  readonly #broker: BrokerConnection;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Execution id -> when it was announced. */
  readonly #announced = new Map<string, number>();

  constructor(dependencies: { database: Database; broker: BrokerConnection; clock: Clock; log: Logger }) {
    this.#database = dependencies.database;
    this.#broker = dependencies.broker;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /** @param staleAfter seconds without heartbeat after which a process counts as dead */
  async run(staleAfter: number): Promise<void> {
    const orphans = await findOrphanedExecutions(this.#database, staleAfter);
    const now = this.#clock.now();
    const orphanIds = new Set(orphans.map(({ id }) => id));
    for (const [id, time] of this.#announced) {
      // the process that took it may die as well; it is then announced at once, not after the rest of the time
      if (now - time > announcedFor || !orphanIds.has(id)) {
        this.#announced.delete(id);
      }
    }
    const unannounced = orphans.filter(({ id }) => !this.#announced.has(id));
    if (unannounced.length === 0 || !this.#broker.isConnected) {
      return;
    }
    const waiting = await this.#broker.inspectQueue(workflowQueue);
    if (waiting && waiting.messages > 0) {
      // executors have more than they can take; the messages of these executions may be among those that wait
      return;
    }
    const outcomes = await this.#broker.publishAll(
      unannounced.map((execution) => workflowMessage(execution)),
      { whenDown: 'fail' },
    );
    const published = unannounced.filter((_, index) => outcomes[index] === undefined);
    published.forEach(({ id }) => this.#announced.set(id, now));
    this.#log.warn('Executions of dead processes were sent to the executors again', {
      executions: published.map(({ id }) => id),
    });
  }
}
