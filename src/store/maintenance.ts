import type { Session } from './session.ts';
import { withoutNulls } from './values.ts';

export interface Maintenance {
  status: 'activating' | 'activated';
  activationRequestedAt: Date;
  activatedAt: Date | undefined;
  requestedBy: string | undefined;
}

/** What is known about maintenance mode; undefined = it is off. */
export async function readMaintenance(session: Session): Promise<Maintenance | undefined> {
  const [row] = await session.prepared<Maintenance>(
    `select status, activation_requested_at as "activationRequestedAt", activated_at as "activatedAt",
       users.username as "requestedBy"
     from maintenance_mode left join users on users.id = requested_by`,
  );
  return row && withoutNulls(row);
}

/** Asks for maintenance mode. @returns false when it is on or asked for already */
export async function requestMaintenance(session: Session, userId: number): Promise<boolean> {
  const rows = await session.prepared(
    `insert into maintenance_mode (status, requested_by) values ('activating', $1) on conflict do nothing returning status`,
    [userId],
  );
  return rows.length > 0;
}

/** activating -> activated. @returns whether that was the status */
export async function activateMaintenance(session: Session): Promise<boolean> {
  const rows = await session.prepared(
    `update maintenance_mode set status = 'activated', activated_at = now() where status = 'activating' returning status`,
  );
  return rows.length > 0;
}

/** Ends maintenance mode; what waited in the queue may begin. @returns false when it was off */
export async function endMaintenance(session: Session): Promise<boolean> {
  const rows = await session.prepared(
    `delete from maintenance_mode returning status, pg_notify('gantry_queue', 'maintenance')`,
  );
  return rows.length > 0;
}
