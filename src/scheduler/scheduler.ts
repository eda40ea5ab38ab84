import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerConnection } from '../amqp/connection.ts';
import { OutageWatch } from '../amqp/outage-watch.ts';
import type { ConnectionUser } from '../amqp/transport.ts';
import type { Config } from '../config/config.ts';
import type { Clock, IdGenerator } from '../domain/clock.ts';
import type { FileStore } from '../files/file-store.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import type { NotificationHandler } from '../store/listener.ts';
import { isAnythingActive } from '../store/driving.ts';
import { createPartitions } from '../store/events.ts';
import { nextScheduledTime, takeDueExecutions } from '../store/execution-queue.ts';
import { changeExecutionStatuses } from '../store/executions.ts';
import { forgetDeadProcesses } from '../store/processes.ts';
import { ensureBrokerAccounts, removeBrokerLeftovers } from './broker-accounts.ts';
import type { BrokerAccountsDependencies } from './broker-accounts.ts';
import { Dequeuer } from './dequeue.ts';
import { Job } from './job.ts';
import { Leadership } from './leader.ts';
import { OrphanRecovery } from './orphan-recovery.ts';
import { graceSeconds, sweepOutbox } from './outbox-sweep.ts';
import { removeOld } from './retention.ts';
import { runDueSchedules } from './schedules.ts';

/** Milliseconds after which nobody works on an unfinished file any more. */
const unfinishedFor = 24 * 3600 * 1000;

export interface SchedulerDependencies {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  clock: Clock;
  newId: IdGenerator;
  /** Manages vhosts and users of tenants on the broker; undefined = not managed. */
  brokerAccounts?: Pick<BrokerAccountsDependencies, 'accounts' | 'encrypt' | 'decrypt'>;
  /** Seconds without heartbeat after which another process counts as dead. */
  staleAfter: () => number;
  /** Where killed processes leave unfinished files; undefined = elsewhere. */
  files?: Pick<FileStore, 'removeUnfinished'>;
}

export interface Scheduler {
  /** Whether this process is the one that acts. */
  readonly isLeader: boolean;
  stop(): Promise<void>;
}

const hour = 3600 * 1000;
/** Milliseconds to wait before this process stands again when it could not begin. */
const standPause = 1000;
/** Milliseconds without the broker after which the leadership is given up. */
const brokerPatience = 30_000;
const longestTimer = 24 * hour;
const dueBatch = 100;
const partitionsAhead = 3;
/** Seconds after which a process without heartbeat is not even shown any more. */
const forgottenAfter = 24 * 3600;

/** Starts the scheduler: one process of all is active, the others stand by. */
export async function startScheduler(dependencies: SchedulerDependencies): Promise<Scheduler> {
  const scheduler = new StandbyScheduler(dependencies);
  scheduler.start();
  return scheduler;
}

/** Competes for the leadership, and runs the jobs of the scheduler while it has that. */
class StandbyScheduler implements Scheduler {
  readonly #dependencies: SchedulerDependencies;
  readonly #brokerWatch: OutageWatch;
  #leadership: Leadership | undefined;
  #isStopped = false;
  #term: Promise<Term> | undefined;
  #ending: Promise<void> = Promise.resolve();

  constructor(dependencies: SchedulerDependencies) {
    this.#dependencies = dependencies;
    this.#brokerWatch = new OutageWatch(
      brokerPatience,
      () => void this.#withdraw(),
      () => this.#stand(),
    );
  }

  get isLeader(): boolean {
    return this.#leadership?.isLeader ?? false;
  }

  start(): void {
    this.#stand();
    // counts from the start, until there is a connection
    this.#brokerWatch.disconnected();
    this.#dependencies.broker.addUser(this.#brokerWatch);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#dependencies.broker.removeUser(this.#brokerWatch);
    this.#brokerWatch.stop();
    await this.#withdraw();
    await this.#ending;
  }

  #stand(): void {
    if (this.#isStopped || this.#leadership) {
      return;
    }
    const { database, log, staleAfter } = this.#dependencies;
    const onChange = (isLeader: boolean): void => this.#changed(isLeader);
    this.#leadership = new Leadership({ database, log, staleAfter, onChange });
    this.#leadership.start();
  }

  /** A leader without a connection to the broker can do nothing, and would keep others from it. */
  async #withdraw(): Promise<void> {
    const leadership = this.#leadership;
    this.#leadership = undefined;
    await leadership?.stop();
  }

  #changed(isLeader: boolean): void {
    const { log } = this.#dependencies;
    if (isLeader) {
      log.info('This process is the scheduler now');
      this.#term = Term.begin(this.#dependencies);
      this.#term.catch((error: unknown) => {
        // another process may be able to
        log.warn('The scheduler could not start; waiting for the leadership again', { error });
        void this.#withdraw()
          .then(() => delay(standPause))
          .then(() => this.#stand());
      });
      return;
    }
    const term = this.#term;
    this.#term = undefined;
    this.#ending = this.#ending.then(async () => (await term?.catch(() => undefined))?.end());
  }
}

