import type { Deployment } from '../../../domain/entities.ts';
import { GantryError } from '../../../domain/errors.ts';
import type { DeploymentPlan, Json, JsonObject, Plan } from '../../../domain/plan.ts';
import type { DeploymentUpdate, UpdateOutlook } from '../../../domain/resources.ts';
import type { Node, NodeInstance } from '../../../domain/topology.ts';
import { getBlueprint } from '../../../store/blueprints.ts';
import { findRecursiveDependents } from '../../../store/dependents.ts';
import { getDeployment } from '../../../store/deployments.ts';
import {
  changeDeploymentUpdate,
  lockDeploymentUpdate,
  replaceDeploymentUpdateSteps,
} from '../../../store/deployment-updates.ts';
import { listExecutionSchedules } from '../../../store/execution-schedules.ts';
import { loadViewer } from '../../../store/execution-viewer.ts';
import { loadNodeInstances } from '../../../store/node-instances.ts';
import { loadNodes } from '../../../store/nodes.ts';
import type { Viewer } from '../../../store/scope.ts';
import {
  extractSteps,
  inputsForUpdate,
  instanceChangesOf,
  modifiedEntities,
  nodeChangesOf,
  nodesWithChangedRelationships,
  planForUpdate,
  planInstances,
  pluginChangesOf,
} from '../../../topology/index.ts';
import type { InstanceChanges, UpdateStep } from '../../../topology/index.ts';
import { WorkflowRefused } from '../../../workflows/errors.ts';
import type { SystemWorkflowContext } from '../../system-workflow.ts';
import type { SystemDependencies } from '../dependencies.ts';
import { evaluateSettings, preparePlan } from '../deployment-plan.ts';
import { planLabels } from '../upload-blueprint.ts';
import { asObject, instancesDocument, nodesDocument } from './documents.ts';
import type { UpdateRequest } from './request.ts';

const shownSteps = 5;
const dependencyTypes = {
  parent: 'child',
  component: 'component',
  sharedresource: 'sharedresource',
  other: 'capability',
};

/** A deployment as it is before the update, and the plan of the blueprint it goes to. */
interface Starting {
  readonly deployment: Deployment;
  readonly blueprintId: string;
  readonly blueprintStorageId: number;
  readonly plan: Plan;
  readonly nodes: readonly Node[];
  readonly instances: readonly NodeInstance[];
  /** Whoever asked for the update: what functions read is what they may see. */
  readonly viewer: Viewer;
}

interface Planned {
  readonly plan: DeploymentPlan;
  readonly steps: readonly UpdateStep[];
  readonly instances: InstanceChanges;
  readonly inputs: JsonObject;
}

/**
 * Works out what an update does and stores it with the update. Nothing of the deployment changes, so that it may be
 * done any number of times.
 *
 * @throws WorkflowRefused when the deployment cannot be changed that way; DslError for wrong inputs
 */
export async function planUpdate(
  dependencies: SystemDependencies,
  context: SystemWorkflowContext,
  update: DeploymentUpdate,
  request: UpdateRequest,
): Promise<void> {
  const starting = await context.patiently(() => readStarting(context, update));
  warnOfIgnored(context, starting, request);
  const planned = await context.patiently(() => makePlan(dependencies, context, starting, update, request));
  context.signal.throwIfAborted();
  const outlook = await context.patiently(() => outlookOf(dependencies, context, starting, planned));
  await store(context, update, starting, planned, outlook);
  const { addedAndRelated: added, removedAndRelated: removed } = planned.instances;
  context.log(
    'info',
    `The update has ${planned.steps.length} steps; node instances to add: ` +
      `${added.filter(({ modification }) => modification === 'added').length}, to remove: ` +
      `${removed.filter(({ modification }) => modification === 'removed').length}`,
  );
}

