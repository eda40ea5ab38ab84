import { GantryError } from '../domain/errors.ts';
import type { Once, Session } from './session.ts';

/** The refusal of a request that was carried out before and whose answer cannot be given again. */
export function requestDoneBefore(): GantryError {
  return new GantryError(
    'request_done_before',
    'The request was carried out before, but its answer was lost with the process that sent it. Read what it was meant to change.',
  );
}

/** Whether another attempt of the same request was carried out. */
export async function isDoneByAnother(session: Session, { key, attempt }: Once): Promise<boolean> {
  const rows = await session.prepared('select from done_requests where key = $1 and attempt <> $2', [key, attempt]);
  return rows.length > 0;
}

/** Removes the marks of requests that nobody sends again. */
export async function deleteOldMarks(session: Session, minutes: number): Promise<void> {
  await session.prepared(`delete from done_requests where done_at < now() - make_interval(mins => $1)`, [minutes]);
}
