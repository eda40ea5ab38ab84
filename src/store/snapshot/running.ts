import type { Session } from '../session.ts';

/** Whether a snapshot is being restored; the index executions_restoring serves it. */
export async function isAnyRestoreRunning(session: Session): Promise<boolean> {
  const rows = await session.prepared(
    `select from executions where workflow_id = 'restore_snapshot'
     and status not in ('queued', 'scheduled', 'terminated', 'failed', 'cancelled') limit 1`,
  );
  return rows.length > 0;
}
