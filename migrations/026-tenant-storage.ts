import type { Migration } from './migration.ts';

/**
 * How many bytes a tenant has ever brought under a quota. Files are measured before the transaction that brings more of
 * them; the number tells what others brought in between.
 */
export const tenantStorage: Migration = {
  name: '026-tenant-storage',
  isBreaking: false,
  up: `
    create table tenant_storage (
      tenant_id integer primary key references tenants on delete cascade,
      booked bigint not null
    );
  `,
  down: 'drop table tenant_storage;',
};
