import type { Permission } from '../domain/permissions.ts';
import { blueprintResource } from '../store/blueprints.ts';
import type { Database } from '../store/database.ts';
import { deploymentResource, inDeploymentGroup } from '../store/deployments.ts';
import { executionScheduleResource } from '../store/execution-schedules.ts';
import { executionResource, inExecutionGroup } from '../store/executions.ts';
import { summarize } from '../store/list-query.ts';
import type { Condition, SummaryRow } from '../store/list-query.ts';
import { nodeInstanceResource } from '../store/node-instances.ts';
import { nodeResource } from '../store/nodes.ts';
import type { ResourceShape } from '../store/resource.ts';
import type { ListQuery, Scope } from '../store/scope.ts';
import { listScopeOf } from './caller.ts';
import type { Caller } from './caller.ts';

export type SummaryKind =
  'deployments' | 'nodes' | 'node_instances' | 'executions' | 'blueprints' | 'execution_schedules';

const resources: Readonly<Record<SummaryKind, { resource: ResourceShape; permission: Permission }>> = {
  deployments: { resource: deploymentResource, permission: 'deployment_list' },
  nodes: { resource: nodeResource, permission: 'node_list' },
  node_instances: { resource: nodeInstanceResource, permission: 'node_instance_list' },
  executions: { resource: executionResource, permission: 'execution_list' },
  blueprints: { resource: blueprintResource, permission: 'blueprint_list' },
  execution_schedules: { resource: executionScheduleResource, permission: 'execution_schedule_list' },
};

export interface SummaryService {
  /**
   * Counts resources by one or two of their fields.
   *
   * @param by the fields, and the deployment or execution group whose members alone are counted
   * @throws GantryError bad_parameters_error
   */
  count(
    caller: Caller,
    kind: SummaryKind,
    query: ListQuery,
    isAllTenants: boolean,
    by: { field: string; subField: string | undefined; groupId?: string | undefined },
  ): Promise<{ items: SummaryRow[]; total: number }>;
}

function groupCondition(kind: SummaryKind, scope: Scope, groupId: string | undefined): Condition[] {
  if (groupId === undefined) {
    return [];
  }
  return [kind === 'deployments' ? inDeploymentGroup(scope, groupId) : inExecutionGroup(groupId)];
}

/** Makes the use case of summaries. */
export function createSummaryService(database: Database): SummaryService {
  return {
    count(caller, kind, query, isAllTenants, by) {
      const { resource, permission } = resources[kind];
      const scope = listScopeOf(caller, isAllTenants, permission);
      return summarize(database, resource, scope, query, by, groupCondition(kind, scope, by.groupId));
    },
  };
}
