import type { Migration } from './migration.ts';

/**
 * Tells the scheduler only of what may let an execution begin: one that waits or is scheduled, and one that has ended.
 * That another one has ended is told even when nothing seems to wait: what waits may be committed a moment later.
 */
export const queueChannel: Migration = {
  name: '010-queue-channel',
  isBreaking: false,
  up: `
    create or replace function notify_execution_status() returns trigger language plpgsql as $$
      begin
        perform pg_notify('gantry_executions', new.id);
        if new.status in ('scheduled', 'queued', 'terminated', 'failed', 'cancelled') then
          perform pg_notify('gantry_queue', new.status);
        end if;
        return null;
      end
    $$;
  `,
  down: `
    create or replace function notify_execution_status() returns trigger language plpgsql as $$
      begin
        perform pg_notify('gantry_executions', new.id);
        return null;
      end
    $$;
  `,
};
