import type { Migration } from './migration.ts';

/** Where a change came from. The default, evaluated for each row, spares every audit trigger a change of its own. */
export const auditAddress: Migration = {
  name: '015-audit-address',
  isBreaking: false,
  up: `
    alter table audit_log add column address text;
    alter table audit_log alter column address set default nullif(current_setting('gantry.address', true), '');
  `,
  down: `alter table audit_log drop column address;`,
};
