import type { Blueprint } from '../../../domain/entities.ts';
import { GantryError } from '../../../domain/errors.ts';
import type { JsonObject, PlanPlugin } from '../../../domain/plan.ts';
import type { DeploymentUpdate } from '../../../domain/resources.ts';
import { getBlueprint } from '../../../store/blueprints.ts';
import { getDeployment } from '../../../store/deployments.ts';
import { recordDecision } from '../../../store/deployment-updates.ts';
import { findExecutions } from '../../../store/executions.ts';
import { changedNodes, updateWorkflowParameters } from '../../../topology/index.ts';
import type { UpdateStep } from '../../../topology/index.ts';
import { WorkflowFailed } from '../../../workflows/errors.ts';
import { runChanges, runRemovals } from '../../../workflows/update.ts';
import type { Decisions, UpdateInput } from '../../../workflows/update.ts';
import { uninstallHostPlugins } from '../../../workflows/uninstall-plugins.ts';
import { newPart } from '../../services-run.ts';
import type { SystemWorkflowContext } from '../../system-workflow.ts';
import { asObject, partOf, relationshipPartOf } from './documents.ts';
import type { UpdateRequest } from './request.ts';

/**
 * Runs the operations of an update whose plan has been applied: the built-in ones, or the workflow that was asked for
 * instead.
 * @throws WorkflowFailed, ExecutionCancelled
 */
export async function carryOut(
  context: SystemWorkflowContext,
  update: DeploymentUpdate,
  request: UpdateRequest,
): Promise<void> {
  if (request.workflowId !== undefined) {
    await runCustomWorkflow(context, update, request, request.workflowId);
    return;
  }
  const input = inputOf(update, request, decisionsOf(context, update));
  const hasRemovals = input.removed.instanceIds.length > 0 || input.reduced.instanceIds.length > 0;
  if (hasRemovals && !request.skipsUninstall) {
    // what goes is taken down with the scripts it came with: the new blueprint need not have them any more
    const former = await formerBlueprint(context, update);
    await context.runWorkflow(async (engine) => void (await runRemovals(engine, input)), former);
  }
  await context.runWorkflow(async (engine) => void (await runChanges(engine, input)));
}

/** Takes plugins off the agents of hosts that need them no more. */
export async function removeUnusedPlugins(context: SystemWorkflowContext, update: DeploymentUpdate): Promise<void> {
  const unused = Object.entries(asObject(asObject(update.nodes)['host_plugins_to_uninstall']));
  if (unused.length > 0) {
    const plugins = new Map(unused.map(([node, list]) => [node, list as unknown as readonly PlanPlugin[]]));
    await context.runWorkflow(async (engine) => void (await uninstallHostPlugins(engine, plugins)));
  }
}

function inputOf(update: DeploymentUpdate, request: UpdateRequest, decisions: Decisions): UpdateInput {
  const { nodeInstances: document } = update;
  return {
    ...request,
    added: partOf(document, 'added'),
    removed: partOf(document, 'removed'),
    extended: relationshipPartOf(document, 'extended'),
    reduced: relationshipPartOf(document, 'reduced'),
    changedNodeIds: changedNodes(stepsOf(update)),
    decisions,
  };
}

function stepsOf(update: DeploymentUpdate): UpdateStep[] {
  return update.steps.map(({ action, entityType, entityId, topologyOrder }) => ({
    action,
    entityType: entityType as UpdateStep['entityType'],
    entityId: [...entityId],
    topologyOrder,
  }));
}

/** Choices that stand with the update. */
function decisionsOf(context: SystemWorkflowContext, update: DeploymentUpdate): Decisions {
  const known = new Map(Object.entries(update.decisions));
  return {
    once: async (name, choose) => {
      const made = known.get(name);
      if (made !== undefined) {
        return made;
      }
      const choice = await context.transaction((transaction) =>
        recordDecision(transaction, update.storageId, name, [...choose()]),
      );
      known.set(name, choice);
      return choice;
    },
  };
}

/** Storage id of the blueprint before the update; undefined when it is not there any more, or the same. */
async function formerBlueprint(context: SystemWorkflowContext, update: DeploymentUpdate): Promise<number | undefined> {
  const { oldBlueprintId, newBlueprintId, tenantId } = update;
  if (oldBlueprintId === undefined || oldBlueprintId === newBlueprintId) {
    return undefined;
  }
  try {
    const read = (): Promise<Blueprint> =>
      getBlueprint(context.database, { tenantId }, oldBlueprintId, { fields: ['id'] });
    return (await context.patiently(read)).storageId;
  } catch (thrown) {
    if (thrown instanceof GantryError && thrown.code === 'not_found_error') {
      context.log('warning', `Blueprint ${oldBlueprintId} is gone; what it brought is removed with the new one`);
      return undefined;
    }
    throw thrown;
  }
}

async function runCustomWorkflow(
  context: SystemWorkflowContext,
  update: DeploymentUpdate,
  request: UpdateRequest,
  workflowId: string,
): Promise<void> {
  const { database, execution } = context;
  const deployment = await context.patiently(() =>
    getDeployment(database, { tenantId: update.tenantId }, update.deploymentId),
  );
  const part = newPart(deployment, execution, { workflowId, parameters: workflowParameters(update, request) });
  const { id } = part;
  context.log('info', `Running workflow ${workflowId} instead of the built-in part of the update, as execution ${id}`);
  await context.runExecutions([part]);
  const [ended] = await context.patiently(() => findExecutions(database, [id]));
  if (ended?.status !== 'terminated') {
    const reason = ended?.error ? `: ${ended.error}` : '';
    throw new WorkflowFailed(`Workflow ${workflowId} (execution ${id}) ended ${ended?.status ?? 'missing'}${reason}`);
  }
}

function workflowParameters(update: DeploymentUpdate, request: UpdateRequest): JsonObject {
  const { nodeInstances: document } = update;
  return updateWorkflowParameters(
    update.id,
    stepsOf(update),
    {
      added: partOf(document, 'added'),
      removed: partOf(document, 'removed'),
      extended: partOf(document, 'extended'),
      reduced: partOf(document, 'reduced'),
    },
    request,
  );
}
