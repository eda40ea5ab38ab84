import type { BrokerConnection } from '../amqp/connection.ts';
import type { Config } from '../config/config.ts';
import type { Clock, IdGenerator } from '../domain/clock.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { isAnythingActive } from '../store/driving.ts';
import { createPartitions } from '../store/events.ts';
import { nextScheduledTime, takeDueExecutions } from '../store/execution-queue.ts';
import { changeExecutionStatus } from '../store/executions.ts';
import { forgetDeadProcesses } from '../store/processes.ts';
import { ensureBrokerAccounts, removeBrokerLeftovers } from './broker-accounts.ts';
import type { BrokerAccountsDependencies } from './broker-accounts.ts';
import { dequeueExecutions } from './dequeue.ts';
import { Job } from './job.ts';
import { Leadership } from './leader.ts';
import { OrphanRecovery } from './orphan-recovery.ts';
import { graceSeconds, sweepOutbox } from './outbox-sweep.ts';
import { runDueSchedules } from './schedules.ts';

export interface SchedulerDependencies {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  clock: Clock;
  newId: IdGenerator;
  /** What tenants have on the broker is kept up with; undefined = nobody manages it. */
  brokerAccounts?: Pick<BrokerAccountsDependencies, 'accounts' | 'encrypt' | 'decrypt'>;
}

export interface Scheduler {
  /** Whether this process is the one that acts. */
  readonly isLeader: boolean;
  stop(): Promise<void>;
}

const hour = 3600 * 1000;
const longestTimer = 24 * hour;
const dueBatch = 100;
const partitionsAhead = 3;
/** Seconds after which a process without heartbeat is not even shown any more. */
const forgottenAfter = 24 * 3600;

/** Starts the caretaker: one process of all acts, the others wait to take over. */
export async function startScheduler(dependencies: SchedulerDependencies): Promise<Scheduler> {
  const scheduler = new Caretaker(dependencies);
  scheduler.start();
  return scheduler;
}

class Caretaker implements Scheduler {
  readonly #dependencies: SchedulerDependencies;
  readonly #leadership: Leadership;
  #term: Promise<Term> | undefined;
  #ending: Promise<void> = Promise.resolve();

  constructor(dependencies: SchedulerDependencies) {
    this.#dependencies = dependencies;
    const { database, log } = dependencies;
    this.#leadership = new Leadership(database, log, (isLeader) => this.#changed(isLeader));
  }

  get isLeader(): boolean {
    return this.#leadership.isLeader;
  }

  start(): void {
    this.#leadership.start();
  }

  async stop(): Promise<void> {
    await this.#leadership.stop();
    await this.#ending;
  }

  #changed(isLeader: boolean): void {
    const { log } = this.#dependencies;
    if (isLeader) {
      log.info('This process is the scheduler now');
      this.#term = Term.begin(this.#dependencies);
      this.#term.catch((error: unknown) => log.error('The scheduler could not begin', { error }));
      return;
    }
    const term = this.#term;
    this.#term = undefined;
    this.#ending = this.#ending.then(async () => (await term?.catch(() => undefined))?.end());
  }
}

/** What the scheduler does while it is the leader. */
class Term {
  readonly #jobs: readonly Job[];
  #unlisten: (() => Promise<void>)[] = [];

  private constructor(jobs: readonly Job[]) {
    this.#jobs = jobs;
  }

  static async begin(dependencies: SchedulerDependencies): Promise<Term> {
    const { database, broker, log, config, clock } = dependencies;
    const orphans = new OrphanRecovery(dependencies);
    const { staleAfterSeconds } = config.executor;
    const orphanPause = (staleAfterSeconds * 1000) / 2;
    const outbox = new Job({ name: 'outbox', log, work: () => sweepOutbox(database, broker, log) });
    const queue = new Job({
      name: 'queue',
      log,
      work: async () => {
        await dequeueExecutions(database, broker, log);
        return undefined;
      },
    });
    const due = new Job({ name: 'due executions', log, work: () => queueDueExecutions(database, clock) });
    const schedules = new Job({ name: 'schedules', log, work: () => runDueSchedules(dependencies) });
    const recovery = new Job({
      name: 'orphans',
      log,
      // nobody tells when a process dies: only a heartbeat that stays away shows it
      work: async () => {
        await orphans.run(staleAfterSeconds);
        return (await isAnythingActive(database)) ? orphanPause : undefined;
      },
    });
    const upkeep = new Job({
      name: 'upkeep',
      log,
      work: async () => {
        await createPartitions(database, partitionsAhead);
        await forgetDeadProcesses(database, forgottenAfter);
        return hour;
      },
    });
    const accounts = accountsJob(dependencies);
    const term = new Term([outbox, queue, due, schedules, recovery, upkeep, accounts]);
    term.#unlisten = [
      await database.listen('gantry_outbox', () => outbox.askIn(graceSeconds * 1000 + 100)),
      await database.listen('gantry_schedules', () => schedules.ask()),
      await database.listen('gantry_broker_leftovers', () => accounts.ask()),
      await database.listen('gantry_queue', (status) => {
        // undefined: something may have been missed
        if (status !== 'scheduled') {
          queue.ask();
        }
        if (status === 'scheduled' || status === undefined) {
          due.ask();
        }
      }),
      await database.listen('gantry_executions', () => recovery.askIn(orphanPause)),
    ];
    term.#jobs.forEach((job) => job.ask());
    return term;
  }

  async end(): Promise<void> {
    await Promise.all(this.#unlisten.map((unlisten) => unlisten()));
    await Promise.all(this.#jobs.map((job) => job.stop()));
  }
}

/** Keeps what tenants and agents have on the broker in step with the database. */
function accountsJob({ brokerAccounts, database, log }: SchedulerDependencies): Job {
  let isEnsured = false;
  return new Job({
    name: 'broker accounts',
    log,
    work: async () => {
      if (!brokerAccounts) {
        return undefined;
      }
      const all = { ...brokerAccounts, database, log };
      if (!isEnsured) {
        await ensureBrokerAccounts(all);
        isEnsured = true;
      }
      return removeBrokerLeftovers(all);
    },
  });
}

/** Queues executions whose scheduled time has come. @returns milliseconds until the next one is due */
async function queueDueExecutions(database: Database, clock: Clock): Promise<number | undefined> {
  const count = await database.transaction(async (transaction) => {
    const executions = await takeDueExecutions(transaction, dueBatch);
    for (const { id } of executions) {
      await changeExecutionStatus(transaction, id, { event: 'due' });
    }
    return executions.length;
  });
  if (count === dueBatch) {
    return 0;
  }
  const next = await nextScheduledTime(database);
  return next === undefined ? undefined : Math.min(longestTimer, Math.max(0, next.getTime() - clock.now()));
}
