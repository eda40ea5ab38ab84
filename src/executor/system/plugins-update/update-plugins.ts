import { requireCreatedDeployment } from '../../../domain/created.ts';
import type { Deployment, OutboxMessage } from '../../../domain/entities.ts';
import { GantryError, coerceError } from '../../../domain/errors.ts';
import type { PluginsUpdate } from '../../../domain/resources.ts';
import { activePluginsUpdateStates } from '../../../domain/states.ts';
import { createExecutionToken } from '../../../security/tokens.ts';
import { getBlueprint } from '../../../store/blueprints.ts';
import { findDeployment } from '../../../store/deployments.ts';
import { findDeploymentUpdate } from '../../../store/deployment-updates.ts';
import { insertEvents } from '../../../store/events.ts';
import { lockQueue } from '../../../store/execution-queue.ts';
import { findExecution } from '../../../store/executions.ts';
import { addToOutbox } from '../../../store/outbox.ts';
import { completePluginsUpdate, findDeploymentsUsing, findPluginsUpdateOf } from '../../../store/plugins-updates.ts';
import type { BlueprintDeployment } from '../../../store/plugins-updates.ts';
import type { Transaction } from '../../../store/session.ts';
import { WorkflowRefused } from '../../../workflows/errors.ts';
import { derivedExecutionId } from '../../services-run.ts';
import { isReleased } from '../../system-workflow.ts';
import type { SystemWorkflow, SystemWorkflowContext } from '../../system-workflow.ts';
import type { SystemDependencies } from '../dependencies.ts';
import { updateSwitches } from '../update/order.ts';
import { startUpdate, updateMessages } from '../update/start.ts';
import { deploymentsIn } from './deployments.ts';

/** The update, and the blueprint its deployments go to for a while. */
interface Work {
  readonly update: PluginsUpdate;
  readonly blueprint: { readonly id: string; readonly storageId: number };
}

/**
 * Brings the deployments of a blueprint to other plugin versions, one after another, by deployment updates to a
 * temporary blueprint that install nothing. When all have succeeded the blueprint itself takes the new plan.
 *
 * Compatibility: Cloudify 7 `update_plugin`. Each deployment update has an id that follows from the execution, so that
 * after a crash those that were started are waited for instead of being started again.
 */
export function updatePlugins({ files }: SystemDependencies): SystemWorkflow {
  const run: SystemWorkflow = async (context) => {
    const work = await findWork(context);
    const { update, blueprint } = work;
    const removeFiles = (): Promise<void> => files.removeBlueprint(update.tenantName, blueprint.id);
    try {
      await files.copyBlueprint(update.tenantName, update.blueprintId, blueprint.id);
      for (const deployment of await remaining(context, update)) {
        await updateOne(context, work, deployment);
      }
      await requireAllUpdated(context, update);
    } catch (thrown) {
      if (!isReleased(context.signal)) {
        await removeFiles();
      }
      throw thrown;
    }
    return {
      atEnd: async (transaction) => {
        if (!(await completePluginsUpdate(transaction, update.storageId))) {
          throw new GantryError('conflict_error', `Plugins update ${update.id} was ended from outside`);
        }
      },
      afterEnd: removeFiles,
    };
  };
  const discard = async (context: SystemWorkflowContext): Promise<void> => {
    const update = await context.patiently(() => findPluginsUpdateOf(context.database, context.execution.storageId));
    if (update?.temporaryBlueprintId !== undefined) {
      await files.removeBlueprint(update.tenantName, update.temporaryBlueprintId);
    }
  };
  return Object.assign(run, { discard });
}

async function findWork(context: SystemWorkflowContext): Promise<Work> {
  const { database, execution } = context;
  return context.patiently(async () => {
    const update = await findPluginsUpdateOf(database, execution.storageId);
    if (!update) {
      throw new GantryError(
        'not_found_error',
        `Execution ${execution.id} belongs to no update of plugins. They are started by ` +
          'POST /plugins-updates/<blueprint>/update/initiate',
      );
    }
    if (!activePluginsUpdateStates.includes(update.state) || update.temporaryBlueprintId === undefined) {
      throw new WorkflowRefused(`Plugins update ${update.id} is ${update.state}. Start a new one`);
    }
    const scope = { tenantId: update.tenantId };
    const blueprint = await getBlueprint(database, scope, update.temporaryBlueprintId, { fields: ['id'] });
    return { update, blueprint };
  });
}

