import type { Session } from './session.ts';

/**
 * Ends the connection that holds an advisory lock when the process behind it has been without heartbeat for
 * `staleAfter` seconds: it hangs, and would keep the lock for as long as it does.
 * @returns the name of that process, undefined when the holder is alive or there is none
 */
export async function evictDeadHolder(session: Session, lock: number, staleAfter: number): Promise<string | undefined> {
  const [row] = await session.prepared<{ name: string }>(
    `select activity.application_name as name, pg_terminate_backend(activity.pid)
     from pg_locks lock join pg_stat_activity activity using (pid)
     where lock.locktype = 'advisory' and lock.classid = 0 and lock.objid = $1 and lock.objsubid = 1 and lock.granted
       and lock.database = (select oid from pg_database where datname = current_database())
       and exists (select from processes process where left(process.name, 63) = activity.application_name
         and process.last_seen < now() - make_interval(secs => $2))`,
    [lock, staleAfter],
  );
  return row?.name;
}
