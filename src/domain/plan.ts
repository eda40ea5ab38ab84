/**
 * The blueprint plan: the JSON document a parsed blueprint becomes. It is stored with the blueprint and read by
 * clients, so its keys are those of the wire and stay snake_case everywhere.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface PlanVersion {
  raw: string;
  definitions_name: string;
  definitions_version: number[];
}

/** Schema of one input, property or workflow parameter; only written fields are present. */
export interface PropertySchema {
  type?: string;
  item_type?: string;
  description?: string;
  required?: boolean;
  default?: Json;
  constraints?: JsonObject[];
  display_label?: string;
  hidden?: boolean;
  display?: JsonObject;
  [key: string]: Json | undefined;
}

/** An operation as the engine calls it: mapped to a plugin and a function of it. An empty `operation` is a no-op. */
export interface PlanOperation {
  plugin: string;
  operation: string;
  executor: string | null;
  inputs: JsonObject;
  has_intrinsic_functions: boolean;
  max_retries: number | null;
  retry_interval: number | null;
  timeout: number | null;
  timeout_recoverable: boolean | null;
  inputs_types?: JsonObject;
}

/** An operation as written in an interface, after merging. */
export interface PlanInterfaceOperation {
  implementation: string;
  inputs: JsonObject;
  executor: string | null;
  max_retries: number | null;
  retry_interval: number | null;
  timeout: number | null;
  timeout_recoverable: boolean | null;
}

export type PlanInterfaces = { [interfaceName: string]: { [operationName: string]: PlanInterfaceOperation } };
export type PlanOperations = { [operationName: string]: PlanOperation };

export interface PlanPlugin {
  name: string;
  source: string | null;
  executor: string | null;
  install: boolean;
  install_arguments: string | null;
  package_name: string | null;
  package_version: string | null;
  supported_platform: string | null;
  distribution: string | null;
  distribution_version: string | null;
  distribution_release: string | null;
  properties_description?: Json;
  properties?: Json;
}

export interface PlanRelationship {
  type: string;
  target_id: string;
  type_hierarchy: string[];
  properties: JsonObject;
  source_interfaces: PlanInterfaces;
  target_interfaces: PlanInterfaces;
  source_operations: PlanOperations;
  target_operations: PlanOperations;
}

export interface ScalableProperties {
  min_instances: number;
  max_instances: number;
  default_instances: number;
  current_instances: number;
  planned_instances: number;
}

export interface PlanNode {
  name: string;
  id: string;
  type: string;
  type_hierarchy: string[];
  host_id?: string;
  properties: JsonObject;
  instances: { deploy?: number };
  capabilities: { scalable: { properties: ScalableProperties } };
  interfaces: PlanInterfaces;
  operations: PlanOperations;
  relationships: PlanRelationship[];
  plugins: PlanPlugin[];
  deployment_plugins_to_install: PlanPlugin[];
  plugins_to_install?: PlanPlugin[];
}

export interface PlanWorkflow {
  plugin: string;
  operation: string;
  parameters: { [name: string]: PropertySchema };
  is_cascading: boolean;
  availability_rules: JsonObject | null;
}

export interface PlanScalingGroup {
  members: string[];
  properties: ScalableProperties;
}

export interface Plan {
  version: PlanVersion;
  description: string | null;
  metadata: JsonObject | null;
  inputs: { [name: string]: PropertySchema };
  outputs: { [name: string]: { value?: Json; description?: string } };
  capabilities: { [name: string]: { value?: Json; description?: string } };
  nodes: PlanNode[];
  relationships: JsonObject;
  workflows: { [name: string]: PlanWorkflow };
  data_types: JsonObject;
  policy_types: JsonObject;
  policy_triggers: JsonObject;
  policies: JsonObject;
  groups: JsonObject;
  scaling_groups: { [name: string]: PlanScalingGroup };
  deployment_plugins_to_install: PlanPlugin[];
  workflow_plugins_to_install: PlanPlugin[];
  host_agent_plugins_to_install: PlanPlugin[];
  imported_blueprints: string[];
  namespaces_mapping: { [namespace: string]: string };
  labels: { [key: string]: { values: Json[] } };
  blueprint_labels: { [key: string]: { values: Json[] } };
  resource_tags: JsonObject;
  deployment_settings: JsonObject;
  requirements: { parent_capabilities: Json[]; secrets: Json[] };
}

export interface PlanNodeInstanceRelationship {
  type: string;
  target_name: string;
  target_id: string;
}

export interface PlanNodeInstance {
  name: string;
  node_id: string;
  id: string;
  host_id?: string;
  scaling_groups?: { name: string; id: string }[];
  relationships: PlanNodeInstanceRelationship[];
}

/** A function of a plan by which its deployment depends on another one. */
export interface InterDeploymentFunction {
  /** Where the function stands, e.g. `nodes.app.properties.url.get_capability`. */
  function_identifier: string;
  /** The id of the other deployment, null when only a function can tell, and the argument as written. */
  target_deployment: [Json, Json];
  /** Node instance ids for `self`, `source` and `target`; empty outside nodes. */
  context: { [keyword: string]: string };
}

/** A plan with inputs applied and node instances expanded: what a deployment is created from. */
export interface DeploymentPlan extends Omit<Plan, 'inputs'> {
  inputs: JsonObject;
  node_instances: PlanNodeInstance[];
  inter_deployment_functions: InterDeploymentFunction[];
}