async function readStarting(
  { database, execution }: SystemWorkflowContext,
  update: DeploymentUpdate,
): Promise<Starting> {
  const scope = { tenantId: update.tenantId };
  const deployment = await getDeployment(database, scope, update.deploymentId);
  const blueprintId = update.keepsBlueprint ? deployment.blueprintId : update.newBlueprintId;
  if (blueprintId === undefined) {
    throw new GantryError('not_found_error', 'Cannot update: the new blueprint has been deleted meanwhile');
  }
  const blueprint = await getBlueprint(database, scope, blueprintId);
  if (!blueprint.plan) {
    throw new GantryError('deployment_creation_error', `Blueprint ${blueprintId} has no plan; upload it again`);
  }
  const [nodes, instances, viewer] = await Promise.all([
    loadNodes(database, deployment.storageId),
    loadNodeInstances(database, deployment.storageId),
    loadViewer(database, execution.creatorId),
  ]);
  return {
    deployment,
    blueprintId,
    blueprintStorageId: blueprint.storageId,
    plan: blueprint.plan,
    nodes,
    instances,
    viewer,
  };
}

function warnOfIgnored(context: SystemWorkflowContext, starting: Starting, request: UpdateRequest): void {
  const { plan, blueprintId, instances } = starting;
  const unknown = Object.keys(request.inputs).filter((name) => !Object.hasOwn(plan.inputs, name));
  if (unknown.length > 0) {
    const names = unknown.join(', ');
    context.log('warning', `Blueprint ${blueprintId} does not declare these inputs, they are left out: ${names}`);
  }
  const known = new Set(instances.map(({ id }) => id));
  const missing = request.reinstallIds.filter((id) => !known.has(id));
  if (missing.length > 0) {
    context.log('warning', `Not reinstalled, because the deployment has no such node instances: ${missing.join(', ')}`);
  }
  if (request.workflowId !== undefined && !Object.hasOwn(plan.workflows, request.workflowId)) {
    throw new WorkflowRefused(
      `Cannot update: blueprint ${blueprintId} has no workflow ${request.workflowId}; it has ` +
        Object.keys(plan.workflows).sort().join(', '),
    );
  }
}

async function makePlan(
  dependencies: SystemDependencies,
  context: SystemWorkflowContext,
  starting: Starting,
  update: DeploymentUpdate,
  request: UpdateRequest,
): Promise<Planned> {
  const { deployment, nodes, instances: previous } = starting;
  const inputs = { ...deployment.inputs, ...request.inputs };
  const changes: InstanceChanges[] = [];
  const plan = await preparePlan(dependencies, planForUpdate(starting.plan, nodes), {
    session: context.database,
    deployment,
    viewer: starting.viewer,
    inputs: inputsForUpdate(starting.plan, inputs),
    isRuntimeOnly: update.runtimeOnlyEvaluation ?? deployment.runtimeOnlyEvaluation,
    expand: (parts) => {
      const scalingGroups = Object.entries(deployment.scalingGroups ?? {});
      const found = instanceChangesOf({
        plan: parts,
        nodes,
        instances: previous,
        scalingGroups,
        random: dependencies.random,
      });
      changes.push(found);
      return planInstances(found.instances);
    },
  });
  const { supported, unsupported } = extractSteps(
    {
      description: deployment.description,
      nodes,
      outputs: deployment.outputs ?? {},
      workflows: deployment.workflows ?? {},
      groups: deployment.groups ?? {},
    },
    plan,
  );
  refuseUnsupported(context, unsupported);
  return { plan, steps: supported, instances: changes.at(-1) as InstanceChanges, inputs };
}

function refuseUnsupported(context: SystemWorkflowContext, steps: readonly UpdateStep[]): void {
  if (steps.length === 0) {
    return;
  }
  const texts = steps.map(describeUnsupported);
  texts.forEach((text) => context.log('error', `Unsupported step: ${text}`));
  const more = texts.length > shownSteps ? `; and ${texts.length - shownSteps} more` : '';
  throw new WorkflowRefused(`Cannot update: unsupported steps found: ${texts.slice(0, shownSteps).join('; ')}${more}`);
}

