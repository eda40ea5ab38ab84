import type { Migration } from './migration.ts';

/** What tenants may use at most, and what of tenants and agents is still to be removed from the message broker. */
export const tenants: Migration = {
  name: '016-tenants',
  isBreaking: false,
  up: `
    create table tenant_quotas (
      tenant_id integer primary key references tenants on delete cascade,
      -- null = no limit
      deployments integer check (deployments >= 0),
      executions integer check (executions >= 0), -- that run at once
      storage_bytes bigint check (storage_bytes >= 0)
    );

    create table broker_leftovers (
      kind text not null check (kind in ('vhost', 'user')),
      name text not null,
      not_before timestamptz(3) not null default now(),
      primary key (kind, name)
    );
    create function notify_broker_leftovers() returns trigger language plpgsql as $$
      begin
        perform pg_notify('gantry_broker_leftovers', '');
        return null;
      end
    $$;
    create trigger broker_leftovers_added after insert or update on broker_leftovers
      for each statement execute function notify_broker_leftovers();

    create function leave_broker_account() returns trigger language plpgsql as $$
      begin
        insert into broker_leftovers (kind, name)
        select kind, name from (values
          ('vhost', case when tg_table_name = 'tenants' then to_jsonb(old) ->> 'rabbitmq_vhost' end),
          ('user', old.rabbitmq_username)) as leftover (kind, name)
        where name is not null
        on conflict (kind, name) do update set not_before = excluded.not_before;
        return null;
      end
    $$;
    create trigger tenants_leave_broker_account after delete on tenants
      for each row execute function leave_broker_account();
    create trigger agents_leave_broker_account after delete on agents
      for each row execute function leave_broker_account();
  `,
  down: `
    drop trigger agents_leave_broker_account on agents;
    drop trigger tenants_leave_broker_account on tenants;
    drop function leave_broker_account();
    drop table broker_leftovers, tenant_quotas;
    drop function notify_broker_leftovers();
  `,
};
