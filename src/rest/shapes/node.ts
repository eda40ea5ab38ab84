import type { NodeInstanceRow, NodeRow } from '../../domain/entities.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';

/** A node with what is worked out for a list. */
export interface NodeView extends NodeRow {
  /** Planned instances times those of the scaling groups around; only lists have it. */
  readonly actualPlannedNumberOfInstances: number | undefined;
  /** Set when functions were evaluated: the name once more. */
  readonly name?: string;
}

const node = fieldsOf<NodeView>();

export const nodeShape: Shape<NodeView> = {
  kind: 'Node',
  fields: [
    node.text('id', 'id'),
    node.text('visibility', 'visibility', { values: visibilities }),
    node.integer('deploy_number_of_instances', 'deployNumberOfInstances'),
    node.text('host_id', 'hostId'),
    node.integer('max_number_of_instances', 'maxNumberOfInstances'),
    node.integer('min_number_of_instances', 'minNumberOfInstances'),
    node.integer('number_of_instances', 'numberOfInstances'),
    node.integer('planned_number_of_instances', 'plannedNumberOfInstances'),
    node.json('plugins', 'plugins'),
    node.json('plugins_to_install', 'pluginsToInstall'),
    node.json('properties', 'properties'),
    node.json('relationships', 'relationships'),
    node.json('operations', 'operations'),
    node.text('type', 'type'),
    node.json('type_hierarchy', 'typeHierarchy'),
    node.integer('drifted_instances', 'driftedInstances'),
    node.integer('unavailable_instances', 'unavailableInstances'),
    node.integer('actual_number_of_instances', 'actualNumberOfInstances'),
    node.text('deployment_id', 'deploymentId'),
    node.text('blueprint_id', 'blueprintId'),
    node.text('deployment_display_name', 'deploymentDisplayName'),
    ...commonFields<NodeView>(),
    node.computed(
      'actual_planned_number_of_instances',
      ['plannedNumberOfInstances'],
      ({ actualPlannedNumberOfInstances }) => actualPlannedNumberOfInstances,
      'integer',
    ),
  ],
  retired: ['plugins_p', 'plugins_to_install_p', 'properties_p', 'relationships_p', 'operations_p', 'type_hierarchy_p'],
};

const instance = fieldsOf<NodeInstanceRow>();

export const nodeInstanceShape: Shape<NodeInstanceRow> = {
  kind: 'NodeInstance',
  fields: [
    instance.text('id', 'id'),
    instance.text('visibility', 'visibility', { values: visibilities }),
    instance.text('host_id', 'hostId'),
    instance.integer('index', 'index'),
    instance.json('relationships', 'relationships'),
    instance.json('runtime_properties', 'runtimeProperties'),
    instance.json('system_properties', 'systemProperties'),
    instance.json('scaling_groups', 'scalingGroups'),
    instance.text('state', 'state'),
    instance.integer('version', 'version'),
    instance.boolean('has_configuration_drift', 'hasConfigurationDrift'),
    instance.boolean('is_status_check_ok', 'isStatusCheckOk'),
    instance.text('node_id', 'nodeId'),
    instance.text('deployment_id', 'deploymentId'),
    ...commonFields<NodeInstanceRow>(),
  ],
  retired: ['relationships_p', 'runtime_properties_p', 'scaling_groups_p'],
};
