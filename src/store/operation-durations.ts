import type { Session } from './session.ts';

export interface OperationDuration {
  readonly nodeId: string;
  readonly operation: string;
  /** Median seconds a worker took. */
  readonly seconds: number;
}

/** Executions that are looked at; older ones say less about what to expect. */
const looked = 50;

/** How long the operations of a blueprint's nodes took in its latest executions that have ended, in any deployment of it. */
export async function findOperationDurations(
  session: Session,
  tenantId: number,
  blueprintId: string,
): Promise<OperationDuration[]> {
  return session.prepared<OperationDuration>(
    `with latest as materialized (
       select storage_id from executions
       where tenant_id = $1 and blueprint_id = $2 and status in ('terminated', 'failed', 'cancelled') and not is_dry_run
         and not is_system_workflow
       order by created_at desc limit $3
     ), ended as (
       select operation.parameters -> 'task_kwargs' -> 'kwargs' -> '__cloudify_context' as context,
         extract(epoch from operation.ended_at - operation.started_at)::float as seconds
       from latest join tasks_graphs graph on graph.execution_id = latest.storage_id
       join operations operation on operation.tasks_graph_id = graph.storage_id
       where operation.type = 'RemoteWorkflowTask' and operation.state = 'succeeded' and operation.decision is null
         and operation.started_at is not null and operation.ended_at is not null
     )
     select context ->> 'node_name' as "nodeId", context -> 'operation' ->> 'name' as operation,
       percentile_cont(0.5) within group (order by seconds) as seconds
     from ended where context is not null group by 1, 2`,
    [tenantId, blueprintId, looked],
  );
}
