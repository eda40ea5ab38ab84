import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../domain/plan.ts';
import type { Session } from './session.ts';
import { toJson } from './values.ts';

/** A running process of the product. */
export interface ProcessRow {
  name: string;
  roles: readonly string[];
  startedAt: Date;
  lastSeen: Date;
  info: JsonObject;
}

/** Tells this run from an earlier one under the same name: a container is often started again under its old name. */
const run = randomUUID();

/**
 * Condition: the process `name` is alive and is still the one that took something up at `since`.
 * @param name expression for the process name
 * @param since expression for the time it took the thing up
 * @param staleAfter expression for the seconds without heartbeat after which a process counts as dead
 */
export function isAlive(name: string, since: string, staleAfter: string): string {
  return `exists (select from processes process where process.name = ${name} and process.started_at <= ${since}
    and process.last_seen > now() - make_interval(secs => ${staleAfter}))`;
}

/** Enters this process, or renews its heartbeat. */
export async function beat(
  session: Session,
  process: { name: string; roles: readonly string[]; info?: JsonObject },
): Promise<void> {
  await session.prepared(
    `with machine as (
       update managers set last_seen = now()
       where hostname = $4::jsonb ->> 'hostname' and last_seen < now() - interval '1 minute'
     )
     insert into processes (name, run, roles, info) values ($1, $2, $3, $4)
     on conflict (name) do update set last_seen = now(), roles = excluded.roles, info = excluded.info,
       started_at = case when processes.run = excluded.run then processes.started_at else now() end, run = excluded.run`,
    [process.name, run, [...process.roles], toJson(process.info ?? {})],
  );
}

/** Removes the process on a clean stop: what it drove is free at once. */
export async function leave(session: Session, name: string): Promise<void> {
  await session.prepared('delete from processes where name = $1', [name]);
}

/** Processes seen within `staleAfter` seconds (all when undefined). */
export async function listProcesses(session: Session, staleAfter?: number): Promise<ProcessRow[]> {
  return session.prepared<ProcessRow>(
    `select name, roles, started_at as "startedAt", last_seen as "lastSeen", info from processes
     where $1::double precision is null or last_seen > now() - make_interval(secs => $1) order by name`,
    [staleAfter ?? null],
  );
}

/** Forgets processes that have not been seen for `seconds`. @returns how many */
export async function forgetDeadProcesses(session: Session, seconds: number): Promise<number> {
  const rows = await session.prepared(
    'delete from processes where last_seen < now() - make_interval(secs => $1) returning name',
    [seconds],
  );
  return rows.length;
}
