import type { Migration } from './migration.ts';

/** Which snapshots were restored, and who wants to know that one is being restored. */
export const restores: Migration = {
  name: '017-restores',
  isBreaking: false,
  up: `
    -- the row is written by the transaction that puts the restored rows in place: a process that died tells by it whether
    -- the files of the snapshot belong in place, too
    create table restores (
      execution_id text primary key,
      snapshot_id text not null,
      restored_at timestamptz(3) not null default now()
    );

    create index executions_restoring on executions (storage_id)
      where workflow_id = 'restore_snapshot' and status not in ('queued', 'scheduled', 'terminated', 'failed', 'cancelled');

    create function tell_restore() returns trigger language plpgsql as $$
      begin
        notify gantry_restore;
        return null;
      end
    $$;
    create trigger executions_restore after insert or update of status on executions
      for each row when (new.workflow_id = 'restore_snapshot') execute function tell_restore();
  `,
  down: `
    drop trigger executions_restore on executions;
    drop function tell_restore();
    drop index executions_restoring;
    drop table restores;
  `,
};
