import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Topology } from '../domain/topology.ts';
import { GraphError } from '../graph/errors.ts';
import { findPluginWorkflow } from '../executor/plugin-workflow.ts';
import { loadWorkflowConfig } from '../executor/workflow-config.ts';
import { getDeployment } from '../store/deployments.ts';
import { findDrivenDeployment, loadScalingGroups } from '../store/driven-deployment.ts';
import { loadNodeInstances } from '../store/node-instances.ts';
import { loadNodes } from '../store/nodes.ts';
import { findOperationDurations } from '../store/operation-durations.ts';
import type { Session } from '../store/session.ts';
import { WorkflowFailed, WorkflowRefused } from '../workflows/errors.ts';
import { findWorkflow } from '../workflows/registry.ts';
import type { DurationEstimate, PlannedGraph } from '../workflows/planning/planned-graph.ts';
import { PlanningContext } from '../workflows/planning/planning-context.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { mergeWorkflowParameters } from '../workflows/declared-parameters.ts';

export interface PlanRequest {
  readonly deploymentId: string;
  readonly workflowId: string;
  readonly parameters: JsonObject;
  readonly allowCustomParameters: boolean;
}

/** What an execution would do, if everything succeeds. */
export interface ExecutionPlan {
  readonly workflowId: string;
  readonly deploymentId: string;
  readonly parameters: JsonObject;
  readonly graphs: readonly PlannedGraph[];
  /** Seconds, as far as durations are known. */
  readonly seconds: number;
  /** Operations of unknown duration. */
  readonly unknownDurations: number;
  readonly messages: readonly { readonly level: string; readonly message: string }[];
}

/** Milliseconds a workflow function of a plugin may take to build its graphs. */
const longestPlanning = 30_000;

/**
 * Works out what a workflow would do with a deployment as it is now, without storing or running anything.
 * @throws GantryError as starting it would; bad_parameters_error when the workflow refuses or fails
 */
export async function planExecution(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  request: PlanRequest,
): Promise<ExecutionPlan> {
  const { database, clock, newId, files, config } = dependencies;
  const visible = await getDeployment(database, scopeOf(caller), request.deploymentId, { fields: ['id', 'workflows'] });
  const workflow = visible.workflows?.[request.workflowId];
  const deployment = await findDrivenDeployment(database, visible.storageId);
  if (!workflow || !deployment) {
    throw new GantryError(
      'nonexistent_workflow_error',
      `Workflow ${request.workflowId} does not exist in the deployment ${request.deploymentId}`,
    );
  }
  const parameters = mergeWorkflowParameters(request.workflowId, workflow, request.parameters, {
    allowCustom: request.allowCustomParameters,
  });
  const signal = AbortSignal.timeout(longestPlanning);
  const { workflowId, deploymentId } = request;
  const context = new PlanningContext({
    workflowId,
    deploymentId,
    parameters,
    config: await loadWorkflowConfig(database),
    topology: await loadTopology(database, visible.storageId),
    newId,
    estimate: await estimateOf(database, deployment.tenantId, deployment.blueprintId),
    now: clock.now(),
    signal: new AbortController().signal,
  });
  const execution = { workflowId, tenantId: visible.tenantId, tenantName: visible.tenantName, resume: false };
  const place = { session: database, files, dataDir: config.dataDir };
  try {
    const run =
      findWorkflow(workflow.operation)?.run ??
      (await findPluginWorkflow({ ...place, execution, deployment, workflow, stop: signal }));
    await run(context);
  } catch (thrown) {
    throw asRefusal(request, thrown);
  }
  const { graphs, messages } = context;
  const operations = graphs.flatMap((graph) => graph.operations);
  return {
    workflowId,
    deploymentId,
    parameters,
    graphs,
    seconds: graphs.reduce((sum, graph) => sum + graph.seconds, 0),
    unknownDurations: operations.filter(({ seconds }) => seconds === undefined).length,
    messages,
  };
}

function asRefusal({ workflowId }: PlanRequest, thrown: unknown): unknown {
  if (thrown instanceof DOMException && thrown.name === 'TimeoutError') {
    return new GantryError(
      'bad_parameters_error',
      `Workflow ${workflowId} did not build its graphs within ${longestPlanning / 1000} seconds`,
    );
  }
  const isExpected = [WorkflowRefused, WorkflowFailed, GraphError].some((kind) => thrown instanceof kind);
  return isExpected && thrown instanceof Error ? new GantryError('bad_parameters_error', thrown.message) : thrown;
}

async function loadTopology(session: Session, storageId: number): Promise<Topology> {
  const [nodes, instances, scalingGroups] = await Promise.all([
    loadNodes(session, storageId),
    loadNodeInstances(session, storageId),
    loadScalingGroups(session, storageId),
  ]);
  return {
    nodes: new Map(nodes.map((node) => [node.id, node])),
    instances: new Map(instances.map((instance) => [instance.id, instance])),
    scalingGroups: new Map(Object.entries(scalingGroups)),
  };
}

async function estimateOf(session: Session, tenantId: number, blueprintId: string): Promise<DurationEstimate> {
  const durations = await findOperationDurations(session, tenantId, blueprintId);
  const known = new Map(durations.map(({ nodeId, operation, seconds }) => [`${nodeId}\n${operation}`, seconds]));
  return ({ nodeId, operation }) => known.get(`${nodeId}\n${operation}`);
}
