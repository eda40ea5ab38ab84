import { GantryError } from '../../domain/errors.ts';
import type { EventRow } from '../../domain/entities.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { requirePermission } from '../../services/caller.ts';
import type { EventService, NewEvent } from '../../services/events.ts';
import type { EventQuery } from '../../store/events.ts';
import { json, list, none, optional, paged, partial, record } from '../answer.ts';
import { isObject } from '../body.ts';
import type { QueryValues } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import type { Route } from '../route.ts';
import { eventFields, eventMembers, shapeEvent } from '../shapes/event.ts';
import { readTime } from '../../domain/read-time.ts';

const defaultSize = 10_000;

const createSchema = {
  type: 'object',
  properties: {
    events: { type: ['array', 'null'], items: { type: 'object', required: ['event_type', 'message', 'context'] } },
    logs: { type: ['array', 'null'], items: { type: 'object', required: ['logger', 'level', 'message', 'context'] } },
    execution_id: { type: ['string', 'null'] },
    execution_group_id: { type: ['string', 'null'] },
    manager_name: { type: ['string', 'null'] },
    agent_name: { type: ['string', 'null'] },
  },
};

/** Filter on the wire -> member of the query. */
const listFilters = {
  execution_id: 'executionIds',
  execution_group_id: 'executionGroupIds',
  deployment_id: 'deploymentIds',
  blueprint_id: 'blueprintIds',
  node_id: 'nodeNames',
  node_instance_id: 'nodeInstanceIds',
  event_type: 'eventTypes',
  level: 'levels',
  operation: 'operations',
  message: 'messages',
  'message.text': 'messages',
} as const satisfies Record<string, keyof EventQuery>;

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

function kindOf(values: readonly string[]): EventQuery['kind'] {
  const kinds = new Set(values);
  for (const kind of kinds) {
    if (kind !== 'cloudify_event' && kind !== 'cloudify_log') {
      refuse(`Unknown event type: ${kind}. Allowed values: cloudify_event, cloudify_log`);
    }
  }
  return kinds.size === 1 ? (kinds.has('cloudify_log') ? 'log' : 'event') : undefined;
}

function isListFilter(name: string): name is keyof typeof listFilters {
  return name in listFilters;
}

function filtersOf(query: QueryValues): EventQuery {
  const filters: EventQuery = {};
  for (const name of query.names().filter((entry) => !entry.startsWith('_') && entry !== 'type')) {
    if (!isListFilter(name)) {
      return refuse(
        `Unknown field to filter by: ${name}. Allowed values: ${Object.keys(listFilters)
          .filter((key) => key !== 'message.text')
          .sort()
          .join(', ')}`,
      );
    }
    filters[listFilters[name]] = [...(filters[listFilters[name]] ?? []), ...query.all(name)];
  }
  const kind = kindOf(query.all('type'));
  return kind ? { ...filters, kind } : filters;
}

function rangesOf(query: QueryValues): NonNullable<EventQuery['ranges']> {
  return query.all('_range').map((text) => {
    const [name = '', from = '', to = '', ...more] = text.split(',');
    const field = { timestamp: 'timestamp', reported_timestamp: 'reportedTimestamp' } as const;
    const key = field[name.replace(/^@/, '') as keyof typeof field];
    if (more.length > 0 || text.split(',').length !== 3 || key === undefined) {
      return refuse(`Range parameter must be like <field>,<from>,<to> with a time field, got ${text}`);
    }
    return {
      field: key,
      ...(from === '' ? {} : { from: readTime(from, '_range') }),
      ...(to === '' ? {} : { to: readTime(to, '_range') }),
    };
  });
}

