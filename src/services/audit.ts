import type { AuditRecord } from '../domain/cluster.ts';
import { GantryError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import {
  addAuditRecords,
  auditLogEnd,
  deleteAuditRecords,
  listAuditRecords,
  tailAuditLog,
} from '../store/audit-log.ts';
import type { AuditFilter, AuditQuery, NewAuditRecord } from '../store/audit-log.ts';
import type { Database } from '../store/database.ts';
import { actorOf } from './dependencies.ts';
import type { Caller } from './caller.ts';

/** A request for a change that was refused. */
export interface RefusedRequest {
  readonly requestId: string;
  readonly method: string;
  /** Path without query, which may hold secrets. */
  readonly path: string;
  readonly status: number;
  readonly errorCode: string;
  readonly address: string;
  /** Undefined when the caller could not be identified. */
  readonly username: string | undefined;
  /** Undefined when the call was refused before, or has none. */
  readonly tenantId: number | undefined;
}

export interface AuditService {
  /** @throws GantryError bad_parameters_error */
  list(query: AuditQuery): Promise<{ items: AuditRecord[]; total: number }>;
  /** Batches of records as they are written, those since `filter.since` first; ends when `signal` is aborted. */
  follow(filter: AuditFilter, signal: AbortSignal): AsyncGenerator<readonly AuditRecord[]>;
  /** Removes records older than `filter.before`. @returns how many */
  truncate(caller: Caller, filter: AuditFilter & { before: Date }): Promise<number>;
  /** Adds records of another manager, when a snapshot is restored. */
  inject(records: readonly NewAuditRecord[]): Promise<void>;
  /** Notes a refusal; returns at once, and nothing fails when it cannot be stored. */
  noteRefusal(refused: RefusedRequest): void;
  /** Waits for what is being stored. */
  flush(): Promise<void>;
}

const batchSize = 500;
/** Refusals that may wait to be stored; who floods the manager with requests must not fill its memory. */
const mostWaiting = 1000;

const operations: Readonly<Record<string, AuditRecord['operation']>> = { PATCH: 'update', DELETE: 'delete' };

function recordOf(refused: RefusedRequest): NewAuditRecord {
  const { requestId, method, path, status, errorCode, address, username, tenantId } = refused;
  return {
    createdAt: new Date(),
    refTable: 'refused_requests',
    refId: status,
    operation: operations[method] ?? 'create',
    creatorName: username,
    executionId: undefined,
    refIdentifier: {
      id: `${method} ${path}`,
      name: errorCode,
      request_id: requestId,
      ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
    },
    address,
  };
}

/** Makes the use cases of the audit log; changes themselves are recorded by triggers of the database. */
export function createAuditService({ database, log }: { database: Database; log: Logger }): AuditService {
  const waiting: NewAuditRecord[] = [];
  let dropped = 0;
  let storing: Promise<void> | undefined;

  const storeWaiting = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, batchSize);
      try {
        await addAuditRecords(database, batch);
      } catch (error) {
        log.warn('Refused requests could not be written to the audit log', { count: batch.length, error });
      }
    }
    if (dropped > 0) {
      log.warn('Too many refused requests for the audit log; some are not recorded', { count: dropped });
      dropped = 0;
    }
  };

  return {
    list(query) {
      if (query.since && query.before) {
        throw new GantryError('bad_parameters_error', 'since and before cannot be used together');
      }
      return listAuditRecords(database, query);
    },

    async *follow(filter, signal) {
      let isGrown = false;
      let wake = (): void => undefined;
      const stop = await database.listen('gantry_audit', () => {
        isGrown = true;
        wake();
      });
      const end = (): void => wake();
      signal.addEventListener('abort', end);
      try {
        let cursor = filter.since === undefined ? await auditLogEnd(database) : undefined;
        while (!signal.aborted) {
          isGrown = false;
          const tail = await tailAuditLog(database, filter, cursor, batchSize);
          cursor = tail.cursor;
          if (tail.items.length > 0) {
            yield tail.items;
          } else {
            await new Promise<void>((resolve) => {
              wake = resolve;
              if (isGrown || signal.aborted) {
                resolve();
              }
            });
          }
        }
      } finally {
        signal.removeEventListener('abort', end);
        await stop();
      }
    },

    truncate: (caller, filter) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const count = await deleteAuditRecords(transaction, filter);
        const { user, address } = caller;
        await addAuditRecords(transaction, [
          {
            refTable: 'audit_log',
            refId: 0,
            operation: 'delete',
            creatorName: user.username,
            executionId: undefined,
            refIdentifier: { name: `${count} records before ${filter.before.toISOString()}` },
            address,
          },
        ]);
        return count;
      }),

    inject: (records) => addAuditRecords(database, records),

    noteRefusal(refused) {
      if (waiting.length >= mostWaiting) {
        dropped += 1;
        return;
      }
      waiting.push(recordOf(refused));
      storing ??= storeWaiting().finally(() => {
        storing = undefined;
      });
    },

    async flush() {
      await storing;
    },
  };
}
