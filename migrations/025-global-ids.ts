import type { Migration } from './migration.ts';

/** What makes a resource the one that people mean, within a tenant or everywhere. */
const kinds: readonly { table: string; key: readonly string[] }[] = [
  { table: 'blueprints', key: ['id'] },
  { table: 'filters', key: ['kind', 'id'] },
  { table: 'sites', key: ['id'] },
  { table: 'secrets_providers', key: ['id'] },
  { table: 'secrets', key: ['id'] },
  { table: 'deployments', key: ['id'] },
  { table: 'deployment_groups', key: ['id'] },
  { table: 'plugins', key: ['package_name', 'archive_name'] },
];

/** Any number nobody else uses. */
const lockClass = 7_163_025;

/**
 * A global resource has its id alone in all tenants, also when it comes at the same moment as another one. Who makes one
 * global waits for those who are making others of its kind, and they for it; what was committed meanwhile is seen then.
 * Those that are not global do not wait for each other.
 */
export const globalIds: Migration = {
  name: '025-global-ids',
  isBreaking: false,
  up: kinds
    .map(
      ({ table, key }) => `
    create function keep_global_${table}_alone() returns trigger language plpgsql as $$
      begin
        if new.visibility = 'global' then
          perform pg_advisory_xact_lock(${lockClass}, tg_relid::integer);
          if not exists (
            select from tenants tenant join ${table} other on other.tenant_id = tenant.id
            where tenant.id <> new.tenant_id and ${key.map((column) => `other.${column} = new.${column}`).join(' and ')}
          ) then
            return null;
          end if;
        else
          perform pg_advisory_xact_lock_shared(${lockClass}, tg_relid::integer);
          if not exists (
            select from ${table} other
            where other.visibility = 'global' and other.tenant_id <> new.tenant_id
              and ${key.map((column) => `other.${column} = new.${column}`).join(' and ')}
          ) then
            return null;
          end if;
        end if;
        raise exception 'one of ${table} would be global and not alone' using errcode = 'unique_violation',
          constraint = '${table}_global_alone', table = '${table}';
      end
    $$;
    create trigger ${table}_global_alone after insert on ${table}
      for each row execute function keep_global_${table}_alone();
    create trigger ${table}_global_alone_changed after update of ${key.join(', ')}, tenant_id, visibility on ${table}
      for each row when ((${key.map((column) => `old.${column}`).join(', ')}, old.tenant_id, old.visibility = 'global')
        is distinct from (${key.map((column) => `new.${column}`).join(', ')}, new.tenant_id, new.visibility = 'global'))
      execute function keep_global_${table}_alone();`,
    )
    .join('\n'),
  down: kinds
    .map(
      ({ table }) => `
    drop trigger ${table}_global_alone on ${table};
    drop trigger ${table}_global_alone_changed on ${table};
    drop function keep_global_${table}_alone();`,
    )
    .join('\n'),
};
