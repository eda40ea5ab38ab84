/** The record of changes, which triggers write. `gantry_audit` is notified when it grows. */
import type { AuditRecord } from '../domain/cluster.ts';
import { GantryError } from '../domain/errors.ts';
import type { Session } from './session.ts';
import type { Tail } from './snapshot-cursor.ts';
import { cursorAtEnd, cursorCondition, readTail } from './snapshot-cursor.ts';
import { Parameters, toJson, withoutNulls } from './values.ts';

export interface AuditFilter {
  creatorName?: string | undefined;
  executionId?: string | undefined;
  /** From then on. */
  since?: Date | undefined;
  /** Until then, that moment not included. */
  before?: Date | undefined;
}

export interface AuditQuery extends AuditFilter {
  orderBy?: keyof typeof fields | undefined;
  descending?: boolean | undefined;
  /** 0 = all; default 100. */
  size?: number | undefined;
  offset?: number | undefined;
}

const fields = {
  storageId: 'storage_id',
  createdAt: 'created_at',
  refTable: 'ref_table',
  refId: 'ref_id',
  operation: 'operation',
  creatorName: 'creator_name',
  executionId: 'execution_id',
} as const;

const selection = [
  ...Object.entries({ ...fields, refIdentifier: 'ref_identifier', address: 'address' }).map(
    ([field, column]) => `record.${column} as "${field}"`,
  ),
  'tenants.name as "tenantName"',
].join(', ');
const source = `audit_log record left join tenants on tenants.id::text = record.ref_identifier ->> 'tenant_id'`;

/** Members a list can be ordered by. */
export const auditOrders = Object.keys(fields) as (keyof typeof fields)[];

/** A record to add; the moment is now where none is given. */
export type NewAuditRecord = Omit<AuditRecord, 'storageId' | 'createdAt' | 'tenantName' | 'address'> & {
  createdAt?: Date | undefined;
  address?: string | undefined;
};

function conditionsOf(filter: AuditFilter, parameters: Parameters): string {
  const conditions = ['true'];
  if (filter.creatorName !== undefined) {
    conditions.push(`record.creator_name = ${parameters.add(filter.creatorName)}`);
  }
  if (filter.executionId !== undefined) {
    conditions.push(`record.execution_id = ${parameters.add(filter.executionId)}`);
  }
  if (filter.since) {
    conditions.push(`record.created_at >= ${parameters.add(filter.since)}`);
  }
  if (filter.before) {
    conditions.push(`record.created_at < ${parameters.add(filter.before)}`);
  }
  return conditions.join(' and ');
}

/** One page of the audit log. @throws GantryError bad_parameters_error for an unknown order */
export async function listAuditRecords(
  session: Session,
  query: AuditQuery,
): Promise<{ items: AuditRecord[]; total: number }> {
  const orderBy = query.orderBy ?? 'createdAt';
  if (!Object.hasOwn(fields, orderBy)) {
    throw new GantryError('bad_parameters_error', `Cannot order by "${orderBy}"`);
  }
  const parameters = new Parameters();
  const conditions = conditionsOf(query, parameters);
  const [row] = await session.query<{ count: number }>(
    `select count(*) as count from audit_log record where ${conditions}`,
    parameters.values,
  );
  const direction = query.descending ? 'desc' : 'asc';
  const size = query.size ?? 100;
  const limit = size === 0 ? '' : `limit ${parameters.add(size)}`;
  const items = await session.query<AuditRecord>(
    `select ${selection} from ${source} where ${conditions}
     order by record.${fields[orderBy]} ${direction}, record.storage_id ${direction} ${limit} offset ${parameters.add(query.offset ?? 0)}`,
    parameters.values,
  );
  return { items: items.map(withoutNulls), total: row?.count ?? 0 };
}

/** Where a stream that wants new records only starts. */
export async function auditLogEnd(session: Session): Promise<string> {
  return cursorAtEnd(session);
}

/** The next records in the order they were written, none twice, none missing. @param cursor undefined = from the beginning */
export async function tailAuditLog(
  session: Session,
  filter: AuditFilter,
  cursor: string | undefined,
  size: number,
): Promise<Tail<AuditRecord>> {
  return readTail(session, cursor, size, async (position) => {
    const parameters = new Parameters();
    const conditions = `${conditionsOf(filter, parameters)} and ${cursorCondition('record', position, parameters)}`;
    const rows = await session.query<AuditRecord>(
      `select ${selection} from ${source} where ${conditions} order by record.storage_id limit ${parameters.add(size)}`,
      parameters.values,
    );
    return rows.map(withoutNulls);
  });
}

/** Removes records. @returns how many */
export async function deleteAuditRecords(session: Session, filter: AuditFilter & { before: Date }): Promise<number> {
  const parameters = new Parameters();
  const [row] = await session.query<{ count: number }>(
    `with gone as (delete from audit_log record where ${conditionsOf(filter, parameters)} returning 1)
     select count(*) as count from gone`,
    parameters.values,
  );
  return row?.count ?? 0;
}

/** Adds records that no trigger writes (restored ones, logins, reads of secrets), in one statement. */
export async function addAuditRecords(session: Session, records: readonly NewAuditRecord[]): Promise<void> {
  await session.prepared(
    `insert into audit_log (created_at, ref_table, ref_id, operation, creator_name, execution_id, ref_identifier, address)
     select coalesce("createdAt", now()), "refTable", "refId", operation, "creatorName", "executionId", "refIdentifier", address
     from json_to_recordset($1::json) as record ("createdAt" timestamptz, "refTable" text, "refId" bigint,
       operation text, "creatorName" text, "executionId" text, "refIdentifier" jsonb, address text)`,
    [toJson(records)],
  );
}
