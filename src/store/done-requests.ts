import type { Once, Session } from './session.ts';

/** Whether another attempt of the same request was carried out. */
export async function isDoneByAnother(session: Session, { key, attempt }: Once): Promise<boolean> {
  const rows = await session.prepared('select from done_requests where key = $1 and attempt <> $2', [key, attempt]);
  return rows.length > 0;
}

/** Removes the marks of requests that nobody sends again. */
export async function deleteOldMarks(session: Session, minutes: number): Promise<void> {
  await session.prepared(`delete from done_requests where done_at < now() - make_interval(mins => $1)`, [minutes]);
}
