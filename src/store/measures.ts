import { roleNames } from '../config/config.ts';
import { endedExecutionStatuses, executionStatuses } from '../domain/states.ts';
import type { Session } from './session.ts';
import { onlyRow } from './values.ts';

/** Executions that have not ended, by status; those without any are 0. Reads the index of unfinished executions. */
export async function countUnfinishedExecutions(session: Session): Promise<Record<string, number>> {
  const rows = await session.prepared<{ status: string; count: number }>(
    `select status, count(*) as count from executions
     where status not in ('terminated', 'failed', 'cancelled') group by status`,
  );
  const unfinished = executionStatuses.filter((status) => !endedExecutionStatuses.includes(status));
  return {
    ...Object.fromEntries(unfinished.map((status) => [status, 0])),
    ...Object.fromEntries(rows.map(({ status, count }) => [status, count])),
  };
}

/** Messages that were stored and not sent yet. */
export async function countOutbox(session: Session): Promise<number> {
  return onlyRow(await session.prepared<{ count: number }>('select count(*) as count from outbox')).count;
}

/** Processes seen within `staleAfter` seconds, by role; of roles without any 0. */
export async function countRoles(session: Session, staleAfter: number): Promise<Record<string, number>> {
  const rows = await session.prepared<{ role: string; count: number }>(
    `select role, count(*) as count from processes, unnest(roles) as role
     where last_seen > now() - make_interval(secs => $1) group by role`,
    [staleAfter],
  );
  // a role without processes is 0, not absent: alerts compare numbers
  const none = roleNames.map((role): [string, number] => [role, 0]);
  return Object.fromEntries([...none, ...rows.map(({ role, count }): [string, number] => [role, count])]);
}
