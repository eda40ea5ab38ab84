/** JSON shapes on the wire of REST v3.1, as far as this client reads them. */

export interface Page<Item> {
  items: Item[];
  metadata: { pagination: { total: number; size: number; offset: number }; filtered?: number | null };
}

/** What every tenant resource carries. */
export interface ResourceShape {
  id: string;
  visibility: string;
  tenant_name: string;
  created_by: string;
  created_at: string;
}

export interface LabelShape {
  key: string;
  value: string;
}

export interface BlueprintShape extends ResourceShape {
  main_file_name: string | null;
  description: string | null;
  state: string;
  error: string | null;
  updated_at: string | null;
  labels: LabelShape[];
  plan: Record<string, unknown> | null;
  upload_execution: ExecutionShape | null;
}

export interface WorkflowShape {
  name: string;
  plugin: string;
  operation: string;
  parameters: Record<string, { type?: string; default?: unknown; required?: boolean; description?: string }>;
  is_available: boolean;
}

export interface DeploymentShape extends ResourceShape {
  blueprint_id: string;
  display_name: string;
  description: string | null;
  inputs: Record<string, unknown> | null;
  outputs: Record<string, { value: unknown; description?: string }> | null;
  capabilities: Record<string, { value: unknown; description?: string }> | null;
  workflows: WorkflowShape[] | null;
  installation_status: string | null;
  deployment_status: string | null;
  latest_execution: string | null;
  latest_execution_status: string | null;
  create_execution: string | null;
  labels: LabelShape[];
}

export interface DeploymentGroupShape extends ResourceShape {
  description: string | null;
  default_inputs: Record<string, unknown> | null;
  creation_counter: number;
  default_blueprint_id: string | null;
  deployment_ids: string[];
  labels: LabelShape[];
}

export interface ExecutionGroupShape extends ResourceShape {
  workflow_id: string;
  concurrency: number;
  deployment_group_id: string | null;
  /** Null where the executions were not asked for. */
  execution_ids: string[] | null;
  /** Null also while there are no executions. */
  status: string | null;
}

export interface UpdateStepShape {
  action: 'add' | 'remove' | 'modify';
  entity_type: string;
  entity_id: string[];
}

interface ChangedInstanceShape {
  id: string;
  node_id: string;
  /** Absent for instances that are only related to changed ones. */
  modification?: string;
}

export interface DeploymentUpdateShape extends ResourceShape {
  state: string;
  deployment_id: string;
  execution_id: string | null;
  old_blueprint_id: string | null;
  new_blueprint_id: string | null;
  old_inputs: Record<string, unknown> | null;
  new_inputs: Record<string, unknown> | null;
  steps: UpdateStepShape[];
  deployment_update_node_instances: Record<string, ChangedInstanceShape[] | undefined> | null;
  recursive_dependencies: { deployment: string; dependency_type: string; tenant: string }[] | null;
  schedules_to_create: { id: string }[] | null;
  labels_to_create: LabelShape[] | null;
}

export interface PluginsUpdateShape extends ResourceShape {
  state: string;
  blueprint_id: string;
  execution_id: string | null;
  forced: boolean;
  deployments_per_tenant: Record<string, string[]> | null;
}

export interface ExecutionShape extends ResourceShape {
  workflow_id: string;
  deployment_id: string | null;
  blueprint_id: string | null;
  status: string;
  status_display: string;
  error: string | null;
  parameters: Record<string, unknown>;
  started_at: string | null;
  ended_at: string | null;
  scheduled_for: string | null;
  total_operations: number;
  finished_operations: number;
  is_system_workflow: boolean;
}

/** Where an execution stops before an operation; every member that is given must fit. */
export interface BreakpointShape {
  operation?: string | null;
  node_id?: string | null;
  node_instance_id?: string | null;
  type?: string | null;
}

export interface PlannedOperationShape {
  id: string;
  operation: string;
  task: string;
  node_id: string;
  node_instance_id: string;
  related_instance_id: string | null;
  host_id: string | null;
  inputs: Record<string, unknown>;
  path: string[];
  /** Ids of the operations that end directly before it. */
  after: string[];
  starts_at: number;
  seconds: number | null;
}

export interface PlannedGraphShape {
  name: string;
  seconds: number;
  critical_path: string[];
  operations: PlannedOperationShape[];
}

/** What a workflow would do. */
export interface ExecutionPlanShape {
  workflow_id: string;
  deployment_id: string;
  parameters: Record<string, unknown>;
  total_operations: number;
  seconds: number;
  unknown_durations: number;
  graphs: PlannedGraphShape[];
  messages: { level: string; message: string }[];
}

/** One attempt of an operation. */
export interface OperationShape {
  id: string;
  created_at: string;
  operation: string;
  node_id: string | null;
  node_instance_id: string | null;
  host_id: string | null;
  state: string;
  is_held: boolean;
  inputs: Record<string, unknown>;
  retry_number: number;
  max_retries: number;
  retried_operation: string | null;
  sent_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  seconds: number | null;
  worker: string | null;
  manager_name: string | null;
  agent_name: string | null;
  error: string | null;
  result: unknown;
  decision: { action: string; by: string; at: string; reason?: string } | null;
  execution_id: string;
}

export interface EventShape {
  _storage_id: number;
  timestamp: string;
  reported_timestamp: string;
  type: 'cloudify_event' | 'cloudify_log';
  message: string;
  event_type?: string;
  level?: string;
  logger?: string;
  execution_id: string | null;
  deployment_id: string | null;
  workflow_id: string | null;
  operation: string | null;
  node_name: string | null;
  node_instance_id: string | null;
  source_id: string | null;
  target_id: string | null;
  error_causes: { message: string; type: string; traceback: string }[] | null;
}

export interface NodeShape extends Omit<ResourceShape, 'created_at'> {
  deployment_id: string;
  type: string;
  type_hierarchy: string[];
  host_id: string | null;
  number_of_instances: number;
  planned_number_of_instances: number;
  actual_number_of_instances: number;
  properties: Record<string, unknown>;
}

export interface NodeInstanceShape extends Omit<ResourceShape, 'created_at'> {
  deployment_id: string;
  node_id: string;
  host_id: string | null;
  index: number;
  state: string;
  version: number;
  runtime_properties: Record<string, unknown>;
  system_properties: Record<string, unknown> | null;
}

export interface TokenShape {
  id: string;
  username: string;
  value: string;
  role: string;
  expiration_date: string | null;
  last_used: string | null;
  description: string | null;
}

export interface TenantShape {
  name: string;
  users: number | Record<string, unknown>;
  groups: number | Record<string, unknown>;
}

export interface UserShape {
  username: string;
  role: string;
  active: boolean;
  is_locked: boolean;
  last_login_at: string | null;
  tenants: number | Record<string, unknown>;
  groups: number | string[];
}

export interface SecretShape {
  key: string;
  value?: unknown;
  visibility: string;
  is_hidden_value: boolean;
  tenant_name: string;
  created_by: string;
  created_at: string;
  updated_at: string | null;
}

export interface PluginShape extends Omit<ResourceShape, 'created_at'> {
  package_name: string;
  package_version: string | null;
  supported_platform: string | null;
  distribution: string | null;
  uploaded_at: string;
}

export interface StatusShape {
  status: string;
  services: Record<string, { status: string; is_remote?: boolean; extra_info?: unknown }>;
  /** Processes of the manager; a Cloudify Manager has none to tell. */
  processes?: { name: string; roles: string[]; status: string; host: string | null; started_at: string }[];
}

export interface VersionShape {
  edition: string;
  version: string;
  build: string | null;
  date: string | null;
  commit: string | null;
}
