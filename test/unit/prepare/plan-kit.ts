import type { JsonObject, Plan, PlanNode, PlanOperation, PlanRelationship } from '../../../src/domain/plan.ts';
import type { PrepareOptions } from '../../../src/dsl/prepare/index.ts';
import { prepareDeploymentPlan } from '../../../src/dsl/prepare/index.ts';
import { expandPlan } from '../../../src/topology/index.ts';
import { seededRandom } from '../../tools/vectors/random.ts';

export function operation(inputs: JsonObject = {}): PlanOperation {
  return {
    plugin: 'p',
    operation: 'do',
    executor: 'central_deployment_agent',
    inputs,
    has_intrinsic_functions: false,
    max_retries: null,
    retry_interval: null,
    timeout: null,
    timeout_recoverable: null,
  };
}

export function planRelationship(target: string, parts: Partial<PlanRelationship> = {}): PlanRelationship {
  const type = 'cloudify.relationships.connected_to';
  return {
    type,
    target_id: target,
    type_hierarchy: ['cloudify.relationships.depends_on', type],
    properties: { connection_type: 'all_to_all' },
    source_interfaces: {},
    target_interfaces: {},
    source_operations: {},
    target_operations: {},
    ...parts,
  };
}

export function planNode(name: string, parts: Partial<PlanNode> = {}, count = 1): PlanNode {
  return {
    name,
    id: name,
    type: 'cloudify.nodes.Root',
    type_hierarchy: ['cloudify.nodes.Root'],
    properties: {},
    instances: {},
    capabilities: {
      scalable: {
        properties: {
          min_instances: 0,
          max_instances: -1,
          default_instances: count,
          current_instances: count,
          planned_instances: count,
        },
      },
    },
    interfaces: {},
    operations: {},
    relationships: [],
    plugins: [],
    deployment_plugins_to_install: [],
    ...parts,
  };
}

export function planOf(parts: Partial<Plan> = {}): Plan {
  return {
    version: { raw: 'cloudify_dsl_1_5', definitions_name: 'cloudify_dsl', definitions_version: [1, 5] },
    description: null,
    metadata: null,
    inputs: {},
    outputs: {},
    capabilities: {},
    nodes: [],
    relationships: {},
    workflows: {},
    data_types: {},
    policy_types: {},
    policy_triggers: {},
    policies: {},
    groups: {},
    scaling_groups: {},
    deployment_plugins_to_install: [],
    workflow_plugins_to_install: [],
    host_agent_plugins_to_install: [],
    imported_blueprints: [],
    namespaces_mapping: {},
    labels: {},
    blueprint_labels: {},
    resource_tags: {},
    deployment_settings: {},
    requirements: { parent_capabilities: [], secrets: [] },
    ...parts,
  };
}

/** Prepares a plan with secrets that all exist. */
export function prepare(plan: Plan, options: Partial<PrepareOptions> = {}) {
  return prepareDeploymentPlan(plan, {
    secrets: { missing: () => Promise.resolve([]) },
    expand: (copy) => expandPlan(copy, seededRandom(5)),
    ...options,
  });
}
