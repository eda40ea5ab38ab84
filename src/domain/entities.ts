/**
 * The things the product stores, as the use cases see them. Dates are `Date`, absent values are `undefined`. Ids are
 * the ones clients know; `storageId` is the internal key where a relation needs it.
 */
import type { Breakpoint, OperationDecision } from './control.ts';
import type { PluginState } from './cluster.ts';
import type { Json, JsonObject, Plan, PlanScalingGroup, PlanWorkflow } from './plan.ts';
import type {
  BlueprintState,
  DeploymentStatus,
  ExecutionStatus,
  InstallationStatus,
  ModificationStatus,
  OperationState,
  Visibility,
} from './states.ts';

/** What every tenant-scoped resource has. */
export interface Resource {
  storageId: number;
  id: string;
  tenantId: number;
  tenantName: string;
  creatorId: number;
  createdBy: string;
  visibility: Visibility;
}

export interface Label {
  key: string;
  value: string;
  createdAt: Date;
  createdBy: string;
}

export interface Tenant {
  id: number;
  name: string;
  rabbitmqUsername: string | undefined;
  rabbitmqVhost: string | undefined;
}

export interface User {
  id: number;
  username: string;
  role: string;
  isActive: boolean;
  createdAt: Date;
  firstLoginAt: Date | undefined;
  lastLoginAt: Date | undefined;
  lastFailedLoginAt: Date | undefined;
  failedLoginsCounter: number;
  showGettingStarted: boolean;
  /** tenant name -> roles held there, directly and through groups. */
  tenantRoles: ReadonlyMap<string, readonly string[]>;
  /** tenant name -> role given to the user himself. */
  directTenantRoles: ReadonlyMap<string, string>;
  /** tenant name -> role -> groups that give it. */
  groupTenantRoles: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
  groups: readonly string[];
  /** group -> its system role. */
  groupSystemRoles: ReadonlyMap<string, string>;
}

export interface Token {
  id: string;
  userId: number;
  username: string;
  description: string | undefined;
  createdAt: Date;
  lastUsed: Date | undefined;
  expirationDate: Date | undefined;
}

export interface Blueprint extends Resource {
  createdAt: Date;
  updatedAt: Date | undefined;
  mainFileName: string | undefined;
  description: string | undefined;
  isHidden: boolean;
  state: BlueprintState;
  error: string | undefined;
  errorTraceback: string | undefined;
  plan: Plan | undefined;
  requirements: JsonObject | undefined;
  uploadExecutionId: string | undefined;
  labels: readonly Label[];
}

export interface Deployment extends Resource {
  createdAt: Date;
  updatedAt: Date | undefined;
  displayName: string;
  description: string | undefined;
  blueprintId: string;
  blueprintStorageId: number;
  siteName: string | undefined;
  inputs: JsonObject | undefined;
  groups: JsonObject | undefined;
  policyTriggers: JsonObject | undefined;
  policyTypes: JsonObject | undefined;
  outputs: JsonObject | undefined;
  capabilities: JsonObject | undefined;
  scalingGroups: { [name: string]: PlanScalingGroup } | undefined;
  workflows: { [name: string]: PlanWorkflow } | undefined;
  resourceTags: JsonObject | undefined;
  runtimeOnlyEvaluation: boolean;
  installationStatus: InstallationStatus;
  deploymentStatus: DeploymentStatus | undefined;
  subServicesStatus: DeploymentStatus | undefined;
  subEnvironmentsStatus: DeploymentStatus | undefined;
  subServicesCount: number;
  subEnvironmentsCount: number;
  driftedInstances: number;
  unavailableInstances: number;
  createExecutionId: string | undefined;
  latestExecutionId: string | undefined;
  latestExecutionStatus: ExecutionStatus | undefined;
  latestExecutionWorkflowId: string | undefined;
  latestExecutionTotalOperations: number;
  latestExecutionFinishedOperations: number;
  hasSubDeployments: boolean;
  deploymentGroups: readonly string[];
  labels: readonly Label[];
  /** What decides which workflows may start; only where it was asked for. */
  activity?: DeploymentActivity;
}

/** What is going on in a deployment; null = it has no node instances or nodes. */
export interface DeploymentActivity {
  /** Every state some node instance has. */
  readonly instanceStates: readonly string[] | null;
  /** Every type some node has or is derived from. */
  readonly types: readonly string[] | null;
}

export interface Execution extends Resource {
  createdAt: Date;
  startedAt: Date | undefined;
  endedAt: Date | undefined;
  scheduledFor: Date | undefined;
  status: ExecutionStatus;
  error: string | undefined;
  workflowId: string;
  parameters: JsonObject;
  isSystemWorkflow: boolean;
  isDryRun: boolean;
  resume: boolean;
  allowCustomParameters: boolean;
  /** Seconds to go on with independent work after the first error. */
  waitAfterFail: number;
  totalOperations: number | undefined;
  finishedOperations: number | undefined;
  blueprintId: string | undefined;
  deploymentId: string | undefined;
  deploymentStorageId: number | undefined;
  deploymentDisplayName: string | undefined;
  /** Name of the process that drives it; undefined while none does. */
  executor: string | undefined;
  /** Where it stops before an operation. */
  breakpoints: readonly Breakpoint[];
  /** Grows with every decision its driver has to look at. */
  controlVersion: number;
}

