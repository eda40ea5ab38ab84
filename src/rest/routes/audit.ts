import { once } from 'node:events';
import type { Response } from 'express';
import type { AuditRecord } from '../../domain/cluster.ts';
import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import type { AuditService } from '../../services/audit.ts';
import { auditOrders } from '../../store/audit-log.ts';
import type { AuditFilter, NewAuditRecord } from '../../store/audit-log.ts';
import { file, json, nothing, paged, partial, record } from '../answer.ts';
import { isObject, textMember } from '../body.ts';
import { envelope, readBoolean } from '../query.ts';
import type { QueryValues } from '../query.ts';
import { noContent, ok } from '../route.ts';
import type { Route } from '../route.ts';
import { readTime } from '../../domain/read-time.ts';

const injectSchema = {
  type: 'array',
  maxItems: 10_000,
  items: {
    type: 'object',
    required: ['ref_table', 'ref_id', 'operation'],
    properties: {
      ref_table: { type: 'string', minLength: 1, maxLength: 256 },
      ref_id: { type: 'integer' },
      operation: { enum: ['create', 'update', 'delete'] },
      creator_name: { type: ['string', 'null'] },
      execution_id: { type: ['string', 'null'] },
      ref_identifier: { type: ['object', 'null'] },
      created_at: { type: ['string', 'null'] },
      address: { type: ['string', 'null'] },
    },
  },
};

/** Milliseconds between signs of life on a stream. */
const pulsePeriod = 60_000;

const systemOnly = { tenant: 'ignored' } as const;

/** Names of `order_by`. */
const orders: ReadonlyMap<string, (typeof auditOrders)[number]> = new Map([
  ...auditOrders.map((field) => [field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), field] as const),
  ['id', 'storageId'],
]);

/**
 * A record on the wire; what is not known is left out.
 *
 * Compatibility: Cloudify 7, whose times in the audit log have no zone.
 */
const auditRecord = partial('AuditRecord', {
  id: 'integer',
  ref_table: 'text',
  ref_id: 'integer',
  ref_identifier: 'json',
  operation: 'text',
  creator_name: 'text',
  execution_id: 'text',
  created_at: 'text',
  address: 'text',
});

function shapeRecord(record: AuditRecord): JsonObject {
  const { creatorName, executionId, refIdentifier, tenantName, address } = record;
  return {
    id: record.storageId,
    ref_table: record.refTable,
    ref_id: record.refId,
    ...(refIdentifier
      ? { ref_identifier: { ...refIdentifier, ...(tenantName === undefined ? {} : { tenant_name: tenantName }) } }
      : {}),
    operation: record.operation,
    ...(creatorName === undefined ? {} : { creator_name: creatorName }),
    ...(executionId === undefined ? {} : { execution_id: executionId }),
    created_at: record.createdAt.toISOString().replace('Z', ''),
    ...(address === undefined ? {} : { address }),
  };
}

function timeOf(query: QueryValues, name: string): Date | undefined {
  const text = query.one(name);
  return text === undefined || text === '' ? undefined : readTime(text, name);
}

function filterOf(query: QueryValues): AuditFilter {
  return {
    creatorName: query.one('creator_name'),
    executionId: query.one('execution_id'),
    since: timeOf(query, 'since'),
  };
}

function orderOf(query: QueryValues): (typeof auditOrders)[number] | undefined {
  const name = query.one('order_by');
  if (name === undefined || name === '') {
    return undefined;
  }
  const field = orders.get(name);
  if (field === undefined) {
    throw new GantryError(
      'bad_parameters_error',
      `Cannot order the audit log by \`${name}\`; order_by is one of ${[...orders.keys()].join(', ')}`,
    );
  }
  return field;
}

function textOrNothing(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function readRecord(item: JsonObject): NewAuditRecord {
  const createdAt = textOrNothing(item['created_at']);
  const identifier = item['ref_identifier'];
  return {
    createdAt: createdAt === undefined ? undefined : readTime(createdAt, 'created_at'),
    refTable: textMember(item, 'ref_table'),
    refId: Number(item['ref_id']),
    operation: textMember(item, 'operation') as AuditRecord['operation'],
    creatorName: textOrNothing(item['creator_name']),
    executionId: textOrNothing(item['execution_id']),
    refIdentifier: isObject(identifier) ? identifier : undefined,
    address: textOrNothing(item['address']),
  };
}

/**
 * Writes records as they come until the client goes.
 *
 * Compatibility: Cloudify 7 writes bare JSON lines, without the `data:` of server-sent events.
 */
async function stream(
  batches: AsyncGenerator<readonly AuditRecord[]>,
  response: Response,
  signal: AbortSignal,
): Promise<'sent'> {
  response.status(200).set({ 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
  response.flushHeaders();
  // proxies end connections on which nothing moves; clients skip empty lines
  const pulse = setInterval(() => response.write('\n'), pulsePeriod);
  try {
    for await (const records of batches) {
      const text = records.map((record) => `${JSON.stringify(shapeRecord(record))}\n\n`).join('');
      if (!response.write(text)) {
        await once(response, 'drain', { signal }).catch(() => undefined);
      }
    }
  } finally {
    clearInterval(pulse);
    response.end();
  }
  return 'sent';
}

/** Routes of `/audit`: who changed what, when and from where. */
export function auditRoutes(audit: AuditService): Route[] {
  return [
    {
      method: 'get',
      path: '/audit',
      summary: 'List records of the audit log',
      access: { ...systemOnly, permission: 'audit_log_view' },
      query: ['creator_name', 'execution_id', 'since', 'before', 'order_by', 'desc', 'offset', 'size'],
      answer: paged(auditRecord),
      handle: async ({ query }) => {
        const size = query.count('size') ?? 100;
        const offset = query.count('offset') ?? 0;
        const descending = query.one('desc');
        const { items, total } = await audit.list({
          ...filterOf(query),
          before: timeOf(query, 'before'),
          orderBy: orderOf(query),
          descending: descending !== undefined && descending !== '' && readBoolean(descending, 'desc'),
          size,
          offset,
        });
        return ok(envelope(items.map(shapeRecord), { total, size, offset }));
      },
    },
    {
      method: 'get',
      path: '/audit/stream',
      summary: 'Stream records of the audit log',
      access: { ...systemOnly, permission: 'audit_log_view' },
      query: ['creator_name', 'execution_id', 'since'],
      answer: file('text/event-stream'),
      handle: ({ query, response, signal }) => stream(audit.follow(filterOf(query), signal), response, signal),
    },
    {
      method: 'delete',
      path: '/audit',
      summary: 'Remove old records of the audit log',
      access: { ...systemOnly, permission: 'audit_log_truncate' },
      query: ['before', 'creator_name', 'execution_id'],
      answer: json(record(undefined, { deleted: 'integer' })),
      handle: async ({ caller, query }) => {
        const before = readTime(query.required('before'), 'before');
        const { creatorName, executionId } = filterOf(query);
        return ok({ deleted: await audit.truncate(caller, { creatorName, executionId, before }) });
      },
    },
    {
      method: 'post',
      path: '/audit',
      summary: 'Import records of the audit log of another manager',
      access: { ...systemOnly, permission: 'audit_log_inject' },
      body: injectSchema,
      answer: nothing,
      handle: async ({ body }) => {
        await audit.inject((body as JsonObject[]).map(readRecord));
        return noContent;
      },
    },
  ];
}
