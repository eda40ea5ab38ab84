import type { Migration } from './migration.ts';

/** What people decide about running executions: pausing, breakpoints, and what becomes of single operations. */
export const control: Migration = {
  name: '013-control',
  isBreaking: false,
  up: `
    alter table executions drop constraint executions_status_check;
    alter table executions add constraint executions_status_check check (status in ('scheduled', 'queued', 'pending',
      'started', 'paused', 'cancelling', 'force_cancelling', 'kill_cancelling', 'terminated', 'failed', 'cancelled'));
    alter table executions
      add column breakpoints jsonb not null default '[]',
      add column control_version integer not null default 0; -- grows with everything its driver has to look at
    create trigger executions_controlled after update of control_version on executions
      for each row when (old.control_version <> new.control_version) execute function notify_execution_status();

    alter table operations
      add column decision jsonb, -- {action, by, at, reason, result}: what somebody decided about it last
      add column held_at timestamptz(3); -- since when it could run and is held back
    create index operations_decided on operations (tasks_graph_id) where decision is not null;
  `,
  down: `
    drop index operations_decided;
    alter table operations drop column decision, drop column held_at;
    drop trigger executions_controlled on executions;
    alter table executions drop column breakpoints, drop column control_version;
    update executions set status = 'started' where status = 'paused';
    alter table executions drop constraint executions_status_check;
    alter table executions add constraint executions_status_check check (status in ('scheduled', 'queued', 'pending',
      'started', 'cancelling', 'force_cancelling', 'kill_cancelling', 'terminated', 'failed', 'cancelled'));
  `,
};
