import type { Migration } from './migration.ts';

/** What an execution that waits was asked to do: what it runs with is decided when it begins. */
export const queuedRequests: Migration = {
  name: '018-queued-requests',
  isBreaking: false,
  up: `
    alter table executions
      -- as they were given, without the defaults of the workflow; null = they are not looked at again
      add column requested_parameters jsonb,
      -- runs beside others, whatever the state of its deployment
      add column is_forced boolean not null default false;
  `,
  down: `
    alter table executions drop column requested_parameters, drop column is_forced;
  `,
};
