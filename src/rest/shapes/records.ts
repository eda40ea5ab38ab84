import type { DeploymentModification } from '../../domain/entities.ts';
import type {
  DeploymentGroup,
  DeploymentUpdate,
  ExecutionGroup,
  InterDeploymentDependency,
  PluginsUpdate,
} from '../../domain/resources.ts';
import { endedExecutionStatuses } from '../../domain/states.ts';
import { commonFields, fieldsOf, headFields, visibilities } from './field.ts';
import type { Shape } from './field.ts';
import { shapeLabels } from './label.ts';

const group = fieldsOf<DeploymentGroup>();

export const deploymentGroupShape: Shape<DeploymentGroup> = {
  kind: 'DeploymentGroup',
  fields: [
    ...headFields<DeploymentGroup>(),
    group.text('description', 'description'),
    group.json('default_inputs', 'defaultInputs'),
    group.integer('creation_counter', 'creationCounter'),
    group.text('default_blueprint_id', 'defaultBlueprintId'),
    ...commonFields<DeploymentGroup>(),
    group.computed('deployment_ids', ['deploymentIds'], ({ deploymentIds }) => deploymentIds),
    group.computed('labels', ['labels'], ({ labels }) => shapeLabels(labels)),
  ],
};

/** An execution group on the wire, whose members are told only where they were asked for. */
export type ExecutionGroupView = Omit<ExecutionGroup, 'executionIds' | 'executionStatuses'> & {
  readonly executionIds: ExecutionGroup['executionIds'] | undefined;
  readonly executionStatuses: ExecutionGroup['executionStatuses'] | undefined;
};

/** The group without what its executions are. */
export function withoutMembers(group: ExecutionGroup): ExecutionGroupView {
  return { ...group, executionIds: undefined, executionStatuses: undefined };
}

const executionGroup = fieldsOf<ExecutionGroupView>();

/** Status of a group by those of its executions; undefined while it is empty. */
function groupStatus({ executionStatuses: statuses }: ExecutionGroupView): string | undefined {
  if (statuses === undefined || statuses.length === 0) {
    return undefined;
  }
  if (statuses.every((status) => status === 'pending')) {
    return 'pending';
  }
  if (statuses.every((status) => ['queued', 'scheduled', 'pending'].includes(status))) {
    return 'queued';
  }
  if (statuses.every((status) => endedExecutionStatuses.includes(status))) {
    return statuses.includes('failed') ? 'failed' : 'terminated';
  }
  return 'started';
}

export const executionGroupShape: Shape<ExecutionGroupView> = {
  kind: 'ExecutionGroup',
  fields: [
    ...headFields<ExecutionGroupView>(),
    executionGroup.text('workflow_id', 'workflowId'),
    executionGroup.integer('concurrency', 'concurrency'),
    executionGroup.text('deployment_group_id', 'deploymentGroupId'),
    ...commonFields<ExecutionGroupView>(),
    executionGroup.computed('execution_ids', ['executionIds'], ({ executionIds }) => executionIds),
    executionGroup.computed('status', ['executionStatuses'], groupStatus, 'text'),
  ],
};

const modification = fieldsOf<DeploymentModification>();

export const modificationShape: Shape<DeploymentModification> = {
  kind: 'DeploymentModification',
  fields: [
    ...headFields<DeploymentModification>(),
    modification.json('context', 'context'),
    modification.timestamp('ended_at', 'endedAt'),
    modification.json('modified_nodes', 'modifiedNodes'),
    modification.json('node_instances', 'nodeInstances'),
    modification.text('status', 'status', { values: ['started', 'finished', 'rolledback'] }),
    modification.text('deployment_id', 'deploymentId'),
    ...commonFields<DeploymentModification>(),
  ],
  retired: ['context_p', 'modified_nodes_p', 'node_instances_p'],
};

const update = fieldsOf<DeploymentUpdate>();

