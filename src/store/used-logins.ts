import type { Session } from './session.ts';

/**
 * Uses what lets somebody in once; forgets what is refused for its age by any clock. Of several who do so at once, in any
 * process, one is told that it was the first.
 * @param id of what is used
 * @param expiresAt when it is refused for its age
 * @returns false when it was used before
 */
export async function useLogin(session: Session, id: string, expiresAt: Date): Promise<boolean> {
  const rows = await session.prepared(
    `with gone as (delete from used_logins where expires_at < now() - interval '1 hour' and id <> $1)
     insert into used_logins (id, expires_at) values ($1, $2) on conflict do nothing returning id`,
    [id, expiresAt],
  );
  return rows.length > 0;
}