function sortOf(query: QueryValues): NonNullable<EventQuery['sort']> {
  return query.all('_sort').map((text) => {
    const [, sign = '', name = ''] = /^([+-]?)@?(.*)$/s.exec(text) ?? [];
    const found = eventFields.find(([wire]) => wire === name);
    const key: keyof EventRow = found ? found[1] : refuse(`Unknown field to sort by: ${name}`);
    return { field: key, descending: sign === '-' };
  });
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function contextOf(item: JsonObject): JsonObject {
  return isObject(item['context']) ? item['context'] : {};
}

/**
 * When something happened, and for what is restored when it was stored.
 *
 * Compatibility: Cloudify 7 answers `timestamp` as when it was stored and `reported_timestamp` as when it happened; who
 * may not tell the latter gives when it happened as `timestamp`.
 */
function timesOf(item: JsonObject): Pick<NewEvent, 'timestamp' | 'storedAt'> {
  const [stored, reported] = [textOf(item['timestamp']), textOf(item['reported_timestamp'])];
  const time = stored === undefined ? undefined : readTime(stored, 'timestamp');
  if (reported === undefined) {
    return time ? { timestamp: time } : {};
  }
  return { timestamp: readTime(reported, 'reported_timestamp'), ...(time ? { storedAt: time } : {}) };
}

interface Sender {
  readonly managerName?: string;
  readonly agentName?: string;
}

function readEvent(item: JsonObject, kind: 'event' | 'log', sender: Sender): NewEvent {
  const context = contextOf(item);
  const message = isObject(item['message']) ? item['message'] : {};
  const times = timesOf(item);
  const given = {
    messageCode: textOf(item['message_code']),
    operation: textOf(kind === 'log' ? context['operation'] : (item['operation'] ?? context['operation'])),
    nodeInstanceId: textOf(context['node_id']),
    sourceId: textOf(context['source_id']),
    targetId: textOf(context['target_id']),
    eventType: kind === 'event' ? textOf(item['event_type']) : undefined,
    logger: kind === 'log' ? textOf(item['logger']) : undefined,
    level: kind === 'log' ? textOf(item['level']) : undefined,
    // what is restored has its causes where answers have them
    errorCauses: kind === 'event' ? (context['task_error_causes'] ?? item['error_causes'] ?? undefined) : undefined,
    ...times,
    ...sender,
  };
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { kind, message: textOf(message['text']) ?? '', ...present };
}

function itemsOf(body: JsonObject, name: string): JsonObject[] {
  const items = body[name];
  return Array.isArray(items) ? items.filter(isObject) : [];
}

const removedSchema = record(undefined, {
  items: list({ type: 'integer' }),
  metadata: record(undefined, { pagination: record(undefined, { total: 'integer' }) }),
});

/** Routes of `/events`. */
export function eventRoutes(events: EventService): Route[] {
  return [
    {
      method: 'get',
      path: '/events',
      summary: 'List events and logs',
      access: { permission: 'event_list' },
      query: ['type', ...Object.keys(listFilters), '_range', '_sort', '_size', '_offset'],
      answer: paged(partial('Event', eventMembers)),
      handle: async ({ tenantCaller, query }) => {
        const size = query.count('_size') ?? defaultSize;
        const offset = query.count('_offset') ?? 0;
        const { items, total } = await events.list(tenantCaller, {
          ...filtersOf(query),
          ranges: rangesOf(query),
          sort: sortOf(query),
          size,
          offset,
        });
        const include = query.include();
        return ok({
          items: items.map((item) => shapeEvent(item, include)),
          metadata: { pagination: { total, size, offset } },
        });
      },
    },
    {
      method: 'delete',
      path: '/events',
      summary: 'Remove events, and optionally logs, of a deployment',
      access: { permission: 'event_delete' },
      query: ['deployment_id', 'type', '_range'],
      answer: json(removedSchema),
      handle: async ({ tenantCaller, query }) => {
        const deploymentId = query.required('deployment_id');
        const types = query.all('type');
        if (types.length === 0) {
          throw new GantryError('bad_parameters_error', 'Filter by type is expected');
        }
        if (!types.includes('cloudify_event')) {
          throw new GantryError('bad_parameters_error', 'At least `type=cloudify_event` filter is expected');
        }
        const kind = kindOf(types);
        const count = await events.remove(tenantCaller, {
          deploymentIds: [deploymentId],
          ranges: rangesOf(query),
          ...(kind ? { kind } : {}),
        });
        return ok({ items: [count], metadata: { pagination: { total: count } } });
      },
    },
    {
      method: 'post',
      path: '/events',
      summary: 'Add events and logs to an execution',
      access: { permission: 'event_create', isOpenToExecutions: true },
      body: createSchema,
      answer: optional(none),
      handle: async ({ tenantCaller, body }) => {
        const request = body as JsonObject;
        const owner = {
          executionId: textOf(request['execution_id']),
          executionGroupId: textOf(request['execution_group_id']),
        };
        if (owner.executionId !== undefined && owner.executionGroupId !== undefined) {
          throw new GantryError('conflict_error', 'Pass either an execution or an execution group, not both');
        }
        const logs = itemsOf(request, 'logs');
        const plain = itemsOf(request, 'events');
        const managerName = textOf(request['manager_name']);
        const agentName = textOf(request['agent_name']);
        const sender: Sender = {
          ...(managerName === undefined ? {} : { managerName }),
          ...(agentName === undefined ? {} : { agentName }),
        };
        if ([...plain, ...logs].some((item) => textOf(item['reported_timestamp']) !== undefined)) {
          requirePermission(tenantCaller, 'set_timestamp');
        }
        const all = [
          ...plain.map((item) => readEvent(item, 'event', sender)),
          ...logs.map((item) => readEvent(item, 'log', sender)),
        ];
        if (all.length === 0) {
          return noContent;
        }
        await events.add(tenantCaller, owner, all);
        return created();
      },
      replay: () => created(),
    },
  ];
}
