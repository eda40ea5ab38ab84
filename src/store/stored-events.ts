import type { EventInput } from '../domain/entities.ts';
import type { Session } from './session.ts';
import { cleanText, textOrNull } from './values.ts';

const findStatement = `
  select given.position::integer - 1 as index
  from unnest($1::text[], $2::float8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) with ordinality
    as given (execution, milliseconds, message, event_type, operation, node_instance_id, source_id, position)
  join executions execution on execution.id = given.execution
  where exists (select from events event where event.execution_id = execution.storage_id
    and event.reported_timestamp = to_timestamp(given.milliseconds / 1000)::timestamptz(3)
    and event.message = given.message and event.event_type is not distinct from given.event_type
    and event.operation is not distinct from given.operation
    and event.node_instance_id is not distinct from given.node_instance_id
    and event.source_id is not distinct from given.source_id)`;

/**
 * Leaves out events of executions that are stored already. For a batch that may have been committed although nobody
 * heard of it, because the connection was lost in that moment: it has to be stored again, and nothing twice.
 */
export async function withoutStored(session: Session, events: readonly EventInput[]): Promise<readonly EventInput[]> {
  if (events.length === 0) {
    return events;
  }
  const rows = await session.prepared<{ index: number }>(findStatement, [
    events.map(({ executionId }) => cleanText(executionId ?? '')),
    events.map(({ timestamp }) => timestamp.getTime()),
    events.map(({ message }) => textOrNull(message)),
    events.map(({ eventType }) => textOrNull(eventType)),
    events.map(({ operation }) => textOrNull(operation)),
    events.map(({ nodeInstanceId }) => textOrNull(nodeInstanceId)),
    events.map(({ sourceId }) => textOrNull(sourceId)),
  ]);
  const stored = new Set(rows.map(({ index }) => index));
  return events.filter((_, index) => !stored.has(index));
}
