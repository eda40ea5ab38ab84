import type { EventRow } from '../domain/entities.ts';
import { eventJoins, eventSelection } from './event-fields.ts';
import type { Session } from './session.ts';
import type { Cursor, Tail } from './snapshot-cursor.ts';
import { cursorCondition, readTail } from './snapshot-cursor.ts';
import { Parameters, withoutNulls } from './values.ts';

/** What a live stream follows. */
export type EventSource = { executionId: string } | { executionGroupId: string };

export type EventTail = Tail<EventRow>;

/**
 * The next events and logs of one execution (or group): exactly those stored since `cursor`, none twice, none missing.
 * Within a call oldest first.
 * @param cursor of the call before; undefined = from the beginning
 * @throws GantryError bad_parameters_error for a text that is no cursor
 */
export async function tailEvents(
  session: Session,
  source: EventSource,
  cursor: string | undefined,
  size: number,
): Promise<EventTail> {
  return readTail(session, cursor, size, (position) => readBetween(session, source, position, size));
}

async function readBetween(session: Session, source: EventSource, position: Cursor, size: number): Promise<EventRow[]> {
  const parameters = new Parameters();
  const [column, table, id] =
    'executionId' in source
      ? (['execution_id', 'executions', source.executionId] as const)
      : (['execution_group_id', 'execution_groups', source.executionGroupId] as const);
  const owner = `event.${column} = (select storage_id from ${table} where id = ${parameters.add(id)})`;
  const between = cursorCondition('event', position, parameters);
  const page = `(select * from events event where ${owner} and ${between} order by event.storage_id limit ${parameters.add(size)})`;
  const rows = await session.prepared<EventRow>(
    `select ${eventSelection} from ${eventJoins(page)} order by event.storage_id`,
    parameters.values,
  );
  return rows.map(withoutNulls);
}
