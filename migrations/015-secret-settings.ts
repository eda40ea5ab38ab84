import type { Migration } from './migration.ts';

/** Settings whose value is kept encrypted, such as passwords; their plain value stays empty. */
export const secretSettings: Migration = {
  name: '015-secret-settings',
  isBreaking: false,
  up: `alter table config add column secret text;`,
  down: `alter table config drop column secret;`,
};
