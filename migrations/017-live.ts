import type { Migration } from './migration.ts';

interface Followed {
  table: string;
  /** Who may learn that a row is gone: tenant, creator and visibility of `gone`, and what is joined to it. */
  from: string;
  scope: string;
}

/** What live streams tell when it is deleted. Instances that go with their deployment are told by that one. */
const followed: readonly Followed[] = [
  { table: 'deployments', from: 'gone', scope: 'gone.tenant_id, gone.creator_id, gone.visibility' },
  { table: 'executions', from: 'gone', scope: 'gone.tenant_id, gone.creator_id, gone.visibility' },
  {
    table: 'node_instances',
    from: 'gone join deployments deployment on deployment.storage_id = gone.deployment_id',
    scope: 'deployment.tenant_id, gone.creator_id, deployment.visibility',
  },
];

/** A notification holds less than 8000 bytes, an id at most 256 characters: rows are told in packets. */
function tellDeletions({ table, from, scope }: Followed): string {
  return `
    create function tell_deleted_${table}() returns trigger language plpgsql as $$
      begin
        perform pg_notify('gantry_live', json_build_object('topic', '${table}', 'gone', json_agg(entry))::text)
        from (
          select json_build_array(gone.id, ${scope}) as entry, (row_number() over () - 1) / 20 as packet from ${from}
        ) as told
        group by packet;
        return null;
      end
    $$;
    create trigger ${table}_deleted_live after delete on ${table} referencing old table as gone
      for each statement execute function tell_deleted_${table}();`;
}

/** What changes deployments and node instances is told to live streams; executions and events are told already. */
export const live: Migration = {
  name: '017-live',
  isBreaking: false,
  up: `
    -- a stream that comes back looks for what is new in all of a tenant; costs next to nothing when rows are inserted
    create index events_time on events using brin (timestamp) with (autosummarize);

    create function tell_changed_deployment() returns trigger language plpgsql as $$
      begin
        perform pg_notify('gantry_live', '{"topic":"deployments","changed":' || new.storage_id || '}');
        return null;
      end
    $$;
    create trigger deployments_changed_live after insert or update on deployments
      for each row execute function tell_changed_deployment();

    create function tell_changed_instances() returns trigger language plpgsql as $$
      begin
        perform pg_notify('gantry_live', '{"topic":"node_instances","changed":' || deployment_id || '}')
        from (select distinct deployment_id from changed) as deployment;
        return null;
      end
    $$;
    create trigger node_instances_inserted_live after insert on node_instances referencing new table as changed
      for each statement execute function tell_changed_instances();
    create trigger node_instances_updated_live after update on node_instances referencing new table as changed
      for each statement execute function tell_changed_instances();
    ${followed.map(tellDeletions).join('\n')}
  `,
  down: `
    ${followed
      .map(({ table }) => `drop trigger ${table}_deleted_live on ${table}; drop function tell_deleted_${table}();`)
      .join('\n')}
    drop trigger node_instances_updated_live on node_instances;
    drop trigger node_instances_inserted_live on node_instances;
    drop function tell_changed_instances();
    drop trigger deployments_changed_live on deployments;
    drop function tell_changed_deployment();
    drop index events_time;
  `,
};
