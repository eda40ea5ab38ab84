import type { Json, JsonObject } from '../domain/plan.ts';

export interface DefaultSetting {
  scope: string;
  name: string;
  value: Json;
  schema?: JsonObject;
  isEditable?: false;
  adminOnly?: true;
}

const text: JsonObject = { type: 'string' };
const optionalText: JsonObject = { type: ['string', 'null'] };
const number: JsonObject = { type: 'number', minimum: 0 };
const level: JsonObject = { type: 'string', enum: ['CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG'] };

function integer(minimum: number, maximum?: number): JsonObject {
  return { type: 'integer', minimum, ...(maximum === undefined ? {} : { maximum }) };
}

const agent: DefaultSetting[] = [
  { scope: 'agent', name: 'broker_port', value: 5671, schema: integer(1, 65535) },
  { scope: 'agent', name: 'heartbeat', value: 30, schema: integer(0) },
  { scope: 'agent', name: 'log_level', value: 'INFO', schema: level },
  { scope: 'agent', name: 'max_workers', value: 6, schema: integer(1) },
  { scope: 'agent', name: 'min_workers', value: 2, schema: integer(1) },
];

const worker: DefaultSetting[] = [
  { scope: 'mgmtworker', name: 'max_workers', value: 5, schema: integer(1) },
  { scope: 'mgmtworker', name: 'min_workers', value: 2, schema: integer(1) },
];

/** -1 = endless retries. */
const workflow: DefaultSetting[] = [
  { scope: 'workflow', name: 'subgraph_retries', value: 0, schema: integer(-1) },
  { scope: 'workflow', name: 'task_retries', value: 60, schema: integer(-1) },
  { scope: 'workflow', name: 'task_retry_interval', value: 15, schema: integer(-1) },
];

const rest: DefaultSetting[] = [
  { scope: 'rest', name: 'account_lock_period', value: -1, schema: integer(-1) },
  { scope: 'rest', name: 'failed_logins_before_account_lock', value: 4, schema: integer(1) },
  { scope: 'rest', name: 'api_service_log_level', value: 'INFO', schema: level },
  { scope: 'rest', name: 'rest_service_log_level', value: 'INFO', schema: level },
  { scope: 'rest', name: 'api_service_log_path', value: '', schema: text, isEditable: false },
  { scope: 'rest', name: 'rest_service_log_path', value: '', schema: text, isEditable: false },
  { scope: 'rest', name: 'blueprint_folder_max_files', value: 10_000, schema: integer(0) },
  { scope: 'rest', name: 'blueprint_folder_max_size_mb', value: 50, schema: integer(0) },
  { scope: 'rest', name: 'default_agent_port', value: 443, schema: integer(1, 65535) },
  { scope: 'rest', name: 'default_page_size', value: 1000, schema: integer(1) },
  { scope: 'rest', name: 'file_server_root', value: '/opt/manager/resources', schema: text, isEditable: false },
  { scope: 'rest', name: 'file_server_type', value: 'local', schema: { type: 'string', enum: ['local', 's3'] } },
  { scope: 'rest', name: 'file_server_url', value: '', schema: text, isEditable: false },
  { scope: 'rest', name: 'maintenance_folder', value: '/opt/manager/maintenance', schema: text, isEditable: false },
  { scope: 'rest', name: 'public_ip', value: '', schema: text, isEditable: false },
  { scope: 'rest', name: 'marketplace_api_url', value: '', schema: text },
  { scope: 'rest', name: 'max_concurrent_workflows', value: 20, schema: integer(1, 1000) },
  { scope: 'rest', name: 'min_available_memory_mb', value: 100, schema: integer(0) },
  { scope: 'rest', name: 'monitoring_timeout', value: 4, schema: number },
  { scope: 'rest', name: 'prometheus_url', value: 'http://127.0.0.1:9090/monitoring', schema: text },
  { scope: 'rest', name: 'insecure_endpoints_disabled', value: true, schema: { type: 'boolean' }, isEditable: false },
  { scope: 'rest', name: 's3_client_timeout', value: 5, schema: number },
  { scope: 'rest', name: 's3_resources_bucket', value: 'resources', schema: text },
  { scope: 'rest', name: 's3_server_url', value: '', schema: text },
  { scope: 'rest', name: 'log_fetch_username', value: '', schema: text, adminOnly: true },
  { scope: 'rest', name: 'log_fetch_password', value: '', schema: text, adminOnly: true },
];

const directory: DefaultSetting[] = [
  ...[
    ...['ldap_server', 'ldap_domain', 'ldap_dn_extra', 'ldap_bind_format', 'ldap_group_dn', 'ldap_base_dn'],
    ...['ldap_group_member_filter', 'ldap_group_members_filter', 'ldap_user_filter', 'ldap_attribute_email'],
    ...['ldap_attribute_first_name', 'ldap_attribute_last_name', 'ldap_attribute_uid'],
    'ldap_attribute_group_membership',
  ].map((name) => ({ scope: 'rest', name, value: null, schema: optionalText })),
  { scope: 'rest', name: 'ldap_is_active_directory', value: null, schema: { type: ['boolean', 'null'] } },
  { scope: 'rest', name: 'ldap_timeout', value: 5, schema: number },
  { scope: 'rest', name: 'ldap_nested_levels', value: 1, schema: integer(1) },
  { scope: 'rest', name: 'ldap_username', value: null, schema: optionalText, adminOnly: true },
  { scope: 'rest', name: 'ldap_password', value: null, schema: optionalText, adminOnly: true },
];

/** How many days what grows without bound is kept, and what that is; 0 = for ever. */
export const retentionSettings = {
  events_days: 'events of executions and execution groups',
  logs_days: 'log lines of executions',
  operations_days: 'tasks graphs and operations of executions that have ended so many days ago; the executions stay',
  executions_days:
    'executions that have ended so many days ago with all that belongs to them (events, operations, deployment updates), execution ' +
    'groups without executions, and ended deployment modifications. What created a deployment or is the latest of one stays',
  audit_log_days: 'records of the audit log',
} as const;
export type RetentionName = keyof typeof retentionSettings;

const mostDays = 36_500;

const retention: DefaultSetting[] = Object.keys(retentionSettings).map((name) => ({
  scope: 'retention',
  name,
  value: 0,
  schema: integer(0, mostDays),
}));

/**
 * The settings of a new manager.
 *
 * Compatibility: names, scopes and defaults of Cloudify 7, which its clients and workers read; `retention` is our own.
 */
export const defaultSettings: readonly DefaultSetting[] = [
  ...agent,
  ...worker,
  ...workflow,
  ...rest,
  ...directory,
  ...retention,
];