export interface NodeRow extends Resource {
  deploymentId: string;
  deploymentStorageId: number;
  blueprintId: string;
  deploymentDisplayName: string;
  type: string;
  typeHierarchy: readonly string[];
  hostId: string | undefined;
  properties: JsonObject;
  operations: JsonObject;
  relationships: readonly JsonObject[];
  plugins: readonly JsonObject[];
  pluginsToInstall: readonly JsonObject[] | undefined;
  deployNumberOfInstances: number;
  numberOfInstances: number;
  plannedNumberOfInstances: number;
  actualNumberOfInstances: number;
  minNumberOfInstances: number;
  maxNumberOfInstances: number;
  driftedInstances: number;
  unavailableInstances: number;
}

export interface NodeInstanceRow extends Resource {
  deploymentId: string;
  deploymentStorageId: number;
  nodeId: string;
  index: number;
  hostId: string | undefined;
  state: string;
  version: number;
  relationships: readonly JsonObject[];
  runtimeProperties: JsonObject;
  systemProperties: JsonObject;
  scalingGroups: readonly { name: string; id: string }[];
  hasConfigurationDrift: boolean;
  isStatusCheckOk: boolean;
}

export interface TasksGraphRow extends Resource {
  createdAt: Date;
  name: string;
  executionId: string;
}

/** One task of a stored tasks graph. `result` and `error` are what the worker answered. */
export interface OperationRow extends Resource {
  createdAt: Date;
  name: string | undefined;
  state: OperationState;
  type: string;
  dependencies: readonly string[];
  parameters: JsonObject;
  managerName: string | undefined;
  agentName: string | undefined;
  tasksGraphId: string;
  executionId: string;
  result: Json | undefined;
  error: Json | undefined;
  /** How often a worker took it up. */
  attempt: number;
  /** Name of the process that runs it. */
  worker: string | undefined;
  sentAt: Date | undefined;
  startedAt: Date | undefined;
  endedAt: Date | undefined;
  /** Since when it could run and is held back. */
  heldAt: Date | undefined;
  decision: OperationDecision | undefined;
}

export type EventLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical';

/** An event or a log line before it is stored. Exactly one of the execution ids is given. */
export interface EventInput {
  kind: 'event' | 'log';
  /** When it happened. */
  timestamp: Date;
  /** When it was stored, for what is restored; now otherwise, and at the latest. */
  storedAt?: Date;
  executionId?: string;
  executionGroupId?: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  message: string;
  messageCode?: string;
  /** Events only. */
  eventType?: string;
  /** Logs only. */
  logger?: string;
  level?: string;
  operation?: string;
  /** Node INSTANCE id. */
  nodeInstanceId?: string;
  sourceId?: string;
  targetId?: string;
  errorCauses?: Json;
  managerName?: string;
  agentName?: string;
}

/** A stored event or log line with the names joined in. */
export interface EventRow {
  storageId: number;
  kind: 'event' | 'log';
  timestamp: Date;
  reportedTimestamp: Date;
  blueprintId: string | undefined;
  deploymentId: string | undefined;
  deploymentDisplayName: string | undefined;
  executionId: string | undefined;
  executionGroupId: string | undefined;
  workflowId: string | undefined;
  message: string;
  errorCauses: Json | undefined;
  eventType: string | undefined;
  logger: string | undefined;
  level: string | undefined;
  operation: string | undefined;
  sourceId: string | undefined;
  targetId: string | undefined;
  managerName: string | undefined;
  agentName: string | undefined;
  nodeInstanceId: string | undefined;
  nodeName: string | undefined;
}

export interface DeploymentModification extends Resource {
  createdAt: Date;
  deploymentStorageId: number;
  endedAt: Date | undefined;
  status: ModificationStatus;
  context: Json | undefined;
  modifiedNodes: JsonObject;
  nodeInstances: JsonObject;
  deploymentId: string;
}

export interface Secret extends Resource {
  createdAt: Date;
  updatedAt: Date | undefined;
  isHiddenValue: boolean;
  schema: Json | undefined;
  /** Secrets provider that has the value. */
  providerName: string | undefined;
}

export interface Plugin extends Resource {
  archiveName: string;
  packageName: string;
  packageVersion: string | undefined;
  packageSource: string | undefined;
  supportedPlatform: Json | undefined;
  distribution: string | undefined;
  distributionRelease: string | undefined;
  distributionVersion: string | undefined;
  supportedPyVersions: readonly string[];
  wheels: readonly string[];
  excludedWheels: readonly string[];
  uploadedAt: Date;
  title: string | undefined;
  blueprintLabels: JsonObject | undefined;
  labels: JsonObject | undefined;
  resourceTags: JsonObject | undefined;
  states: readonly PluginState[];
}

/** A message that must be published because something was committed. */
export interface OutboxMessage {
  id: number;
  /** Undefined = `/`. */
  vhost: string | undefined;
  exchange: string;
  routingKey: string;
  body: JsonObject;
}
