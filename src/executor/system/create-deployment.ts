import { GantryError } from '../../domain/errors.ts';
import type { Deployment, Execution } from '../../domain/entities.ts';
import type { DeploymentPlan, Json, JsonObject, Plan, PlanNode } from '../../domain/plan.ts';
import type { EntityLookup } from '../../dsl/constraints/index.ts';
import { evaluateFunctions } from '../../dsl/functions/index.ts';
import type { EvaluationStorage } from '../../dsl/functions/index.ts';
import { prepareDeploymentPlan } from '../../dsl/prepare/index.ts';
import { refreshSubDeployments } from '../../store/deployment-status.ts';
import { changeDeployment, getDeployment } from '../../store/deployments.ts';
import { createEvaluationStorage } from '../../store/evaluation-storage.ts';
import { loadViewer } from '../../store/execution-viewer.ts';
import { addLabels } from '../../store/labels.ts';
import { createNodeInstances } from '../../store/node-instances.ts';
import { createNodes } from '../../store/nodes.ts';
import type { NewNode } from '../../store/nodes.ts';
import { PlanCache } from '../../store/plan-cache.ts';
import type { Viewer } from '../../store/scope.ts';
import type { Session, Transaction } from '../../store/session.ts';
import { expandPlan } from '../../topology/index.ts';
import type { SystemWorkflow, SystemWorkflowContext } from '../system-workflow.ts';
import { addDefaultSchedules, joinDefaultGroups } from './default-settings.ts';
import type { SystemDependencies } from './dependencies.ts';
import { addDependencies, addParents } from './deployment-links.ts';
import { createEntityLookup } from './entity-lookup.ts';
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
  const storage = createEvaluationStorage(database, deployment, { viewer, reveal: dependencies.reveal });
  const lookup = createEntityLookup({
    session: database,
    scope: { tenantId: deployment.tenantId, viewer },
    access: { viewer, reveal: dependencies.reveal },
    plan: source,
  });
  const plan = await prepare(dependencies, source, { deployment, execution, storage, lookup });
  signal.throwIfAborted();
  await database.transaction(async (transaction) => {
    await storeAttributes(transaction, deployment, source, plan);
    const labels = labelsOf(execution, plan);
    await addLabels(transaction, 'deployments', [deployment.storageId], labels);
    const parents = await addParents(transaction, deployment, labels);
    checkParentCapabilities(parents, plan.requirements.parent_capabilities);
    await createNodes(transaction, deployment.storageId, plan.nodes.map(toNewNode));
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

async function prepare(
  dependencies: SystemDependencies,
  plan: Plan,
  target: { deployment: Deployment; execution: Execution; storage: EvaluationStorage; lookup: EntityLookup },
): Promise<DeploymentPlan> {
  const { deployment, execution, storage, lookup } = target;
  const { inputs } = execution.parameters;
  return prepareDeploymentPlan(plan, {
    inputs: isObject(inputs) ? inputs : {},
    isRuntimeOnly: deployment.runtimeOnlyEvaluation,
    storage,
    lookup,
    secrets: {
      missing: async (names) => {
        const known = await storage.secrets(names);
        return names.filter((name) => !known.has(name));
      },
    },
    expand: (parts) => expandPlan(parts, dependencies.random),
  });
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

function toNewNode(node: PlanNode): NewNode {
  const scalable = node.capabilities.scalable.properties;
  return {
    id: node.id,
    type: node.type,
    typeHierarchy: node.type_hierarchy.length > 0 ? node.type_hierarchy : [node.type],
    hostId: node.host_id,
    properties: node.properties,
    operations: node.operations as unknown as JsonObject,
    relationships: node.relationships.map((relationship) => ({
      target_id: relationship.target_id,
      type: relationship.type,
      type_hierarchy: relationship.type_hierarchy,
      properties: relationship.properties,
      source_operations: relationship.source_operations as unknown as JsonObject,
      target_operations: relationship.target_operations as unknown as JsonObject,
    })),
    plugins: node.plugins as unknown as JsonObject[],
    pluginsToInstall: node.plugins_to_install as unknown as JsonObject[] | undefined,
    deployNumberOfInstances: scalable.default_instances,
    numberOfInstances: scalable.current_instances,
    plannedNumberOfInstances: scalable.current_instances,
    minNumberOfInstances: scalable.min_instances,
    maxNumberOfInstances: scalable.max_instances,
  };
}

/** What the blueprint's settings say about the deployment: its name, groups and schedules; all may hold functions. */
async function applySettings(
  transaction: Session,
  dependencies: SystemDependencies,
  target: { deployment: Deployment; execution: Execution; plan: DeploymentPlan; viewer: Viewer },
): Promise<void> {
  const { deployment, execution, plan, viewer } = target;
  const { creatorId } = execution;
  const storage = createEvaluationStorage(transaction, deployment, { viewer, reveal: dependencies.reveal });
  const settings = await evaluateFunctions(plan.deployment_settings, {}, storage);
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
