import type { Migration } from './migration.ts';

/**
 * Requests for changes that were carried out, by their idempotency keys: a mark is part of the first transaction of its
 * request, so a request that is sent again is never carried out twice.
 */
export const doneRequests: Migration = {
  name: '021-done-requests',
  isBreaking: false,
  up: `
    create table done_requests (
      key text primary key,
      attempt uuid not null, -- which of the times that it was sent
      done_at timestamptz(3) not null default now()
    );
    create index done_requests_time on done_requests (done_at);
  `,
  down: `drop table done_requests;`,
};