/** An unsupported step with what can be done instead. */
function describeUnsupported({ action, entityType, entityId }: UpdateStep): string {
  const where = `${action} ${entityType} ${entityId.join('.')}`;
  switch (entityType) {
    case 'node':
      return `${where} (another type or container; give the node another name to replace it)`;
    case 'property':
      return `${where} (properties of relationships stay; remove the relationship in one update, add it in another)`;
    case 'group':
      return `${where} (groups stay as they are)`;
    default:
      return where;
  }
}

/** What the update means for others and for what belongs to the deployment without being a step. */
async function outlookOf(
  dependencies: SystemDependencies,
  context: SystemWorkflowContext,
  { deployment, viewer }: Starting,
  { plan }: Planned,
): Promise<UpdateOutlook> {
  const { database } = context;
  const dependents = await findRecursiveDependents(database, deployment.storageId);
  const settings = await evaluateSettings(dependencies, { session: database, deployment, viewer }, plan);
  const { items: schedules } = await listExecutionSchedules(
    database,
    { tenantId: deployment.tenantId },
    { all: true, filters: { deploymentId: [deployment.id] } },
  );
  const knownSchedules = new Set(schedules.map(({ id }) => id));
  const knownLabels = new Set(deployment.labels.map(({ key, value }) => `${key}\n${value}`));
  return {
    recursiveDependencies: dependents.map(({ deploymentId, kind, nodeId, tenantName }) => ({
      deployment: deploymentId,
      dependency_type: dependencyTypes[kind],
      dependent_node: nodeId ?? null,
      tenant: tenantName,
    })),
    schedulesToCreate: Object.entries(asObject(settings['default_schedules']))
      .filter(([id]) => !knownSchedules.has(id))
      .map(([id, written]) => scheduleOnTheWire(id, asObject(written))),
    labelsToCreate: planLabels(plan.labels).filter(({ key, value }) => !knownLabels.has(`${key}\n${value}`)),
  };
}

function scheduleOnTheWire(id: string, written: JsonObject): Json {
  const { workflow, since, until, count, recurrence, weekdays } = written;
  return {
    id,
    workflow: workflow ?? null,
    since: since ?? null,
    until: until ?? null,
    count: count ?? null,
    recurrence: recurrence ?? null,
    weekdays: weekdays ?? null,
  };
}

async function store(
  context: SystemWorkflowContext,
  update: DeploymentUpdate,
  starting: Starting,
  planned: Planned,
  outlook: UpdateOutlook,
): Promise<void> {
  const { deployment, nodes, blueprintId, blueprintStorageId } = starting;
  const { plan, steps, instances, inputs } = planned;
  const old =
    blueprintId === deployment.blueprintId
      ? undefined
      : (
          await context.patiently(() =>
            getBlueprint(context.database, { tenantId: deployment.tenantId }, deployment.blueprintId, {
              fields: ['plan'],
            }),
          )
        ).plan;
  const plugins = pluginChangesOf(plan, nodes, old);
  await context.transaction(async (transaction) => {
    const { phase } = await lockDeploymentUpdate(transaction, update.storageId);
    if (phase !== 'new') {
      return;
    }
    await changeDeploymentUpdate(transaction, update.storageId, {
      deploymentPlan: plan as unknown as Json,
      nodes: nodesDocument(nodeChangesOf(steps, plan, nodes), plugins),
      nodeInstances: instancesDocument(instances, nodesWithChangedRelationships(steps)),
      modifiedEntityIds: modifiedEntities(steps),
      centralPluginsToUninstall: plugins.centralPluginsToUninstall as unknown as Json[],
      oldInputs: deployment.inputs ?? {},
      newInputs: inputs,
      oldBlueprintStorageId: deployment.blueprintStorageId,
      newBlueprintStorageId: blueprintStorageId,
      outlook,
    });
    await replaceDeploymentUpdateSteps(
      transaction,
      update.storageId,
      steps.map((step) => ({ ...step, id: context.newId() })),
    );
  });
}