export const deploymentUpdateShape: Shape<DeploymentUpdate> = {
  kind: 'DeploymentUpdate',
  fields: [
    ...headFields<DeploymentUpdate>(),
    update.json('deployment_plan', 'deploymentPlan'),
    update.json('deployment_update_node_instances', 'nodeInstances'),
    update.json('central_plugins_to_uninstall', 'centralPluginsToUninstall'),
    update.json('central_plugins_to_install', 'centralPluginsToInstall'),
    update.json('deployment_update_nodes', 'nodes'),
    update.json('modified_entity_ids', 'modifiedEntityIds'),
    update.json('old_inputs', 'oldInputs'),
    update.json('new_inputs', 'newInputs'),
    update.text('state', 'state'),
    update.boolean('runtime_only_evaluation', 'runtimeOnlyEvaluation'),
    update.boolean('keep_old_deployment_dependencies', 'keepOldDeploymentDependencies'),
    update.text('deployment_id', 'deploymentId'),
    update.text('execution_id', 'executionId'),
    update.text('old_blueprint_id', 'oldBlueprintId'),
    update.text('new_blueprint_id', 'newBlueprintId'),
    ...commonFields<DeploymentUpdate>(),
    update.computed('steps', ['steps'], ({ id, steps, visibility, tenantName, createdBy }) =>
      steps.map((step) => ({
        id: step.id,
        visibility,
        action: step.action,
        entity_id: step.entityId,
        entity_type: step.entityType,
        topology_order: step.topologyOrder,
        deployment_update_id: id,
        tenant_name: tenantName,
        created_by: createdBy,
        resource_availability: visibility,
        private_resource: visibility === 'private',
      })),
    ),
    update.computed('recursive_dependencies', ['outlook'], ({ outlook }) => outlook?.recursiveDependencies ?? null),
    update.computed('schedules_to_create', ['outlook'], ({ outlook }) => outlook?.schedulesToCreate ?? null),
    // schedules of the blueprint before stay: nobody can tell whether a person has made them
    update.computed('schedules_to_delete', [], () => null),
    update.computed('labels_to_create', ['outlook'], ({ outlook }) => outlook?.labelsToCreate ?? null),
  ],
};

const dependency = fieldsOf<InterDeploymentDependency>();
const [tenantName, createdBy, ...availability] = commonFields<InterDeploymentDependency>();
const ownership = [tenantName, createdBy].filter((field) => field !== undefined);

export const dependencyShape: Shape<InterDeploymentDependency> = {
  kind: 'InterDeploymentDependencies',
  fields: [
    dependency.timestamp('created_at', 'createdAt'),
    dependency.text('visibility', 'visibility', { values: visibilities }),
    dependency.text('id', 'id'),
    dependency.text('dependency_creator', 'dependencyCreator'),
    dependency.json('target_deployment_func', 'targetDeploymentFunction'),
    dependency.json('external_source', 'externalSource'),
    dependency.json('external_target', 'externalTarget'),
    ...ownership,
    dependency.text('source_deployment_id', 'sourceDeploymentId'),
    dependency.text('target_deployment_id', 'targetDeploymentId'),
    ...availability,
  ],
};

const pluginsUpdate = fieldsOf<PluginsUpdate>();

export const pluginsUpdateShape: Shape<PluginsUpdate> = {
  kind: 'PluginsUpdate',
  fields: [
    ...headFields<PluginsUpdate>(),
    pluginsUpdate.text('state', 'state'),
    pluginsUpdate.boolean('forced', 'isForced'),
    pluginsUpdate.boolean('all_tenants', 'isAllTenants'),
    pluginsUpdate.text('blueprint_id', 'blueprintId'),
    pluginsUpdate.text('temp_blueprint_id', 'temporaryBlueprintId'),
    pluginsUpdate.text('execution_id', 'executionId'),
    pluginsUpdate.json('deployments_to_update', 'deploymentsToUpdate'),
    pluginsUpdate.json('deployments_per_tenant', 'deploymentsPerTenant'),
    ...commonFields<PluginsUpdate>(),
  ],
};
