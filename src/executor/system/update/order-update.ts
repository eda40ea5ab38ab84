import type { Execution, OutboxMessage } from '../../../domain/entities.ts';
import { GantryError } from '../../../domain/errors.ts';
import { createExecutionToken } from '../../../security/tokens.ts';
import { findDeploymentUpdate } from '../../../store/deployment-updates.ts';
import { getDeployment } from '../../../store/deployments.ts';
import { lockQueue } from '../../../store/execution-queue.ts';
import { loadViewer } from '../../../store/execution-viewer.ts';
import { addToOutbox } from '../../../store/outbox.ts';
import type { Transaction } from '../../../store/session.ts';
import { derivedExecutionId } from '../../services-run.ts';
import type { SystemWorkflowContext, SystemWorkflowResult } from '../../system-workflow.ts';
import { readOrderParameters } from './order.ts';
import { findTargetBlueprint, startUpdate, updateMessages } from './start.ts';

interface Ordered {
  readonly updateId: string;
  readonly refusal: GantryError | undefined;
  readonly messages: readonly OutboxMessage[];
}

/**
 * Starts an update of the execution's deployment: how updates are started for many deployments at once. The execution
 * of the update joins the execution groups of this one, so that it counts in their concurrency and their progress;
 * this one ends when the other has been started. A repeated call finds the update it has started.
 *
 * Compatibility: Cloudify 7 workflow `csys_update_deployment`; its parameters are those of an update.
 */
export async function orderUpdate(context: SystemWorkflowContext): Promise<SystemWorkflowResult | undefined> {
  const { deploymentId = '' } = context.execution;
  const { updateId, refusal, messages } = await context.transaction((transaction) => order(transaction, context));
  await context.publish(messages);
  if (refusal) {
    throw refusal;
  }
  context.log('info', `Started update of deployment ${deploymentId}: ${updateId}`);
  return undefined;
}

async function order(transaction: Transaction, { execution }: SystemWorkflowContext): Promise<Ordered> {
  const { tenantId, deploymentId, creatorId } = execution;
  if (deploymentId === undefined) {
    throw new GantryError('not_found_error', 'The deployment to update is gone');
  }
  const asked = readOrderParameters(execution.parameters);
  const viewer = await loadViewer(transaction, creatorId);
  await lockQueue(transaction);
  const deployment = await getDeployment(transaction, { tenantId }, deploymentId, { lock: true });
  const [rowPart, executionId] = idsOf(execution);
  const updateId = `${deployment.id}-${rowPart}`;
  if ((await findDeploymentUpdate(transaction, updateId))?.executionId !== undefined) {
    return { updateId, refusal: undefined, messages: [] };
  }
  const target = asked.blueprintId ?? deployment.blueprintId;
  const blueprint = await findTargetBlueprint(transaction, { tenantId, viewer }, target);
  const ids = [rowPart, executionId];
  const { token, tokenHash } = createExecutionToken();
  const started = await startUpdate(transaction, {
    deployment,
    blueprint,
    order: asked,
    creatorId,
    onBehalfOf: execution,
    newId: () => ids.shift() ?? '',
    tokenHash,
  });
  const messages = started.execution ? updateMessages(started.execution, token) : [];
  return { updateId, refusal: started.refusal, messages: await addToOutbox(transaction, messages) };
}

/** Of the update and of its execution: always the same for the same execution. */
function idsOf({ id, deploymentStorageId = 0 }: Execution): readonly [string, string] {
  return [
    derivedExecutionId(id, 'deployment update', deploymentStorageId),
    derivedExecutionId(id, 'update', deploymentStorageId),
  ];
}
