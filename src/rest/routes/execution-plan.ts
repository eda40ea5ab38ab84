import type { JsonObject } from '../../domain/plan.ts';
import type { ExecutionControlService } from '../../services/execution-control.ts';
import type { ExecutionPlan } from '../../services/execution-plan.ts';
import type { PlannedGraph, PlannedOperation } from '../../workflows/planning/planned-graph.ts';
import { json, list, record, textSchema } from '../answer.ts';
import { isObject, textMember } from '../body.ts';
import { readBoolean } from '../query.ts';
import { ok } from '../route.ts';
import type { Route } from '../route.ts';

const planSchema = {
  type: 'object',
  required: ['deployment_id', 'workflow_id'],
  properties: {
    deployment_id: { type: 'string' },
    workflow_id: { type: 'string' },
    parameters: { type: ['object', 'null'] },
    allow_custom_parameters: { type: ['boolean', 'string', 'null'] },
  },
};

const operationSchema = record('PlannedOperation', {
  id: 'text',
  operation: 'text',
  task: 'text',
  node_id: 'text',
  node_instance_id: 'text',
  related_instance_id: 'text',
  host_id: 'text',
  inputs: 'json',
  path: 'json',
  after: list(textSchema),
  starts_at: 'number',
  seconds: 'number',
});
const planAnswer = record('ExecutionPlan', {
  workflow_id: 'text',
  deployment_id: 'text',
  parameters: 'json',
  total_operations: 'integer',
  seconds: 'number',
  unknown_durations: 'integer',
  graphs: list(
    record('PlannedGraph', {
      name: 'text',
      seconds: 'number',
      critical_path: list(textSchema),
      operations: list(operationSchema),
    }),
  ),
  messages: list({}),
});

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

function shapeOperation(operation: PlannedOperation): Record<string, unknown> {
  return {
    id: operation.id,
    operation: operation.operation,
    task: operation.task,
    node_id: operation.nodeId,
    node_instance_id: operation.instanceId,
    related_instance_id: operation.relatedInstanceId ?? null,
    host_id: operation.hostId ?? null,
    inputs: operation.inputs,
    path: operation.path,
    after: operation.after,
    starts_at: rounded(operation.startsAt),
    seconds: operation.seconds === undefined ? null : rounded(operation.seconds),
  };
}

function shapeGraph(graph: PlannedGraph): Record<string, unknown> {
  const { name, operations, seconds, criticalPath } = graph;
  return {
    name,
    seconds: rounded(seconds),
    critical_path: criticalPath,
    operations: operations.map(shapeOperation),
  };
}

function shapePlan(plan: ExecutionPlan): Record<string, unknown> {
  const { workflowId, deploymentId, parameters, graphs, seconds, unknownDurations, messages } = plan;
  return {
    workflow_id: workflowId,
    deployment_id: deploymentId,
    parameters,
    total_operations: graphs.reduce((sum, { operations }) => sum + operations.length, 0),
    seconds: rounded(seconds),
    unknown_durations: unknownDurations,
    graphs: graphs.map(shapeGraph),
    messages,
  };
}

/** Route of plans: what an execution would do. */
export function executionPlanRoutes(control: ExecutionControlService): Route[] {
  return [
    {
      method: 'post',
      path: '/executions/plan',
      summary: 'Plan a workflow without running it',
      access: { permission: 'execution_start' },
      body: planSchema,
      answer: json(planAnswer),
      handle: async ({ tenantCaller, body }) => {
        const request = body as JsonObject;
        const { parameters, allow_custom_parameters: custom } = request;
        const plan = await control.plan(tenantCaller, {
          deploymentId: textMember(request, 'deployment_id'),
          workflowId: textMember(request, 'workflow_id'),
          parameters: isObject(parameters) ? parameters : {},
          allowCustomParameters:
            custom === undefined || custom === null ? false : readBoolean(custom, 'allow_custom_parameters'),
        });
        return ok(shapePlan(plan));
      },
    },
  ];
}
