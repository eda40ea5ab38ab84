/** Small rows that tests of the store start from. */
import { randomUUID } from 'node:crypto';
import type { Blueprint, Deployment, Execution } from '../../src/domain/entities.ts';
import type { JsonObject, PlanWorkflow } from '../../src/domain/plan.ts';
import { createBlueprint } from '../../src/store/blueprints.ts';
import type { NewDeployment } from '../../src/store/deployments.ts';
import { createDeployment } from '../../src/store/deployments.ts';
import type { NewExecution } from '../../src/store/executions.ts';
import { createExecutions } from '../../src/store/executions.ts';
import { createNodeInstances } from '../../src/store/node-instances.ts';
import type { NewNode } from '../../src/store/nodes.ts';
import { createNodes } from '../../src/store/nodes.ts';
import type { Scope } from '../../src/store/scope.ts';
import type { Session } from '../../src/store/session.ts';
import type { NewOperation } from '../../src/store/tasks-graphs.ts';

/** The engine's view of default_tenant. */
export const everything: Scope = { tenantId: 0 };

export const owner = { tenantId: 0, creatorId: 0, visibility: 'tenant' } as const;

export function sampleNode(id: string, more: Partial<NewNode> = {}): NewNode {
  return {
    id,
    type: 'cloudify.nodes.Root',
    typeHierarchy: ['cloudify.nodes.Root'],
    properties: {},
    operations: {},
    relationships: [],
    plugins: [],
    deployNumberOfInstances: 1,
    numberOfInstances: 1,
    plannedNumberOfInstances: 1,
    minNumberOfInstances: 0,
    maxNumberOfInstances: -1,
    ...more,
  };
}

export async function addBlueprint(session: Session, id: string = `b-${randomUUID()}`): Promise<Blueprint> {
  return createBlueprint(session, { ...owner, id, state: 'uploaded' });
}

export async function addDeployment(
  session: Session,
  id: string = `d-${randomUUID()}`,
  more: Partial<NewDeployment> = {},
): Promise<Deployment> {
  const { storageId: blueprintStorageId } = await addBlueprint(session);
  return createDeployment(session, { ...owner, id, displayName: id, blueprintStorageId, ...more });
}

/** The built-in workflow `install` as a plan declares it, with parameters that have these defaults. */
export function installWorkflow(defaults: JsonObject = {}): PlanWorkflow {
  return {
    plugin: 'default_workflows',
    operation: 'cloudify.plugins.workflows.install',
    parameters: Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, { default: value }])),
    is_cascading: false,
    availability_rules: null,
  };
}

/** A deployment with one node and `count` instances called `<prefix>_<n>`. */
export async function addInstances(
  session: Session,
  count: number,
  prefix: string = `n${randomUUID().slice(0, 8)}`,
): Promise<{ deployment: Deployment; ids: string[] }> {
  const deployment = await addDeployment(session);
  await createNodes(session, deployment.storageId, [sampleNode(prefix)]);
  const ids = Array.from({ length: count }, (_, index) => `${prefix}_${index}`);
  await createNodeInstances(
    session,
    deployment.storageId,
    ids.map((id) => ({ id, nodeId: prefix })),
  );
  return { deployment, ids };
}

export async function addExecution(session: Session, more: Partial<NewExecution> = {}): Promise<Execution> {
  const [execution] = await createExecutions(session, [
    { ...owner, id: randomUUID(), workflowId: 'install', status: 'pending', parameters: {}, ...more },
  ]);
  if (!execution) {
    throw new Error('No execution was stored');
  }
  return execution;
}

export function sampleOperations(count: number, more: Partial<NewOperation> = {}): NewOperation[] {
  return Array.from({ length: count }, (_, index) => ({
    id: randomUUID(),
    name: `operation-${index}`,
    type: 'RemoteWorkflowTask',
    dependencies: [],
    parameters: { current_retries: 0, task_kwargs: { kwargs: { index } } },
    ...more,
  }));
}

/** The code of the error that an attempt fails with. */
export async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  try {
    await attempt;
    return 'nothing was thrown';
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}
