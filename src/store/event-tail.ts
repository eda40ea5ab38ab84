import type { EventRow } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { eventJoins, eventSelection } from './event-fields.ts';
import type { Session } from './session.ts';
import { Parameters, onlyRow, withoutNulls } from './values.ts';

/** What a live stream follows. */
export type EventSource = { executionId: string } | { executionGroupId: string };

export interface EventTail {
  items: EventRow[];
  /** Where the next call goes on; survives restarts, so it can be a `Last-Event-ID`. */
  cursor: string;
  /** More can be read at once. */
  hasMore: boolean;
}

/**
 * Ids are given before transactions commit, so "everything after the last id" misses rows that become visible late.
 * A cursor therefore names database snapshots: rows that were not visible in `seen` but are in `current`; `after` is
 * the last id read of those.
 */
interface Cursor {
  seen: string | undefined;
  current: string;
  after: number;
}

const cursorForm = /^(?:(\d+:\d+:[\d,]*))?\/(\d+:\d+:[\d,]*)\/(\d+)$/;

function parseCursor(text: string): Cursor {
  const [, seen, current, after] = cursorForm.exec(text) ?? [];
  if (current === undefined || after === undefined) {
    throw new GantryError('bad_parameters_error', `"${text}" is not a position in a stream of events`);
  }
  return { seen, current, after: Number(after) };
}

function formatCursor({ seen, current, after }: Cursor): string {
  return `${seen ?? ''}/${current}/${after}`;
}

async function takeSnapshot(session: Session): Promise<string> {
  return onlyRow(await session.prepared<{ snapshot: string }>('select pg_current_snapshot()::text as snapshot'))
    .snapshot;
}

/**
 * The next events and logs of one execution (or group): exactly those stored since `cursor`, whatever the order in
 * which transactions end; none twice, none missing. Within a call oldest first.
 * @param cursor of the call before; undefined = from the beginning
 * @throws GantryError bad_parameters_error for a text that is no cursor
 */
export async function tailEvents(
  session: Session,
  source: EventSource,
  cursor: string | undefined,
  size: number,
): Promise<EventTail> {
  let position: Cursor = cursor
    ? parseCursor(cursor)
    : { seen: undefined, current: await takeSnapshot(session), after: 0 };
  let items = await readBetween(session, source, position, size);
  if (items.length === 0) {
    // this snapshot is read to its end: look at what came since
    position = { seen: position.current, current: await takeSnapshot(session), after: 0 };
    items = await readBetween(session, source, position, size);
  }
  const last = items.at(-1);
  const next = last ? { ...position, after: last.storageId } : position;
  return { items, cursor: formatCursor(next), hasMore: items.length === size };
}

async function readBetween(session: Session, source: EventSource, position: Cursor, size: number): Promise<EventRow[]> {
  const parameters = new Parameters();
  const [column, table, id] =
    'executionId' in source
      ? (['execution_id', 'executions', source.executionId] as const)
      : (['execution_group_id', 'execution_groups', source.executionGroupId] as const);
  const owner = parameters.add(id);
  const current = parameters.add(position.current);
  const after = parameters.add(position.after);
  const conditions = [
    `event.${column} = (select storage_id from ${table} where id = ${owner})`,
    `event.storage_id > ${after}`,
    `pg_visible_in_snapshot(event.transaction_id, ${current}::pg_snapshot)`,
  ];
  if (position.seen !== undefined) {
    const seen = parameters.add(position.seen);
    conditions.push(
      `event.transaction_id >= pg_snapshot_xmin(${seen}::pg_snapshot)`,
      `not pg_visible_in_snapshot(event.transaction_id, ${seen}::pg_snapshot)`,
    );
  }
  const page = `(select * from events event where ${conditions.join(' and ')} order by event.storage_id limit ${parameters.add(size)})`;
  const rows = await session.prepared<EventRow>(
    `select ${eventSelection} from ${eventJoins(page)} order by event.storage_id`,
    parameters.values,
  );
  return rows.map(withoutNulls);
}
