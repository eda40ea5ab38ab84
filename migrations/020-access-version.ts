import type { Migration } from './migration.ts';

/** Which changes of rows change who may do what. */
const changes: readonly { table: string; on: string; when?: string }[] = [
  { table: 'tenants', on: 'insert or update or delete' },
  { table: 'roles', on: 'insert or update or delete' },
  { table: 'permissions', on: 'insert or update or delete' },
  { table: 'groups', on: 'insert or update or delete' },
  { table: 'users_groups', on: 'insert or update or delete' },
  { table: 'users_tenants', on: 'insert or update or delete' },
  { table: 'groups_tenants', on: 'insert or update or delete' },
  { table: 'maintenance_mode', on: 'insert or update or delete' },
  { table: 'users', on: 'insert or delete' },
  {
    // every login is noted in the row of its user
    table: 'users',
    on: 'update',
    when: `(old.username, old.role_id, old.is_active, old.password_hash, old.failed_logins_counter) is distinct from
      (new.username, new.role_id, new.is_active, new.password_hash, new.failed_logins_counter)`,
  },
  { table: 'tokens', on: 'delete' },
  {
    // every use is noted in the row of its token
    table: 'tokens',
    on: 'update',
    when: `(old.id, old.secret_hash, old.user_id, old.expiration_date) is distinct from
      (new.id, new.secret_hash, new.user_id, new.expiration_date)`,
  },
];

function nameOf({ table, on }: { table: string; on: string }): string {
  return `${table}_access_${on.replaceAll(' or ', '_')}`;
}

/**
 * One number that grows with everything that decides who may do what: processes remember what they know of users,
 * tokens, roles and tenants as long as it stays the same. And the events that all tenants see, by time.
 */
export const accessVersion: Migration = {
  name: '020-access-version',
  isBreaking: false,
  up: `
    create table access_version (
      is_only_row boolean primary key default true check (is_only_row),
      version bigint not null default 1,
      changed_by xid8 -- once per transaction is enough
    );
    insert into access_version default values;

    create function note_access_change() returns trigger language plpgsql as $$
      begin
        update access_version set version = version + 1, changed_by = pg_current_xact_id()
        where changed_by is distinct from pg_current_xact_id();
        return null;
      end
    $$;
    ${changes
      .map(
        (change) => `create trigger ${nameOf(change)} after ${change.on} on ${change.table}
          for each row ${change.when === undefined ? '' : `when (${change.when})`} execute function note_access_change();`,
      )
      .join('\n')}

    create index events_global on events (timestamp, storage_id) where visibility = 'global';
  `,
  down: `
    drop index events_global;
    ${changes.map((change) => `drop trigger ${nameOf(change)} on ${change.table};`).join('\n')}
    drop function note_access_change();
    drop table access_version;
  `,
};
