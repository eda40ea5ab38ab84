import type { Blueprint } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject, Plan } from '../domain/plan.ts';
import { blueprintStates } from '../domain/states.ts';
import type { BlueprintState, Visibility } from '../domain/states.ts';
import { changeBlueprintState, deleteBlueprint, getBlueprint, updateBlueprint } from '../store/blueprints.ts';
import { getExecution } from '../store/executions.ts';
import { replaceLabels } from '../store/labels.ts';
import type { Transaction } from '../store/session.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { requireOwnTenant } from './identifiers.ts';
import { creationTime, newOwnerId } from './ownership.ts';
import type { Origin } from './ownership.ts';
import { labelsToStore } from './labels.ts';
import type { NewLabel } from './labels.ts';

/** What a client changes of a blueprint; undefined = nothing. */
export interface BlueprintChange {
  readonly plan: Plan | undefined;
  readonly requirements: JsonObject | undefined;
  readonly description: string | undefined;
  readonly mainFileName: string | undefined;
  readonly visibility: Visibility | undefined;
  readonly isHidden: boolean | undefined;
  readonly state: BlueprintState | undefined;
  readonly error: string | undefined;
  readonly errorTraceback: string | undefined;
  readonly labels: readonly NewLabel[] | undefined;
  /** Id of the execution that uploads it. */
  readonly uploadExecutionId: string | undefined;
  readonly origin: Origin;
}

/** A state that may be set. @throws GantryError bad_parameters_error */
export function settableState(value: string): BlueprintState {
  const state = blueprintStates.find((known) => known === value && known !== 'validating');
  if (!state) {
    throw new GantryError('bad_parameters_error', `Invalid state: \`${value}\``);
  }
  return state;
}

/**
 * Changes a blueprint in the transaction.
 * @returns the blueprint after the change, and whether it was one that is only validated and is gone now
 * @throws GantryError not_found_error, conflict_error
 */
export async function changeBlueprint(
  transaction: Transaction,
  caller: TenantCaller,
  id: string,
  change: BlueprintChange,
): Promise<{ blueprint: Blueprint; isGone: boolean }> {
  const blueprint = await getBlueprint(transaction, scopeOf(caller), id, { lock: true });
  requireOwnTenant(caller, blueprint);
  if (blueprint.state === 'validating') {
    await deleteBlueprint(transaction, blueprint.storageId);
    return { blueprint, isGone: true };
  }
  const state = change.state ?? blueprint.state;
  if (change.labels && state !== 'uploaded') {
    throw new GantryError('conflict_error', 'Blueprint labels can be created only if the blueprint state is uploaded');
  }
  if (change.state !== undefined) {
    await changeBlueprintState(transaction, blueprint.storageId, change.state, {
      error: change.error ?? null,
      errorTraceback: change.errorTraceback ?? null,
    });
  }
  if (change.labels) {
    const labels = await labelsToStore(transaction, caller, change.labels, change.origin, blueprint.labels);
    await replaceLabels(transaction, 'blueprints', blueprint.storageId, labels);
  }
  const upload =
    change.uploadExecutionId === undefined
      ? undefined
      : await getExecution(transaction, scopeOf(caller), change.uploadExecutionId);
  const stored = await updateBlueprint(transaction, blueprint.storageId, {
    plan: change.plan,
    requirements: change.requirements,
    description: change.description,
    mainFileName: change.mainFileName,
    visibility: change.visibility,
    isHidden: change.isHidden,
    updatedAt: new Date(),
    creatorId: await newOwnerId(transaction, caller, change.origin.creator),
    createdAt: creationTime(caller, change.origin.createdAt),
    uploadExecutionStorageId: upload?.storageId,
  });
  return { blueprint: stored, isGone: false };
}
