import { workflowMessage } from '../../../amqp/workflow-message.ts';
import { blockingDependents, describeDependents } from '../../../domain/dependents.ts';
import type { Blueprint, Deployment, Execution } from '../../../domain/entities.ts';
import { GantryError } from '../../../domain/errors.ts';
import type { JsonObject } from '../../../domain/plan.ts';
import type { DeploymentUpdate } from '../../../domain/resources.ts';
import { getBlueprint } from '../../../store/blueprints.ts';
import { findDependents } from '../../../store/dependents.ts';
import { putDeploymentUpdate } from '../../../store/deployment-updates.ts';
import type { DeploymentUpdateChange } from '../../../store/deployment-updates.ts';
import { joinGroupsOf } from '../../../store/execution-groups.ts';
import { findBlockingExecutions } from '../../../store/execution-queue.ts';
import { requireQuota } from '../../../store/tenant-quotas.ts';
import { createExecutions } from '../../../store/executions.ts';
import type { Scope } from '../../../store/scope.ts';
import type { Transaction } from '../../../store/session.ts';
import type { UpdateOrder } from './order.ts';

export interface UpdateStart {
  /** Locked, with its inputs. */
  readonly deployment: Deployment;
  /** The blueprint it goes to. */
  readonly blueprint: { readonly id: string; readonly storageId: number };
  readonly order: UpdateOrder;
  readonly creatorId: number;
  /**
   * An execution that orders it, for a group or because plugins are updated: it does not stand in the way, and lends its
   * execution groups.
   */
  readonly onBehalfOf: Execution | undefined;
  readonly newId: () => string;
  readonly tokenHash: string;
}

export interface StartedUpdate {
  readonly update: DeploymentUpdate;
  /** Undefined when it was refused. */
  readonly execution: Execution | undefined;
  /** Why it was refused; the update stands as failed. */
  readonly refusal: GantryError | undefined;
}

/**
 * The blueprint an update goes to.
 * @throws GantryError not_found_error, bad_parameters_error when it cannot be deployed
 */
export async function findTargetBlueprint(transaction: Transaction, scope: Scope, id: string): Promise<Blueprint> {
  const blueprint = await getBlueprint(transaction, scope, id);
  if (blueprint.state !== 'uploaded' || !blueprint.plan) {
    throw new GantryError(
      'bad_parameters_error',
      `Cannot update to blueprint ${blueprint.id}, which is not \`uploaded\` but: \`${blueprint.state}\``,
    );
  }
  return blueprint;
}

/**
 * Stores an update and its execution in a transaction that holds the lock of the queue. The execution waits while another
 * one of the deployment runs, unless it is forced. A preview changes nothing, so it waits for nobody but system workflows.
 *
 * Compatibility: Cloudify 7, but there an update starts beside whatever runs.
 */
export async function startUpdate(transaction: Transaction, start: UpdateStart): Promise<StartedUpdate> {
  const { deployment, order, creatorId } = start;
  const row = {
    id: `${deployment.id}-${start.newId()}`,
    deploymentStorageId: deployment.storageId,
    creatorId,
    visibility: deployment.visibility,
    ...startingRow(start),
  };
  const refusal = await refusalOf(transaction, deployment, order);
  if (refusal) {
    const update = await putDeploymentUpdate(transaction, { ...row, state: 'failed' });
    return { update, execution: undefined, refusal };
  }
  const isQueued = await mustWait(transaction, start);
  if (!isQueued && !order.isPreview && !start.onBehalfOf) {
    await requireQuota(transaction, { id: deployment.tenantId, name: deployment.tenantName }, 'executions');
  }
  const [execution] = await createExecutions(transaction, [
    {
      id: start.newId(),
      tenantId: deployment.tenantId,
      creatorId,
      visibility: deployment.visibility,
      workflowId: 'update',
      status: isQueued ? 'queued' : 'pending',
      parameters: parametersOf(row.id, start),
      deploymentStorageId: deployment.storageId,
      blueprintId: deployment.blueprintId,
      allowCustomParameters: true,
      isForced: order.isForced || order.isPreview,
      tokenHash: start.tokenHash,
    },
  ]);
  if (!execution) {
    throw new Error('The new execution was not stored');
  }
  if (start.onBehalfOf) {
    await joinGroupsOf(transaction, start.onBehalfOf.storageId, execution.storageId);
  }
  const update = await putDeploymentUpdate(transaction, {
    ...row,
    state: 'updating',
    executionStorageId: execution.storageId,
  });
  return { update, execution, refusal: undefined };
}

/** The message that starts the execution of an update; none while it waits. */
export function updateMessages(
  execution: Execution,
  token: string,
): { exchange: string; routingKey: string; body: JsonObject }[] {
  return execution.status === 'queued' ? [] : [workflowMessage(execution, { executionToken: token })];
}

function startingRow({ deployment, blueprint, order }: UpdateStart): DeploymentUpdateChange {
  const oldInputs = deployment.inputs ?? {};
  return {
    oldBlueprintStorageId: deployment.blueprintStorageId,
    newBlueprintStorageId: blueprint.storageId,
    oldInputs,
    newInputs: { ...oldInputs, ...order.inputs },
    runtimeOnlyEvaluation: order.runtimeOnlyEvaluation ?? deployment.runtimeOnlyEvaluation,
    isPreview: order.isPreview,
    keepsBlueprint: order.blueprintId === undefined,
  };
}

function parametersOf(updateId: string, { deployment, blueprint, order }: UpdateStart): JsonObject {
  return {
    update_id: updateId,
    blueprint_id: blueprint.id,
    inputs: order.inputs,
    preview: order.isPreview,
    runtime_only_evaluation: order.runtimeOnlyEvaluation ?? deployment.runtimeOnlyEvaluation,
    force: order.isForced,
    workflow_id: order.workflowId ?? null,
    reinstall_list: [...order.reinstallIds],
    ...order.switches,
  };
}

async function refusalOf(
  transaction: Transaction,
  deployment: Deployment,
  order: UpdateOrder,
): Promise<GantryError | undefined> {
  if (order.isForced || order.isPreview) {
    return undefined;
  }
  const dependents = blockingDependents('update', false, await findDependents(transaction, deployment.storageId));
  return dependents.length === 0
    ? undefined
    : new GantryError(
        'dependent_exists_error',
        `Can't execute workflow \`update\` on deployment ${deployment.id} - existing installations depend on it:\n` +
          describeDependents(deployment.id, dependents),
      );
}

async function mustWait(transaction: Transaction, { deployment, order, onBehalfOf }: UpdateStart): Promise<boolean> {
  // a system workflow waits for what it orders itself, so that must not wait for system workflows
  if (!onBehalfOf?.isSystemWorkflow) {
    const system = await findBlockingExecutions(transaction, { isSystemWorkflow: true, withQueued: true });
    if (system.length > 0) {
      return true;
    }
  }
  if (order.isForced || order.isPreview) {
    return false;
  }
  const own = await findBlockingExecutions(transaction, {
    deploymentStorageIds: [deployment.storageId],
    withQueued: true,
    ...(onBehalfOf ? { exceptId: onBehalfOf.id } : {}),
  });
  return own.length > 0;
}
