/** The smaller things tenants own: sites, groups, schedules, dependencies, updates. */
import type { Label, Resource } from './entities.ts';
import type { Json, JsonObject } from './plan.ts';
import type { DeploymentUpdateState, ExecutionStatus, PluginsUpdateState } from './states.ts';

export interface Site extends Resource {
  createdAt: Date;
  latitude: number | undefined;
  longitude: number | undefined;
}

export interface SecretsProvider extends Resource {
  createdAt: Date;
  updatedAt: Date | undefined;
  type: string;
}

/** What is stored about the value of a secret. */
export interface StoredSecret {
  key: string;
  /** Encrypted; undefined when a provider has it. */
  value: string | undefined;
  /** Encrypted JSON. */
  providerOptions: string | undefined;
  provider: { type: string; /** Encrypted JSON. */ connectionParameters: string | undefined } | undefined;
}

/** Reads the value of a secret. @throws GantryError failed_dependency when its provider does not have it */
export type RevealSecret = (secret: StoredSecret) => Promise<string>;

export interface DeploymentGroup extends Resource {
  createdAt: Date;
  description: string | undefined;
  defaultBlueprintId: string | undefined;
  defaultBlueprintStorageId: number | undefined;
  defaultInputs: JsonObject | undefined;
  /** How many deployments it ever created; numbers their ids. */
  creationCounter: number;
  deploymentIds: readonly string[];
  labels: readonly Label[];
}

export interface ExecutionGroup extends Resource {
  createdAt: Date;
  workflowId: string;
  /** Executions that may run at once; 0 = paused. */
  concurrency: number;
  deploymentGroupId: string | undefined;
  successGroupId: string | undefined;
  failedGroupId: string | undefined;
  executionIds: readonly string[];
  /** Statuses of the executions, in the order of the ids. */
  executionStatuses: readonly ExecutionStatus[];
}

export interface ExecutionSchedule extends Resource {
  createdAt: Date;
  deploymentId: string;
  deploymentStorageId: number;
  workflowId: string;
  /** `{rrule}` or `{recurrence, count, weekdays}`. */
  rule: JsonObject;
  since: Date | undefined;
  until: Date | undefined;
  nextOccurrence: Date | undefined;
  /** Minutes an occurrence may be late. */
  slip: number;
  parameters: JsonObject | undefined;
  executionArguments: JsonObject;
  stopOnFail: boolean;
  isEnabled: boolean;
  latestExecutionId: string | undefined;
  latestExecutionStatus: ExecutionStatus | undefined;
}

export interface InterDeploymentDependency extends Resource {
  createdAt: Date;
  dependencyCreator: string;
  sourceDeploymentId: string | undefined;
  targetDeploymentId: string | undefined;
  sourceDeploymentStorageId: number | undefined;
  targetDeploymentStorageId: number | undefined;
  targetDeploymentFunction: Json | undefined;
  externalSource: Json | undefined;
  externalTarget: Json | undefined;
}

/**
 * How far the deployment itself has come in an update: nothing is changed yet; it holds what comes and what goes; the
 * operations have run; what goes is gone.
 */
export type UpdatePhase = 'new' | 'applied' | 'carried_out' | 'settled';

/** What an update means beyond its steps; the documents are those of the wire. */
export interface UpdateOutlook {
  /** Deployments that depend on this one, directly or not. */
  recursiveDependencies: Json[];
  schedulesToCreate: Json[];
  labelsToCreate: Json[];
}

export interface DeploymentUpdateStep {
  id: string;
  action: 'add' | 'remove' | 'modify';
  entityType: string;
  entityId: readonly string[];
  topologyOrder: number;
}

/** A change of a deployment to another blueprint or other inputs; the documents are those of the wire. */
export interface DeploymentUpdate extends Resource {
  createdAt: Date;
  state: DeploymentUpdateState;
  deploymentId: string;
  deploymentStorageId: number;
  executionId: string | undefined;
  oldBlueprintId: string | undefined;
  newBlueprintId: string | undefined;
  runtimeOnlyEvaluation: boolean | undefined;
  keepOldDeploymentDependencies: boolean;
  deploymentPlan: Json | undefined;
  nodeInstances: Json | undefined;
  nodes: Json | undefined;
  modifiedEntityIds: Json | undefined;
  centralPluginsToInstall: Json | undefined;
  centralPluginsToUninstall: Json | undefined;
  oldInputs: JsonObject | undefined;
  newInputs: JsonObject | undefined;
  steps: readonly DeploymentUpdateStep[];
  /** Only the plan is made, nothing is changed. */
  isPreview: boolean;
  /** No blueprint was asked for: it is the one the deployment has when the update begins. */
  keepsBlueprint: boolean;
  phase: UpdatePhase;
  /** Choices made on the way: lists of node instance ids by the name of the question. */
  decisions: Readonly<Record<string, readonly string[]>>;
  outlook: UpdateOutlook | undefined;
}

/** A change of all deployments of a blueprint to other plugin versions. */
export interface PluginsUpdate extends Resource {
  createdAt: Date;
  state: PluginsUpdateState;
  isForced: boolean;
  isAllTenants: boolean;
  blueprintId: string;
  temporaryBlueprintId: string | undefined;
  executionId: string | undefined;
  deploymentsToUpdate: Json | undefined;
  deploymentsPerTenant: Json | undefined;
}
