import type { Blueprint } from '../domain/entities.ts';
import type { JsonObject, Plan } from '../domain/plan.ts';
import type { BlueprintState, Visibility } from '../domain/states.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';

/** undefined = leave as it is, null = clear. */
export interface BlueprintUpdate {
  mainFileName?: string | undefined;
  description?: string | null | undefined;
  visibility?: Visibility | undefined;
  isHidden?: boolean | undefined;
  error?: string | null | undefined;
  errorTraceback?: string | null | undefined;
  plan?: Plan | undefined;
  requirements?: JsonObject | undefined;
  creatorId?: number | undefined;
  createdAt?: Date | undefined;
  updatedAt?: Date | undefined;
  uploadExecutionStorageId?: number | null | undefined;
}

export interface NewBlueprint extends BlueprintUpdate {
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  state: BlueprintState;
}

const missing = (): never => {
  throw new Error('not there yet');
};

/** @throws GantryError conflict_error when the id is taken in the tenant or by a global blueprint */
export async function createBlueprint(_session: Session, _blueprint: NewBlueprint): Promise<Blueprint> {
  return missing();
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getBlueprint(
  _session: Session,
  _scope: Scope,
  _id: string,
  _options?: { fields?: readonly string[]; lock?: boolean },
): Promise<Blueprint> {
  return missing();
}

export async function listBlueprints(_session: Session, _scope: Scope, _query: ListQuery): Promise<Page<Blueprint>> {
  return missing();
}

/** @returns the blueprint after the change. @throws GantryError not_found_error */
export async function updateBlueprint(
  _session: Session,
  _storageId: number,
  _update: BlueprintUpdate,
): Promise<Blueprint> {
  return missing();
}

/**
 * Compare-and-set of the state; `from` undefined = whatever it is (restore, client's PATCH).
 * @returns the blueprint, or undefined when it was in another state
 */
export async function changeBlueprintState(
  _session: Session,
  _storageId: number,
  _state: BlueprintState,
  _options?: { from?: readonly BlueprintState[]; error?: string | null; errorTraceback?: string | null },
): Promise<Blueprint | undefined> {
  return missing();
}

export async function deleteBlueprint(_session: Session, _storageId: number): Promise<boolean> {
  return missing();
}
