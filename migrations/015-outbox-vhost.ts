import type { Migration } from './migration.ts';

/** Messages to agents: they listen in the vhost of their tenant. Without a vhost a message goes to `/`. */
export const outboxVhost: Migration = {
  name: '015-outbox-vhost',
  isBreaking: false,
  up: `alter table outbox add column vhost text;`,
  down: `
    delete from outbox where vhost is not null;
    alter table outbox drop column vhost;
  `,
};
