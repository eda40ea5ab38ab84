import { workflowMessage } from '../amqp/workflow-message.ts';
import type { Execution } from '../domain/entities.ts';
import type { ExecutionGroup } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { startQueued } from '../scheduler/queue.ts';
import { addGroupExecutions, createExecutionGroup } from '../store/execution-groups.ts';
import { createExecutions } from '../store/executions.ts';
import type { NewExecution } from '../store/executions.ts';
import type { Transaction } from '../store/session.ts';
import type { TenantCaller } from './caller.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { sendAfterCommit } from './outbox.ts';

/** An execution group before it is stored. */
export interface NewExecutionGroup {
  readonly id: string;
  readonly workflowId: string;
  /** Executions that may run at once; 0 = paused. */
  readonly concurrency: number;
  readonly visibility: Visibility;
  /** Undefined when the deployment group is about to go. */
  readonly deploymentGroupStorageId: number | undefined;
  readonly createdAt?: Date | undefined;
  /** Default: the caller. */
  readonly creatorId?: number;
}

/** Stores a group of executions as they are; `startReady` starts those that are queued. */
export async function storeExecutionGroup(
  transaction: Transaction,
  caller: TenantCaller,
  group: NewExecutionGroup,
  executions: readonly NewExecution[],
): Promise<{ group: ExecutionGroup; executions: Execution[] }> {
  const stored = await createExecutionGroup(transaction, {
    ...group,
    tenantId: caller.tenant.id,
    creatorId: group.creatorId ?? caller.user.id,
  });
  const created = await createExecutions(transaction, executions);
  await addGroupExecutions(
    transaction,
    stored.storageId,
    created.map(({ storageId }) => storageId),
  );
  return { group: stored, executions: created };
}

/** Sends messages of executions when the transaction is committed. */
export async function sendExecutions(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  executions: readonly Execution[],
): Promise<void> {
  await sendAfterCommit(
    transaction,
    dependencies.outbox,
    executions.map((execution) => workflowMessage(execution)),
  );
}

/** Starts what is queued and may run now, so that the caller sees it started; the scheduler starts the rest in turn. */
export async function startReady(dependencies: ServiceDependencies, transaction: Transaction): Promise<void> {
  await sendAfterCommit(transaction, dependencies.outbox, await startQueued(transaction));
}
