import { once } from 'node:events';
import { GantryError } from '../../domain/errors.ts';
import type { LiveService } from '../../services/live/live.ts';
import { liveTopics } from '../../services/live/messages.ts';
import type { LiveFilter, LiveTopic } from '../../services/live/messages.ts';
import { file } from '../answer.ts';
import { EventStream } from '../event-stream.ts';
import type { QueryValues } from '../query.ts';
import type { ApiCall, Route } from '../route.ts';

/** Milliseconds between signs of life; proxies and clients give silent connections up. */
const heartbeat = 15_000;
/** Milliseconds after which the caller's permissions are looked at again. */
const admissionPeriod = 60_000;

const filters = {
  execution_id: 'executionIds',
  execution_group_id: 'executionGroupIds',
  deployment_id: 'deploymentIds',
  blueprint_id: 'blueprintIds',
  node_id: 'nodeIds',
  node_instance_id: 'nodeInstanceIds',
  event_type: 'eventTypes',
  level: 'levels',
} as const satisfies Record<string, keyof LiveFilter>;

const kinds: Readonly<Record<string, string>> = { cloudify_event: 'event', cloudify_log: 'log' };
const settings = new Set(['topics', 'type', 'from']);

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

function topicsOf(query: QueryValues): LiveTopic[] {
  query.required('topics');
  const names = query.all('topics').flatMap((list) => list.split(','));
  return names.map(
    (name) =>
      liveTopics.find((topic) => topic === name) ??
      refuse(`Unknown topic: ${name}. Allowed values: ${liveTopics.join(', ')}`),
  );
}

function filterOf(query: QueryValues): LiveFilter {
  const unknown = query.names().find((name) => !name.startsWith('_') && !settings.has(name) && !(name in filters));
  if (unknown !== undefined) {
    refuse(`Unknown field to filter by: ${unknown}. Allowed values: ${[...Object.keys(filters), 'type'].join(', ')}`);
  }
  const given = Object.entries(filters).filter(([name]) => query.has(name));
  const wanted: LiveFilter = Object.fromEntries(given.map(([name, member]) => [member, query.all(name)]));
  const types = query.all('type');
  return types.length === 0
    ? wanted
    : {
        ...wanted,
        kinds: types.map(
          (type) =>
            kinds[type] ?? refuse(`Unknown event type: ${type}. Allowed values: ${Object.keys(kinds).join(', ')}`),
        ),
      };
}

/** The position of an earlier stream, as browsers and our client send it, or what the query asks for. */
function startOf({ request, query }: ApiCall): string {
  const from = query.one('from') ?? 'now';
  if (from !== 'now' && from !== 'start') {
    refuse(`from must be now or start, got ${from}`);
  }
  return request.get('last-event-id') ?? from;
}

async function follow(live: LiveService, call: ApiCall): Promise<'sent'> {
  const { query, request, response } = call;
  const topics = topicsOf(query);
  const out = new EventStream(response);
  const stream = await live.follow(call.caller, {
    topics,
    filter: filterOf(query),
    isAllTenants: query.flag('_all_tenants'),
    from: startOf(call),
    receiver: out,
    end: () => out.end(),
  });
  const closed = request.socket.destroyed ? Promise.resolve() : once(response, 'close');
  out.begin({ topics, resumed: stream.isResumed });
  const admit = async (): Promise<void> => {
    try {
      stream.admit(await call.readmit());
    } catch (error) {
      // a database that is away for a moment is no reason to send anybody away
      if (error instanceof GantryError && [401, 403].includes(error.status)) {
        out.end({ error_code: error.code, message: error.message });
      }
    }
  };
  const timers = [
    setInterval(() => out.beat(stream.position), heartbeat),
    setInterval(() => void admit(), admissionPeriod),
  ];
  try {
    await closed;
  } finally {
    timers.forEach((timer) => clearInterval(timer));
    stream.close();
  }
  return 'sent';
}

/** The route of `/stream`. */
export function streamRoutes(live: LiveService): Route[] {
  return [
    {
      method: 'get',
      path: '/stream',
      summary: 'Stream events and changes of executions, deployments and node instances as server-sent events',
      access: { hasAllTenants: true },
      query: [...settings, ...Object.keys(filters)],
      answer: file('text/event-stream'),
      handle: (call) => follow(live, call),
    },
  ];
}
