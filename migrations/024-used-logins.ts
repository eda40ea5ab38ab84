import type { Migration } from './migration.ts';

/** What lets somebody in once, such as the assertion of an identity provider, and was used, whichever process did it. */
export const usedLogins: Migration = {
  name: '024-used-logins',
  isBreaking: false,
  up: `
    create table used_logins (
      id text primary key, -- hash of what was used
      expires_at timestamptz(3) not null -- it is refused for its age from then on
    );
    create index used_logins_expiry on used_logins (expires_at);
  `,
  down: `drop table used_logins;`,
};
