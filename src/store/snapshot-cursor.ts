/**
 * Positions in tables that many transactions append to. Ids are given before transactions commit, so "everything after
 * the last id" misses rows that become visible late. A cursor therefore names database snapshots: rows that were not
 * visible in `seen` but are in `current`; `after` is the last id read of those.
 */
import { GantryError } from '../domain/errors.ts';
import type { Session } from './session.ts';
import type { Parameters } from './values.ts';
import { onlyRow } from './values.ts';

export interface Cursor {
  seen: string | undefined;
  current: string;
  after: number;
}

const form = /^(?:(\d+:\d+:[\d,]*))?\/(\d+:\d+:[\d,]*)\/(\d+)$/;

/** @throws GantryError bad_parameters_error for a text that is no cursor */
export function parseCursor(text: string): Cursor {
  const [, seen, current, after] = form.exec(text) ?? [];
  if (current === undefined || after === undefined) {
    throw new GantryError('bad_parameters_error', `"${text}" is not a position in a stream of events`);
  }
  return { seen, current, after: Number(after) };
}

/** The text that `parseCursor` reads. */
export function formatCursor({ seen, current, after }: Cursor): string {
  return `${seen ?? ''}/${current}/${after}`;
}

async function takeSnapshot(session: Session): Promise<string> {
  const rows = await session.prepared<{ snapshot: string }>('select pg_current_snapshot()::text as snapshot');
  return onlyRow(rows).snapshot;
}

/** A cursor behind everything that is there now. */
export async function cursorAtEnd(session: Session): Promise<string> {
  const current = await takeSnapshot(session);
  return formatCursor({ seen: current, current, after: 0 });
}

/** The condition for rows between a cursor's snapshots. @param alias of a table with storage_id and transaction_id */
export function cursorCondition(alias: string, cursor: Cursor, parameters: Parameters): string {
  const conditions = [
    `${alias}.storage_id > ${parameters.add(cursor.after)}`,
    `pg_visible_in_snapshot(${alias}.transaction_id, ${parameters.add(cursor.current)}::pg_snapshot)`,
  ];
  if (cursor.seen !== undefined) {
    const seen = parameters.add(cursor.seen);
    conditions.push(
      `${alias}.transaction_id >= pg_snapshot_xmin(${seen}::pg_snapshot)`,
      `not pg_visible_in_snapshot(${alias}.transaction_id, ${seen}::pg_snapshot)`,
    );
  }
  return conditions.join(' and ');
}

export interface Tail<Item> {
  items: Item[];
  /** Where the next call goes on; survives restarts, so it can be a `Last-Event-ID`. */
  cursor: string;
  /** More can be read at once. */
  hasMore: boolean;
}

/**
 * Reads on from a cursor: exactly what was stored since, whatever the order in which transactions ended.
 * @param read rows that meet the `cursorCondition`, ordered by id, at most `size`
 */
export async function readTail<Item extends { storageId: number }>(
  session: Session,
  cursor: string | undefined,
  size: number,
  read: (cursor: Cursor) => Promise<Item[]>,
): Promise<Tail<Item>> {
  let position: Cursor = cursor
    ? parseCursor(cursor)
    : { seen: undefined, current: await takeSnapshot(session), after: 0 };
  let items = await read(position);
  if (items.length === 0) {
    // this snapshot is read to its end: look at what came since
    position = { seen: position.current, current: await takeSnapshot(session), after: 0 };
    items = await read(position);
  }
  const last = items.at(-1);
  return {
    items,
    cursor: formatCursor(last ? { ...position, after: last.storageId } : position),
    hasMore: items.length === size,
  };
}
