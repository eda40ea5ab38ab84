import type { OutboxMessage } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Session } from './session.ts';
import { toJson, withoutNulls } from './values.ts';

const columns = 'id, vhost, exchange, routing_key as "routingKey", body';

/**
 * Stores messages that must be published because of this transaction. Publish what is returned after the commit, then
 * call `deletePublished`; the scheduler publishes what is left over. Notifies `gantry_outbox`.
 */
export async function addToOutbox(
  session: Session,
  messages: readonly { vhost?: string | undefined; exchange: string; routingKey: string; body: JsonObject }[],
): Promise<OutboxMessage[]> {
  if (messages.length === 0) {
    return [];
  }
  const rows = await session.prepared<OutboxMessage>(
    `with notified as materialized (select pg_notify('gantry_outbox', '')), stored as (
       insert into outbox (vhost, exchange, routing_key, body)
       select message.vhost, message.exchange, message."routingKey", message.body
       from json_to_recordset($1::json) as message (vhost text, exchange text, "routingKey" text, body jsonb)
       returning *
     )
     select ${columns} from stored, notified order by id`,
    [toJson(messages)],
  );
  return rows.map(withoutNulls);
}

/** Forgets messages that were published. */
export async function deletePublished(session: Session, ids: readonly number[]): Promise<void> {
  if (ids.length > 0) {
    await session.prepared('delete from outbox where id = any($1)', [[...ids]]);
  }
}

/** Locks up to `limit` messages older than `olderThan` seconds until the transaction ends; others skip them. */
export async function takeLeftOver(session: Session, olderThan: number, limit: number): Promise<OutboxMessage[]> {
  const rows = await session.prepared<OutboxMessage>(
    `select ${columns} from outbox where created_at <= now() - make_interval(secs => $1)
     order by id limit $2 for update skip locked`,
    [olderThan, limit],
  );
  return rows.map(withoutNulls);
}
