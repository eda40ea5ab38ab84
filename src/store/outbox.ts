import type { OutboxMessage } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Session } from './session.ts';

const missing = (): never => {
  throw new Error('not there yet');
};

/**
 * Stores messages that must be published because of this transaction. Publish what is returned after the commit, then
 * call `deletePublished`; the scheduler publishes what is left over. Notifies `gantry_outbox`.
 */
export async function addToOutbox(
  _session: Session,
  _messages: readonly { exchange: string; routingKey: string; body: JsonObject }[],
): Promise<OutboxMessage[]> {
  return missing();
}

export async function deletePublished(_session: Session, _ids: readonly number[]): Promise<void> {
  return missing();
}

/** Locks up to `limit` messages older than `olderThan` seconds until the transaction ends; others skip them. */
export async function takeLeftOver(_session: Session, _olderThan: number, _limit: number): Promise<OutboxMessage[]> {
  return missing();
}
