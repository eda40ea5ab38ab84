import type { Migration } from './migration.ts';

interface AuditedTable {
  table: string;
  /** Integer key; tables without one are told apart by `identity` alone. */
  key?: string;
  /** name in ref_identifier -> column */
  identity: Readonly<Record<string, string>>;
  /** Columns whose change is recorded; all when absent. */
  columns?: readonly string[];
  /** Name in the audit log as an expression over the changed row `subject`; the table name when absent. */
  reference?: string;
  /** Written by the engine by the thousand: recorded only when a person or a token stands behind the change. */
  isBulk?: boolean;
}

const resource = { id: 'id', storage_id: 'storage_id', tenant_id: 'tenant_id' };
const child = { id: 'id', storage_id: 'storage_id' };
const named = { id: 'id', name: 'name' };

const audited: readonly AuditedTable[] = [
  { table: 'tenants', key: 'id', identity: named },
  { table: 'roles', key: 'id', identity: named, columns: ['name', 'type', 'description'] },
  { table: 'permissions', key: 'role_id', identity: { name: 'name' } },
  {
    table: 'users',
    key: 'id',
    identity: { id: 'id', username: 'username' },
    columns: ['username', 'role_id', 'is_active', 'password_hash', 'email', 'show_getting_started'],
  },
  { table: 'groups', key: 'id', identity: named },
  { table: 'users_groups', key: 'user_id', identity: { id: 'user_id' } },
  { table: 'users_tenants', key: 'user_id', identity: { id: 'user_id', tenant_id: 'tenant_id' } },
  { table: 'groups_tenants', key: 'group_id', identity: { id: 'group_id', tenant_id: 'tenant_id' } },
  { table: 'tokens', key: 'user_id', identity: { id: 'id' }, columns: ['secret_hash', 'expiration_date', 'user_id'] },
  { table: 'blueprints', key: 'storage_id', identity: resource },
  { table: 'blueprints_labels', key: 'resource_id', identity: { name: 'key' } },
  { table: 'filters', key: 'storage_id', identity: resource, reference: `subject.kind || '_filters'` },
  { table: 'sites', key: 'storage_id', identity: resource },
  { table: 'secrets_providers', key: 'storage_id', identity: resource },
  { table: 'secrets', key: 'storage_id', identity: resource },
  { table: 'plugins', key: 'storage_id', identity: resource },
  {
    table: 'deployments',
    key: 'storage_id',
    identity: resource,
    columns: [
      ...['id', 'tenant_id', 'creator_id', 'visibility', 'display_name', 'description', 'blueprint_id', 'site_id'],
      ...['inputs', 'groups', 'policy_triggers', 'policy_types', 'outputs', 'capabilities', 'scaling_groups'],
      ...['workflows', 'resource_tags', 'runtime_only_evaluation', 'installation_status', 'deployment_status'],
      'latest_execution_id',
    ],
  },
  { table: 'deployments_labels', key: 'resource_id', identity: { name: 'key' } },
  { table: 'deployment_groups', key: 'storage_id', identity: resource },
  { table: 'deployment_groups_labels', key: 'resource_id', identity: { name: 'key' } },
  { table: 'deployment_groups_deployments', key: 'deployment_group_id', identity: { id: 'deployment_id' } },
  { table: 'inter_deployment_dependencies', key: 'storage_id', identity: resource },
  { table: 'deployment_modifications', key: 'storage_id', identity: child },
  { table: 'deployment_updates', key: 'storage_id', identity: child },
  { table: 'executions', key: 'storage_id', identity: resource, columns: ['status', 'creator_id', 'visibility'] },
  { table: 'execution_groups', key: 'storage_id', identity: resource },
  { table: 'execution_schedules', key: 'storage_id', identity: resource },
  { table: 'nodes', key: 'storage_id', identity: child, isBulk: true },
  { table: 'node_instances', key: 'storage_id', identity: child, isBulk: true },
  { table: 'tasks_graphs', key: 'storage_id', identity: child, isBulk: true },
  { table: 'operations', key: 'storage_id', identity: child, isBulk: true },
  { table: 'agents', key: 'storage_id', identity: { ...resource, name: 'name' } },
  { table: 'plugins_states', key: 'storage_id', identity: { storage_id: 'storage_id', manager_id: 'manager_id' } },
  { table: 'plugins_updates', key: 'storage_id', identity: resource },
  { table: 'snapshots', key: 'storage_id', identity: resource },
  { table: 'log_bundles', key: 'storage_id', identity: resource },
  { table: 'certificates', key: 'id', identity: named },
  {
    table: 'managers',
    key: 'id',
    identity: { id: 'id', name: 'hostname' },
    columns: ['hostname', 'private_ip', 'public_ip', 'networks'],
  },
  { table: 'brokers', identity: { name: 'name' } },
  { table: 'db_nodes', identity: { name: 'name' } },
  { table: 'config', identity: { id: 'scope', name: 'name' }, columns: ['value'] },
  { table: 'maintenance_mode', identity: { name: 'status' } },
];

function auditTable({ table, key, identity, columns, reference, isBulk }: AuditedTable): string {
  const identifier = Object.entries(identity)
    .map(([name, column]) => `'${name}', subject.${column}`)
    .join(', ');
  const update = columns ? `update of ${columns.join(', ')}` : 'update';
  const condition = isBulk ? `when (coalesce(current_setting('gantry.username', true), '') <> '')` : '';
  return `
    create function audit_${table}() returns trigger language plpgsql as $$
      declare
        subject ${table}%rowtype;
      begin
        subject := case when tg_op = 'DELETE' then old else new end;
        insert into audit_log (ref_table, ref_id, operation, creator_name, execution_id, ref_identifier) values (
          ${reference ?? `'${table}'`}, ${key ? `subject.${key}` : '0'},
          case tg_op when 'INSERT' then 'create' when 'UPDATE' then 'update' else 'delete' end,
          nullif(current_setting('gantry.username', true), ''), nullif(current_setting('gantry.execution_id', true), ''),
          jsonb_strip_nulls(jsonb_build_object(${identifier})));
        return null;
      end
    $$;
    create trigger ${table}_audit after insert or ${update} or delete on ${table}
      for each row ${condition} execute function audit_${table}();
  `;
}

/** Who changed what: triggers on everything people change. */
export const audit: Migration = {
  name: '008-audit',
  isBreaking: true,
  up: `
    create table audit_log (
      storage_id bigint generated by default as identity,
      transaction_id xid8 not null default pg_current_xact_id(),
      created_at timestamptz(3) not null default now(),
      ref_table text not null,
      ref_id bigint not null,
      operation text not null check (operation in ('create', 'update', 'delete')),
      creator_name text,
      execution_id text,
      ref_identifier jsonb,
      primary key (created_at, storage_id)
    ) partition by range (created_at);
    create index audit_log_tail on audit_log (transaction_id);
    create index audit_log_creator on audit_log (creator_name, created_at);
    create index audit_log_execution on audit_log (execution_id, created_at) where execution_id is not null;
    create table audit_log_default partition of audit_log default;
    select create_monthly_partitions('audit_log', 3);

    create function notify_audit() returns trigger language plpgsql as $$
      begin
        notify gantry_audit;
        return null;
      end
    $$;
    create trigger audit_log_inserted after insert on audit_log
      for each statement execute function notify_audit();

    ${audited.map(auditTable).join('\n')}
  `,
  down: `
    ${audited.map(({ table }) => `drop trigger ${table}_audit on ${table}; drop function audit_${table}();`).join('\n')}
    drop table audit_log;
    drop function notify_audit();
  `,
};
