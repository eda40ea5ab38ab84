import { workflowMessage } from '../../amqp/workflow-message.ts';
import type { Deployment, Execution, OutboxMessage } from '../../domain/entities.ts';
import { GantryError } from '../../domain/errors.ts';
import { findChildren } from '../../store/deployment-hierarchy.ts';
import { findDeployments } from '../../store/deployments.ts';
import { changeExecutionStatuses, createExecutions, findExecutions, findUnended } from '../../store/executions.ts';
import { addToOutbox } from '../../store/outbox.ts';
import type { Transaction } from '../../store/session.ts';
import type { SystemWorkflowContext } from '../system-workflow.ts';
import { deletionWorkflow, newDeletions, requireRemovable } from './deletion.ts';
import type { DeletionRequest } from './deletion.ts';

type Parent = Pick<Deployment, 'id' | 'storageId'>;

/**
 * Deletes the deployments that are services or environments of one, theirs before, and waits until they are gone. All of
 * them may be deleted or none is. A repeated call goes on with those that are being deleted already.
 *
 * Compatibility: Cloudify 7 deletes them through a deployment group and goes on when one could not be deleted; here the
 * deletion fails then, since the service would be left without its environment.
 *
 * @throws GantryError dependent_exists_error naming what forbids it, or what could not be deleted
 * @throws ExecutionCancelled when this execution is being cancelled
 */
export async function deleteServices(
  context: SystemWorkflowContext,
  parent: Parent,
  request: DeletionRequest,
): Promise<void> {
  context.log('info', 'Deleting service deployments recursively');
  const { ids, messages } = await context.transaction((transaction) =>
    startDeletions(transaction, context, parent, request),
  );
  await context.publish(messages);
  await context.waitForExecutions(ids);
  const left = await context.patiently(() => findExecutions(context.database, ids));
  if (left.length > 0) {
    const shown = left.map(({ deploymentId = '', status, error }) => `${deploymentId} (${error || status})`).join(', ');
    throw new GantryError(
      'dependent_exists_error',
      `Can't delete deployment ${parent.id} - service deployments could not be deleted: ${shown}`,
    );
  }
  context.log('info', `${ids.length} service deployments deleted`);
}

/** @returns ids of the executions that delete the services, and the messages that start them */
async function startDeletions(
  transaction: Transaction,
  { execution, newId }: SystemWorkflowContext,
  parent: Parent,
  request: DeletionRequest,
): Promise<{ ids: string[]; messages: OutboxMessage[] }> {
  const children = await findChildren(transaction, parent.storageId);
  const services = await findDeployments(transaction, children, { fields: ['id'], lock: true });
  requireSameTenant(parent, execution, services);
  const present = (await findUnended(transaction, children)).filter(
    ({ workflowId }) => workflowId === deletionWorkflow,
  );
  const leaving = new Set(present.map(({ deploymentStorageId }) => deploymentStorageId));
  const missing = services.filter(({ storageId }) => !leaving.has(storageId));
  await requireRemovable(transaction, missing, request);
  const deletions = await newDeletions(transaction, missing, request, { newId, creatorId: execution.creatorId });
  const created = await createExecutions(
    transaction,
    deletions.map((deletion) => ({ ...deletion, status: 'pending' })),
  );
  // those that wait would wait for this execution, which takes the place they need
  const woken = await changeExecutionStatuses(
    transaction,
    present.map(({ id }) => id),
    { event: 'dispatch' },
  );
  const messages = await addToOutbox(
    transaction,
    [...created, ...woken].map((started) => workflowMessage(started)),
  );
  return { ids: [...present, ...created].map(({ id }) => id), messages };
}

function requireSameTenant(parent: Parent, { tenantId }: Execution, services: readonly Deployment[]): void {
  const foreign = services.filter((service) => service.tenantId !== tenantId);
  if (foreign.length > 0) {
    const shown = foreign.map(({ id, tenantName }) => `${id} (tenant ${tenantName})`).join(', ');
    throw new GantryError(
      'dependent_exists_error',
      `Can't delete deployment ${parent.id} - service deployments belong to other tenants: ${shown}`,
    );
  }
}
