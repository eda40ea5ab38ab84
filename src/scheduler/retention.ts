import type { Clock } from '../domain/clock.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import type { RetentionName } from '../store/default-settings.ts';
import {
  deleteEmptyExecutionGroups,
  deleteExpiredTokens,
  deleteOldAuditRecords,
  deleteOldEvents,
  deleteOldExecutions,
  deleteOldGraphs,
  deleteOldModifications,
  dropOldPartitions,
} from '../store/retention.ts';
import { readSettings } from '../store/settings.ts';

export interface RetentionDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
}

const day = 24 * 3600 * 1000;
/** Small rows that are removed in one statement. */
const rowsAtOnce = 5000;
/** Rows of which each takes thousands of others with it. */
const largeAtOnce = 20;

/** Removes some of what is too old. @returns how many; none = nothing is left */
type Batch = () => Promise<number>;

/**
 * Removes what is older than the settings of the scope `retention` say; with 0 it stays for ever. Each batch is a
 * transaction of its own, and what another process has locked is left out, so that it may stop at any moment and run
 * beside itself.
 * @param signal aborted when it has to stop; the batch under way is finished
 * @returns how much was removed, by what it is; partitions count once
 */
export async function removeOld(
  dependencies: RetentionDependencies,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const { database, clock, log } = dependencies;
  const settings = await readSettings(database, 'retention');
  const limitOf = (name: RetentionName): Date | undefined => {
    const days = settings.get(name);
    return typeof days === 'number' && days > 0 ? new Date(clock.now() - days * day) : undefined;
  };
  const removed: Record<string, number> = {};
  for (const [what, batch] of batchesOf(database, limitOf)) {
    for (let count = 1; count > 0 && !signal.aborted;) {
      count = await batch();
      if (count > 0) {
        removed[what] = (removed[what] ?? 0) + count;
      }
    }
  }
  if (Object.keys(removed).length > 0) {
    log.info('Removed rows beyond their retention time', removed);
  }
  return removed;
}

/** Only once: what could not be dropped now will be the next time. */
function once(work: () => Promise<number>): Batch {
  let isDone = false;
  return async () => {
    const count = isDone ? 0 : await work();
    isDone = true;
    return count;
  };
}

function batchesOf(
  database: Database,
  limitOf: (name: RetentionName) => Date | undefined,
): (readonly [string, Batch])[] {
  const batches: (readonly [string, Batch])[] = [['expired tokens', once(() => deleteExpiredTokens(database))]];
  const [executions, operations] = [limitOf('executions_days'), limitOf('operations_days')];
  if (executions) {
    batches.push(
      ['executions', () => deleteOldExecutions(database, executions, largeAtOnce)],
      ['execution groups', () => deleteEmptyExecutionGroups(database, executions, rowsAtOnce)],
      ['deployment modifications', () => deleteOldModifications(database, executions, largeAtOnce)],
    );
  }
  if (operations) {
    batches.push(['tasks graphs', () => deleteOldGraphs(database, operations, largeAtOnce)]);
  }
  batches.push(...eventBatches(database, limitOf('events_days'), limitOf('logs_days')));
  const audit = limitOf('audit_log_days');
  if (audit) {
    batches.push(
      ['months of the audit log', once(async () => (await dropOldPartitions(database, 'audit_log', audit)).length)],
      ['audit records', () => deleteOldAuditRecords(database, audit, rowsAtOnce)],
    );
  }
  return batches;
}

/** Months in which both events and log lines are too old go as a whole. */
function eventBatches(
  database: Database,
  events: Date | undefined,
  logs: Date | undefined,
): (readonly [string, Batch])[] {
  const batches: (readonly [string, Batch])[] = [];
  if (events && logs) {
    const both = events < logs ? events : logs;
    const drop = async (): Promise<number> => (await dropOldPartitions(database, 'events', both)).length;
    batches.push(['months of events', once(drop)]);
  }
  if (events) {
    batches.push(['events', () => deleteOldEvents(database, 'event', events, rowsAtOnce)]);
  }
  if (logs) {
    batches.push(['log lines', () => deleteOldEvents(database, 'log', logs, rowsAtOnce)]);
  }
  return batches;
}
