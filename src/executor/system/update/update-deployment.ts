import { GantryError } from '../../../domain/errors.ts';
import type { DeploymentUpdate } from '../../../domain/resources.ts';
import {
  findUpdateOfExecution,
  isUpdateOutdated,
  lockDeploymentUpdate,
  moveDeploymentUpdate,
} from '../../../store/deployment-updates.ts';
import type { Transaction } from '../../../store/session.ts';
import { WorkflowRefused } from '../../../workflows/errors.ts';
import type { SystemWorkflow, SystemWorkflowContext, SystemWorkflowResult } from '../../system-workflow.ts';
import type { SystemDependencies } from '../dependencies.ts';
import { applyUpdate } from './apply.ts';
import { carryOut, removeUnusedPlugins } from './carry-out.ts';
import { planUpdate } from './plan.ts';
import { readRequest } from './request.ts';
import { settleUpdate } from './settle.ts';

/** Where a failed update goes on when its execution is resumed. */
const resumeEvents = { new: 'plan again', applied: 'go on', carried_out: 'finish', settled: 'finish' } as const;

/**
 * Brings a deployment to another blueprint or other inputs: plans what changes, takes the plan over, runs the
 * operations, removes what is gone. Each part is done once: the update remembers how far it came, so that after a crash
 * or a resume the next part follows.
 *
 * Compatibility: Cloudify 7 workflow `update`, with a preview that leaves no trace on the deployment, removal with the
 * scripts of the former blueprint, and resume.
 */
export function updateDeployment(dependencies: SystemDependencies): SystemWorkflow {
  return async (context) => {
    let update = await findUpdate(context);
    const request = readRequest(context.execution);
    const reread = async (): Promise<void> => {
      update = await context.transaction((transaction) => lockDeploymentUpdate(transaction, update.storageId));
    };
    if (update.state === 'failed') {
      await takeUpAgain(context, update);
      await reread();
    }
    if (update.phase === 'new') {
      await planUpdate(dependencies, context, update, request);
      if (update.isPreview) {
        return { atEnd: end(update, 'show') };
      }
      await applyUpdate(context, update);
      await reread();
    }
    if (update.phase === 'applied') {
      await carryOut(context, update, request);
      await moved(context, update, 'carried out');
      await reread();
    }
    if (update.phase === 'carried_out') {
      await settleUpdate(dependencies, context, update);
      await reread();
    }
    await removeUnusedPlugins(context, update);
    return { atEnd: end(update, 'succeed') };
  };
}

async function findUpdate(context: SystemWorkflowContext): Promise<DeploymentUpdate> {
  const update = await context.patiently(() => findUpdateOfExecution(context.database, context.execution.storageId));
  if (!update) {
    throw new GantryError(
      'not_found_error',
      `Execution ${context.execution.id} belongs to no deployment update. Updates are started by ` +
        'POST /deployment-updates/<deployment>/update/initiate',
    );
  }
  return update;
}

/** @throws WorkflowRefused when the deployment has been updated since */
async function takeUpAgain(context: SystemWorkflowContext, update: DeploymentUpdate): Promise<void> {
  if (await context.patiently(() => isUpdateOutdated(context.database, update))) {
    throw new WorkflowRefused(
      `Cannot resume deployment update ${update.id}: the deployment has been updated since. Start a new update`,
    );
  }
  await moved(context, update, resumeEvents[update.phase]);
}

async function moved(context: SystemWorkflowContext, update: DeploymentUpdate, event: string): Promise<void> {
  await context.transaction(async (transaction) => {
    const change = event === 'carried out' ? ({ phase: 'carried_out' } as const) : {};
    if (!(await moveDeploymentUpdate(transaction, update.storageId, event, change))) {
      throw endedOutside(update);
    }
  });
}

/** The last state, in the transaction that ends the execution; one that was ended from outside stays as it is. */
function end(update: DeploymentUpdate, event: string): NonNullable<SystemWorkflowResult['atEnd']> {
  return async (transaction: Transaction) => void (await moveDeploymentUpdate(transaction, update.storageId, event));
}

function endedOutside(update: DeploymentUpdate): GantryError {
  return new GantryError('conflict_error', `Deployment update ${update.id} was ended from outside`);
}