/** Deployments of the update that still are what they were. */
async function remaining(context: SystemWorkflowContext, update: PluginsUpdate): Promise<BlueprintDeployment[]> {
  const { database } = context;
  const wanted = deploymentsIn(update);
  return context.patiently(async () => {
    const { storageId } = await getBlueprint(database, { tenantId: update.tenantId }, update.blueprintId, {
      fields: ['id'],
    });
    const found = await findDeploymentsUsing(database, storageId, 'all');
    return found.filter(({ tenantName, id }) => wanted.get(tenantName)?.has(id));
  });
}

async function updateOne(context: SystemWorkflowContext, work: Work, target: BlueprintDeployment): Promise<void> {
  const { execution, database } = context;
  const executionId = derivedExecutionId(execution.id, 'update', target.storageId);
  try {
    const { id, messages } = await context.transaction((transaction) =>
      startOne(context, work, target, executionId, transaction),
    );
    await context.publish(messages);
    await context.waitForExecutions(id === undefined ? [] : [id]);
  } catch (thrown) {
    if (!(thrown instanceof GantryError)) {
      throw thrown;
    }
    await tell(
      context,
      `Deployment ${target.id} of ${target.tenantName} is not updated: ${coerceError(thrown).message}`,
    );
    return;
  }
  const ended = await context.patiently(() => findExecution(database, executionId));
  const reason = ended?.error ? `: ${ended.error}` : '';
  await tell(
    context,
    `Update of deployment ${target.id} of ${target.tenantName} ${ended?.status ?? 'refused'}${reason}. ` +
      `Plugins update ${work.update.id}, execution ${executionId}`,
  );
}

/** Stores the update of a deployment, unless that was done before. @throws GantryError when it cannot be updated now */
async function startOne(
  { execution }: SystemWorkflowContext,
  { update, blueprint }: Work,
  target: BlueprintDeployment,
  executionId: string,
  transaction: Transaction,
): Promise<{ id: string | undefined; messages: readonly OutboxMessage[] }> {
  await lockQueue(transaction);
  const deployment = await findDeployment(transaction, target.storageId, { lock: true });
  if (!deployment || (await findDeploymentUpdate(transaction, `${deployment.id}-${executionId}`))) {
    const known = await findExecution(transaction, executionId, { fields: ['id'] });
    return { id: known?.id, messages: [] };
  }
  await requireCreated(transaction, deployment);
  const { token, tokenHash } = createExecutionToken();
  const { parameters } = execution;
  const started = await startUpdate(transaction, {
    deployment,
    blueprint,
    order: {
      blueprintId: blueprint.id,
      inputs: {},
      reinstallIds: [],
      workflowId: undefined,
      runtimeOnlyEvaluation: undefined,
      isPreview: false,
      isForced: update.isForced,
      switches: {
        ...updateSwitches,
        skip_install: true,
        skip_uninstall: true,
        skip_reinstall: true,
        auto_correct_types: parameters['auto_correct_types'] === true,
        reevaluate_active_statuses: parameters['reevaluate_active_statuses'] === true,
      },
    },
    creatorId: execution.creatorId,
    onBehalfOf: execution,
    newId: () => executionId,
    tokenHash,
  });
  if (started.refusal) {
    throw started.refusal;
  }
  const messages = started.execution ? updateMessages(started.execution, token) : [];
  return { id: started.execution?.id, messages: await addToOutbox(transaction, messages) };
}

async function requireCreated(transaction: Transaction, deployment: Deployment): Promise<void> {
  const { createExecutionId } = deployment;
  const creation = createExecutionId === undefined ? undefined : await findExecution(transaction, createExecutionId);
  requireCreatedDeployment(deployment, creation);
}

/** An event that clients show as it comes. */
async function tell(context: SystemWorkflowContext, message: string): Promise<void> {
  const { id: executionId, tenantId, creatorId, visibility } = context.execution;
  await context.transaction((session) =>
    insertEvents(session, [
      {
        kind: 'event',
        timestamp: new Date(),
        executionId,
        tenantId,
        creatorId,
        visibility,
        eventType: 'workflow_stage',
        message,
      },
    ]),
  );
}

/** @throws GantryError plugins_update_failed naming those that were not updated */
async function requireAllUpdated(context: SystemWorkflowContext, update: PluginsUpdate): Promise<void> {
  const missed = await remaining(context, update);
  if (missed.length > 0) {
    const names = missed.map(({ id, tenantName }) => `${id} of ${tenantName}`).join(', ');
    throw new GantryError(
      'plugins_update_failed',
      `These deployments were not updated: ${names}. The others are; an update of the same plugins does the rest`,
    );
  }
}
