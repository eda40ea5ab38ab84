import { GantryError } from '../../domain/errors.ts';
import type { Deployment, Execution } from '../../domain/entities.ts';
import type { DeploymentPlan, Json, JsonObject, Plan } from '../../domain/plan.ts';
import { refreshSubDeployments } from '../../store/deployment-status.ts';
import { changeDeployment, getDeployment } from '../../store/deployments.ts';
import { loadViewer } from '../../store/execution-viewer.ts';
import { addLabels } from '../../store/labels.ts';
import { createNodeInstances } from '../../store/node-instances.ts';
import { createNodes } from '../../store/nodes.ts';
import { PlanCache } from '../../store/plan-cache.ts';
import type { Viewer } from '../../store/scope.ts';
import type { Session, Transaction } from '../../store/session.ts';
import { expandPlan } from '../../topology/index.ts';
import type { SystemWorkflow, SystemWorkflowContext } from '../system-workflow.ts';
import { addDefaultSchedules, joinDefaultGroups } from './default-settings.ts';
import type { SystemDependencies } from './dependencies.ts';
import { addDependencies, addParents } from './deployment-links.ts';
import { evaluateSettings, newNodeOf, preparePlan } from './deployment-plan.ts';
import { checkParentCapabilities } from './parent-capabilities.ts';
import { planLabels } from './upload-blueprint.ts';

const longestDisplayName = 256;

/**
 * Fills a new deployment: applies the inputs to the plan of its blueprint and stores nodes, node instances, attributes
 * and links in one transaction, so that a repeated run finds either everything or nothing.
 */
export function createDeploymentEnvironment(dependencies: SystemDependencies): SystemWorkflow {
  const plans = new PlanCache();
  return async (context) => {
    const deployment = await findDeployment(context);
    // set by the same transaction as everything else
    if (deployment.workflows === undefined) {
      await fill(dependencies, context, deployment, plans);
    }
    await dependencies.files.createDeploymentDirectory(deployment.tenantName, deployment.id);
    return undefined;
  };
}

async function findDeployment({ database, execution }: SystemWorkflowContext): Promise<Deployment> {
  if (execution.deploymentId === undefined) {
    throw new GantryError('not_found_error', 'The deployment to create is gone');
  }
  const fields = ['id', 'workflows'];
  return getDeployment(database, { tenantId: execution.tenantId }, execution.deploymentId, { fields });
}

async function fill(
  dependencies: SystemDependencies,
  context: SystemWorkflowContext,
  deployment: Deployment,
  plans: PlanCache,
): Promise<void> {
  const { database, execution, signal } = context;
  const source = await plans.load(database, deployment.blueprintStorageId);
  if (!source) {
    const { blueprintId } = deployment;
    throw new GantryError('deployment_creation_error', `Blueprint ${blueprintId} has no plan; upload it again`);
  }
  const viewer = await loadViewer(database, execution.creatorId);
  const { inputs } = execution.parameters;
  const plan = await preparePlan(dependencies, source, {
    session: database,
    deployment,
    viewer,
    inputs: isObject(inputs) ? inputs : {},
    isRuntimeOnly: deployment.runtimeOnlyEvaluation,
    expand: (parts) => expandPlan(parts, dependencies.random),
  });
  signal.throwIfAborted();
  await database.transaction(async (transaction) => {
    await storeAttributes(transaction, deployment, source, plan);
    const labels = labelsOf(execution, plan);
    await addLabels(transaction, 'deployments', [deployment.storageId], labels);
    const parents = await addParents(transaction, deployment, labels);
    checkParentCapabilities(parents, plan.requirements.parent_capabilities);
    await createNodes(transaction, deployment.storageId, plan.nodes.map(newNodeOf));
    const renamed = await createNodeInstances(
      transaction,
      deployment.storageId,
      plan.node_instances.map((instance) => ({
        id: instance.id,
        nodeId: instance.node_id,
        hostId: instance.host_id,
        relationships: instance.relationships as unknown as JsonObject[],
        scalingGroups: instance.scaling_groups ?? [],
      })),
    );
    await applySettings(transaction, dependencies, { deployment, execution, plan, viewer });
    await addDependencies(transaction, deployment, plan.inter_deployment_functions, renamed);
    await refreshSubDeployments(
      transaction,
      parents.map((parent) => parent.storageId),
    );
  });
  context.log('info', `Deployment ${deployment.id}: ${plan.node_instances.length} node instances created`);
}

async function storeAttributes(
  transaction: Transaction,
  deployment: Deployment,
  source: Plan,
  plan: DeploymentPlan,
): Promise<void> {
  await changeDeployment(transaction, deployment.storageId, {
    description: source.description,
    workflows: plan.workflows,
    inputs: plan.inputs,
    policyTypes: plan.policy_types,
    policyTriggers: plan.policy_triggers,
    groups: plan.groups,
    scalingGroups: plan.scaling_groups,
    outputs: plan.outputs,
    capabilities: plan.capabilities,
    resourceTags: plan.resource_tags,
  });
}

/** The labels of the request and those of the plan. */
function labelsOf(
  execution: Execution,
  plan: DeploymentPlan,
): { key: string; value: string; creatorId: number; createdAt?: Date }[] {
  const { creatorId } = execution;
  const given = execution.parameters['labels'];
  const requested = (Array.isArray(given) ? given : []).flatMap((label) => {
    if (!isObject(label) || typeof label['key'] !== 'string' || typeof label['value'] !== 'string') {
      return [];
    }
    const time = typeof label['created_at'] === 'string' ? Date.parse(label['created_at']) : NaN;
    const createdAt = Number.isNaN(time) ? {} : { createdAt: new Date(time) };
    return [{ key: label['key'], value: label['value'], creatorId, ...createdAt }];
  });
  const planned = planLabels(plan.labels).map((label) => ({ ...label, creatorId }));
  const unique = new Map([...planned, ...requested].map((label) => [`${label.key}\n${label.value}`, label]));
  return [...unique.values()];
}

/** What the blueprint's settings say about the deployment: its name, groups and schedules; all may hold functions. */
async function applySettings(
  transaction: Session,
  dependencies: SystemDependencies,
  target: { deployment: Deployment; execution: Execution; plan: DeploymentPlan; viewer: Viewer },
): Promise<void> {
  const { deployment, execution, plan, viewer } = target;
  const { creatorId } = execution;
  const settings = await evaluateSettings(dependencies, { session: transaction, deployment, viewer }, plan);
  const owner = { deployment, creatorId, now: dependencies.clock.now() };
  await joinDefaultGroups(transaction, owner, settings['default_groups'] ?? null);
  await addDefaultSchedules(transaction, owner, settings['default_schedules'] ?? null);
  const written = settings['display_name'];
  // a name that was asked for stays
  const isGiven = typeof execution.parameters['display_name'] === 'string' && deployment.displayName !== deployment.id;
  if (!isGiven && written !== undefined && written !== null) {
    await changeDeployment(transaction, deployment.storageId, { displayName: checkedName(written) });
  }
}

function checkedName(value: Json): string {
  const name = typeof value === 'string' ? value.normalize('NFKC') : JSON.stringify(value);
  if (name === '' || name.length > longestDisplayName || /\p{Cc}/u.test(name)) {
    throw new GantryError(
      'bad_parameters_error',
      `The display name of the blueprint's deployment settings must be a text of 1 to ${longestDisplayName} characters ` +
        'without control characters',
    );
  }
  return name;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
