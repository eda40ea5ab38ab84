import type pg from 'pg';

const ended = `('terminated', 'failed', 'cancelled')`;

/** How operations are told apart: what is done to what in an execution. */
const deed = `concat_ws(' ', operation.parameters #>> '{task_kwargs,kwargs,__cloudify_context,operation,name}',
  operation.parameters #>> '{task_kwargs,kwargs,__cloudify_context,node_id}')`;

/**
 * What must not be in the store when nothing runs any more: each statement selects what contradicts its name.
 */
const contradictions: Readonly<Record<string, string>> = {
  'messages that were not published': 'select * from outbox',
  'executions that ended without a time of their end': `select id, status, workflow_id from executions
    where status in ${ended} and ended_at is null`,
  'executions with a time of their end that have not ended': `select id, status, workflow_id from executions
    where status not in ${ended} and ended_at is not null`,
  'executions that succeeded without having begun': `select id, workflow_id from executions
    where status = 'terminated' and started_at is null`,
  'executions that succeeded and have an error': `select id, workflow_id, error from executions
    where status = 'terminated' and coalesce(error, '') <> ''`,
  'executions that failed and do not say why': `select id, workflow_id from executions
    where status = 'failed' and coalesce(error, '') = ''`,
  'executions whose operations are counted wrong': `
    select execution.id, execution.workflow_id, execution.status, execution.total_operations, execution.finished_operations,
      count(*) filter (where operation.type <> 'NOPLocalWorkflowTask')::integer as stored
    from executions execution
    left join tasks_graphs graph on graph.execution_id = execution.storage_id
    left join operations operation on operation.tasks_graph_id = graph.storage_id
    group by execution.storage_id
    having execution.total_operations <> count(*) filter (where operation.type <> 'NOPLocalWorkflowTask')`,
  'operations of executions that succeeded and have not ended': `
    select execution.id, execution.workflow_id, operation.state, operation.name from operations operation
    join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
    join executions execution on execution.storage_id = graph.execution_id
    where execution.status = 'terminated' and operation.state not in ('succeeded', 'failed', 'rescheduled')`,
  'operations of ended executions that still run': `
    select execution.id, execution.workflow_id, execution.status, operation.state, operation.name, operation.worker
    from operations operation
    join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
    join executions execution on execution.storage_id = graph.execution_id
    where execution.status in ('terminated', 'failed') and operation.state in ('started', 'sent', 'response-sent')
      and operation.type = 'RemoteWorkflowTask'`,
  'operations that succeeded and were not told of exactly once': `
    with told as (
      select event.execution_id, concat_ws(' ', event.operation, event.node_instance_id) as deed, count(*)::integer
      from events event where event.event_type = 'task_succeeded' and event.operation is not null
        and event.source_id is null group by 1, 2
    ), done as (
      select graph.execution_id, ${deed} as deed, count(*)::integer
      from operations operation join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
      where operation.type = 'RemoteWorkflowTask' and operation.state = 'succeeded'
        and operation.parameters #> '{task_kwargs,kwargs,__cloudify_context,related}' is null
      group by 1, 2
    )
    select execution.id, execution.workflow_id, execution.status, deed, told.count as events, done.count as operations
    from told full join done using (execution_id, deed)
    join executions execution on execution.storage_id = execution_id
    where done.count is distinct from told.count and not execution.is_dry_run`,
  'executions whose end was told more or less than once': `
    select execution.id, execution.workflow_id, execution.status, count(event.storage_id)::integer as events
    from executions execution left join events event on event.execution_id = execution.storage_id
      and event.event_type = 'workflow_succeeded'
    where execution.status = 'terminated' and execution.deployment_id is not null and not execution.is_system_workflow
      group by execution.storage_id having count(event.storage_id) <> 1`,
  'deployments whose installation status is wrong': `
    select deployment.id, deployment.installation_status from deployments deployment
    where installation_status is distinct from case when exists (select from node_instances instance
      where instance.deployment_id = deployment.storage_id and instance.state <> 'started')
      then 'inactive' else 'active' end`,
  'deployments that look busy with nothing': `
    select deployment.id, execution.workflow_id, execution.status from deployments deployment
    left join executions execution on execution.storage_id = deployment.latest_execution_id
    where deployment.deployment_status = 'in_progress' and coalesce(execution.status, 'failed') in ${ended}
      and coalesce(deployment.sub_services_status, '') <> 'in_progress'
      and coalesce(deployment.sub_environments_status, '') <> 'in_progress'`,
  'deployments that look good and are not': `
    select deployment.id, execution.workflow_id, execution.status, deployment.installation_status from deployments deployment
    left join executions execution on execution.storage_id = deployment.latest_execution_id
    where deployment.deployment_status = 'good'
      and (deployment.installation_status = 'inactive' or execution.status = 'failed')`,
  'deployments whose latest execution is another one': `
    select deployment.id, latest.workflow_id, latest.created_at, latest.started_at, latest.ended_at,
      latest.status, newer.workflow_id as newer, newer.created_at as newer_created_at, newer.started_at as newer_started_at,
      newer.ended_at as newer_ended_at, newer.status as newer_status
    from deployments deployment
    join executions latest on latest.storage_id = deployment.latest_execution_id
    join executions newer on newer.deployment_id = deployment.storage_id
    -- it was the last one that began or ended
    where newer.started_at > coalesce(latest.ended_at, latest.started_at) and not newer.is_dry_run`,
  'nodes with another number of instances than they should have': `
    select deployment.id as deployment, node.id, node.number_of_instances, count(instance.storage_id)::integer as there
    from nodes node join deployments deployment on deployment.storage_id = node.deployment_id
    left join node_instances instance on instance.node_id = node.storage_id
    where node.id = 'web' and not exists (select from deployment_modifications modification
      where modification.deployment_id = deployment.storage_id and modification.status = 'started')
    group by deployment.storage_id, node.storage_id having node.number_of_instances <> count(instance.storage_id)`,
  'deployments that are not what their last workflow, alone, has made of them': `
    select deployment.id, last.workflow_id, last.id as execution, array_agg(instance.id || ' ' || instance.state) as instances
    from deployments deployment
    join lateral (select * from executions execution where execution.deployment_id = deployment.storage_id
      and execution.started_at is not null order by execution.started_at desc limit 1) last
      on last.status = 'terminated' and last.workflow_id in ('install', 'uninstall') and not last.is_dry_run
    join node_instances instance on instance.deployment_id = deployment.storage_id
      and instance.state <> case last.workflow_id when 'install' then 'started' else 'deleted' end
    where not exists (select from executions other where other.deployment_id = deployment.storage_id
        and other.storage_id <> last.storage_id and other.started_at is not null
        and other.ended_at > last.started_at)
      and not exists (select from deployment_modifications modification
        where modification.deployment_id = deployment.storage_id
        and coalesce(modification.ended_at, now()) > last.started_at)
    group by deployment.storage_id, last.workflow_id, last.id`,
  'deployment updates that have not ended though their execution has': `
    select deployment_update.id, deployment_update.state, execution.status from deployment_updates deployment_update
    left join executions execution on execution.storage_id = deployment_update.execution_id
    where deployment_update.state not in ('successful', 'failed', 'no_change', 'preview')
      and execution.status in ${ended}`,
  'blueprints whose upload has ended and left them as they were': `
    select blueprint.id, blueprint.state, execution.status from blueprints blueprint
    left join executions execution on execution.storage_id = blueprint.upload_execution_id
    where blueprint.state in ('pending', 'validating', 'parsing', 'extracting', 'uploading')
      and coalesce(execution.status, 'failed') in ${ended}`,
  'parents by label that are none': `
    select deployment.id, label.value from deployments_labels label
    join deployments deployment on deployment.storage_id = label.resource_id
    -- the label outlives a parent that is deleted by force, also when another one comes under its id
    join deployments parent on parent.tenant_id = deployment.tenant_id and parent.id = label.value
      and parent.created_at < label.created_at
    where label.key = 'csys-obj-parent' and not exists (
      select from deployment_labels_dependencies edge
      where edge.source_deployment_id = deployment.storage_id and edge.target_deployment_id = parent.storage_id)`,
  'parents without a label': `
    select deployment.id, parent.id as parent from deployment_labels_dependencies edge
    join deployments deployment on deployment.storage_id = edge.source_deployment_id
    join deployments parent on parent.storage_id = edge.target_deployment_id
    where not exists (select from deployments_labels label where label.resource_id = deployment.storage_id
      and label.key = 'csys-obj-parent' and label.value = parent.id)`,
  'consumers by label that are none': `
    select deployment.id, label.value from deployments_labels label
    join deployments deployment on deployment.storage_id = label.resource_id
    where label.key = 'csys-consumer-id' and not exists (
      select from inter_deployment_dependencies dependency
      join deployments source on source.storage_id = dependency.source_deployment_id
      where dependency.target_deployment_id = deployment.storage_id and source.id = label.value)
    and not exists (
      select from deployment_labels_dependencies edge
      join deployments child on child.storage_id = edge.source_deployment_id
      where edge.target_deployment_id = deployment.storage_id and child.id = label.value)`,
  'deployments with another number of services than they have': `
    with recursive below (ancestor, descendant) as (
      select target_deployment_id, source_deployment_id from deployment_labels_dependencies
      union select below.ancestor, edge.source_deployment_id from below
      join deployment_labels_dependencies edge on edge.target_deployment_id = below.descendant)
    select deployment.id, deployment.sub_services_count + deployment.sub_environments_count as counted,
      count(below.descendant)::integer as there
    from deployments deployment left join below on below.ancestor = deployment.storage_id
    group by deployment.storage_id
    having deployment.sub_services_count + deployment.sub_environments_count <> count(below.descendant)`,
  'tenants with more deployments than their quota': `
    select tenant.name, count(*)::integer from deployments deployment join tenants tenant on tenant.id = deployment.tenant_id
    where tenant.name = 'crowded' group by tenant.name having count(*) > 6`,
  'events of nothing': `
    select distinct event.execution_id from events event
    left join executions execution on execution.storage_id = event.execution_id
    where event.execution_id is not null and execution.storage_id is null`,
};

const shownRows = 4;

/** Looks for contradictions in the store. @returns one line each */
export async function judgeStore(database: pg.Pool): Promise<string[]> {
  const complaints: string[] = [];
  for (const [what, statement] of Object.entries(contradictions)) {
    const { rows } = await database.query<object>(statement);
    if (rows.length > 0) {
      complaints.push(`${rows.length} ${what}: ${JSON.stringify(rows.slice(0, shownRows))}`);
    }
  }
  return complaints;
}
