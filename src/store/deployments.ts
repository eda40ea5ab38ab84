import type { Deployment } from '../domain/entities.ts';
import type { JsonObject, PlanScalingGroup, PlanWorkflow } from '../domain/plan.ts';
import type { DeploymentStatus, InstallationStatus, Visibility } from '../domain/states.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';

/** What the create workflow and updates write into a deployment; undefined = leave as it is. */
export interface DeploymentUpdate {
  displayName?: string | undefined;
  description?: string | undefined;
  visibility?: Visibility | undefined;
  creatorId?: number | undefined;
  createdAt?: Date | undefined;
  updatedAt?: Date | undefined;
  blueprintStorageId?: number | undefined;
  /** null = no site. */
  siteStorageId?: number | null | undefined;
  inputs?: JsonObject | undefined;
  groups?: JsonObject | undefined;
  policyTriggers?: JsonObject | undefined;
  policyTypes?: JsonObject | undefined;
  outputs?: JsonObject | undefined;
  capabilities?: JsonObject | undefined;
  scalingGroups?: { [name: string]: PlanScalingGroup } | undefined;
  workflows?: { [name: string]: PlanWorkflow } | undefined;
  resourceTags?: JsonObject | undefined;
  runtimeOnlyEvaluation?: boolean | undefined;
  installationStatus?: InstallationStatus | undefined;
  deploymentStatus?: DeploymentStatus | undefined;
  subServicesStatus?: DeploymentStatus | null | undefined;
  subEnvironmentsStatus?: DeploymentStatus | null | undefined;
  subServicesCount?: number | undefined;
  subEnvironmentsCount?: number | undefined;
  /** Storage id of an execution. */
  createExecutionStorageId?: number | undefined;
  latestExecutionStorageId?: number | undefined;
}

export interface NewDeployment extends DeploymentUpdate {
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  blueprintStorageId: number;
  displayName: string;
}

const missing = (): never => {
  throw new Error('not there yet');
};

/** @throws GantryError conflict_error when the id is taken in the tenant or by a global deployment */
export async function createDeployment(_session: Session, _deployment: NewDeployment): Promise<Deployment> {
  return missing();
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getDeployment(
  _session: Session,
  _scope: Scope,
  _id: string,
  _options?: { fields?: readonly string[]; lock?: boolean },
): Promise<Deployment> {
  return missing();
}

export async function listDeployments(_session: Session, _scope: Scope, _query: ListQuery): Promise<Page<Deployment>> {
  return missing();
}

/** @returns the deployment after the change. @throws GantryError not_found_error */
export async function updateDeployment(
  _session: Session,
  _storageId: number,
  _update: DeploymentUpdate,
): Promise<Deployment> {
  return missing();
}

/** Removes the deployment and everything under it. @returns whether it was there */
export async function deleteDeployment(_session: Session, _storageId: number): Promise<boolean> {
  return missing();
}