/** The jobs of the scheduler while this process is the leader. */
class Term {
  readonly #jobs: readonly Job[];
  readonly #dequeuer: Dequeuer;
  readonly #unlisten: (() => Promise<void>)[] = [];

  private constructor(jobs: readonly Job[], dequeuer: Dequeuer) {
    this.#jobs = jobs;
    this.#dequeuer = dequeuer;
  }

  static async begin(dependencies: SchedulerDependencies): Promise<Term> {
    const { database, broker, log, clock, staleAfter } = dependencies;
    const orphans = new OrphanRecovery(dependencies);
    const { staleAfterSeconds } = dependencies.config.executor;
    const orphanPause = (staleAfterSeconds * 1000) / 2;
    const outbox = new Job({ name: 'outbox', log, work: () => sweepOutbox(database, broker, log) });
    const dequeuer = new Dequeuer(database, broker, log);
    const queue = new Job({
      name: 'queue',
      log,
      work: async () => {
        await dequeuer.run();
        return undefined;
      },
    });
    const due = new Job({ name: 'due executions', log, work: () => queueDueExecutions(database, clock) });
    const schedules = new Job({ name: 'schedules', log, work: () => runDueSchedules(dependencies) });
    const recovery = new Job({
      name: 'orphans',
      log,
      // the death of a process causes no notification; only its heartbeat stops
      work: async () => {
        await orphans.run(staleAfter());
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
    const retention = new Job({
      name: 'retention',
      log,
      work: async (signal) => {
        await removeOld(dependencies, signal);
        await dependencies.files?.removeUnfinished(dependencies.clock.now() - unfinishedFor);
        return hour;
      },
    });
    const accounts = accountsJob(dependencies);
    const term = new Term([outbox, queue, due, schedules, recovery, upkeep, retention, accounts.job], dequeuer);
    await term.#listen(database, {
      gantry_outbox: () => outbox.askIn(graceSeconds * 1000 + 100),
      gantry_schedules: () => schedules.ask(),
      gantry_broker_leftovers: () => accounts.job.ask(),
      gantry_queue: (status) => {
        // undefined: notifications may have been missed
        if (status !== 'scheduled') {
          queue.ask();
        }
        if (status === 'scheduled' || status === undefined) {
          due.ask();
        }
      },
      gantry_executions: () => recovery.askIn(orphanPause),
    });
    broker.addUser(accounts);
    term.#unlisten.push(async () => broker.removeUser(accounts));
    term.#jobs.forEach((job) => job.ask());
    return term;
  }

  async #listen(database: Database, handlers: Readonly<Record<string, NotificationHandler>>): Promise<void> {
    try {
      for (const [channel, handler] of Object.entries(handlers)) {
        this.#unlisten.push(await database.listen(channel, handler));
      }
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#unlisten.map((unlisten) => unlisten()));
    await Promise.all(this.#jobs.map((job) => job.stop()));
    await this.#dequeuer.settled();
  }
}

/**
 * Keeps what tenants and agents have on the broker in step with the database. A broker that comes back may have lost
 * it, or be another one.
 */
function accountsJob({ brokerAccounts, database, log }: SchedulerDependencies): ConnectionUser & { job: Job } {
  let isEnsured = false;
  const job = new Job({
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
  return {
    job,
    connected: () => job.ask(),
    disconnected: () => {
      isEnsured = false;
    },
    closed: async () => undefined,
  };
}

/** Queues executions whose scheduled time has come. @returns milliseconds until the next one is due */
async function queueDueExecutions(database: Database, clock: Clock): Promise<number | undefined> {
  const count = await database.transaction(async (transaction) => {
    const executions = await takeDueExecutions(transaction, dueBatch);
    const ids = executions.map(({ id }) => id);
    if (ids.length > 0) {
      await changeExecutionStatuses(transaction, ids, { event: 'due' });
    }
    return ids.length;
  });
  if (count === dueBatch) {
    return 0;
  }
  const next = await nextScheduledTime(database);
  return next === undefined ? undefined : Math.min(longestTimer, Math.max(0, next.getTime() - clock.now()));
}
