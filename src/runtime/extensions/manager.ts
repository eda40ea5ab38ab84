import type { JsonObject } from '../../domain/plan.ts';
import type { Waits } from '../waits.ts';
import type { BlueprintState, DeploymentStatus, ExecutionStatus, InstallationStatus } from '../../domain/states.ts';

/** An execution of another deployment. */
export interface ManagedExecution {
  readonly id: string;
  readonly workflowId: string;
  readonly status: ExecutionStatus;
  readonly error: string | undefined;
}

/** A deployment that is a part of another one, or used by it. */
export interface ManagedDeployment {
  readonly id: string;
  readonly blueprintId: string;
  readonly inputs: JsonObject;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  readonly installationStatus: InstallationStatus;
  readonly deploymentStatus: DeploymentStatus | undefined;
  readonly unavailableInstances: number;
  readonly driftedInstances: number;
  readonly createExecutionId: string | undefined;
  readonly latestExecution: ManagedExecution | undefined;
}

export interface NewManagedBlueprint {
  readonly id: string;
  /** URL, or path of an archive or a directory in the blueprint of the operation's deployment. */
  readonly archive: string;
  readonly mainFileName: string | undefined;
  readonly labels: readonly JsonObject[];
}

export interface NewManagedDeployment {
  readonly id: string;
  readonly blueprintId: string;
  readonly inputs: JsonObject;
  readonly labels: readonly JsonObject[];
}

export interface WorkflowRequest {
  readonly deploymentId: string;
  readonly workflowId: string;
  readonly parameters: JsonObject;
  readonly allowCustomParameters: boolean;
  readonly force: boolean;
  readonly queue: boolean;
}

/** A line of the log of an execution. */
export interface ManagedLine {
  readonly level: string;
  readonly message: string;
}

export interface Waiting {
  /** Undefined = without limit. */
  readonly timeoutSeconds: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * What operations of the built-in types ask of the manager. Everything is done on behalf of the creator of the
 * execution that the operation belongs to, with his permissions. Calls throw GantryError where the manager refuses;
 * waiting ends by an event, never by asking again and again.
 */
export interface ExtensionsManager {
  /** Parameters of the operation's own execution. */
  readonly ownParameters: JsonObject;
  /** Whether the operation's own execution was cancelled meanwhile. */
  isCancelled(): Promise<boolean>;
  findBlueprintState(id: string): Promise<BlueprintState | undefined>;
  /** Uploads it and waits until it can be used. @throws GantryError invalid_blueprint_error */
  uploadBlueprint(blueprint: NewManagedBlueprint, waiting: Waiting): Promise<void>;
  deleteBlueprint(id: string): Promise<void>;
  findDeployment(id: string): Promise<ManagedDeployment | undefined>;
  /** Stores the deployment; `waitUntilEnded` of its create execution tells when it is filled. */
  createDeployment(deployment: NewManagedDeployment, signal: AbortSignal): Promise<ManagedDeployment>;
  /**
   * Starts an update of a deployment to a blueprint, with inputs that win over those it has.
   * @returns id of the execution
   */
  updateDeployment(
    id: string,
    change: { blueprintId: string; inputs: JsonObject },
    signal: AbortSignal,
  ): Promise<string>;
  /** Deletes it and waits until it is gone. */
  deleteDeployment(id: string, waiting: Waiting): Promise<void>;
  /** Capabilities with their functions evaluated. */
  capabilities(deploymentId: string): Promise<JsonObject>;
  /** Notes that the operation's deployment uses another one; does nothing when that is known. */
  addDependency(creator: string, target: string): Promise<void>;
  /** Takes the note away; does nothing when there is none. */
  removeDependency(creator: string, target: string): Promise<void>;
  /** How many deployments, besides the operation's own, use a deployment. */
  countOtherConsumers(deploymentId: string): Promise<number>;
  /** Id of the execution that one operation starts: the same however often the operation is repeated. */
  executionIdOf(taskId: string, workflowId: string): string;
  findExecution(id: string): Promise<ManagedExecution | undefined>;
  /** @throws GantryError conflict_error, unavailable_workflow_error and so on */
  startExecution(id: string, request: WorkflowRequest): Promise<void>;
  resumeExecution(id: string): Promise<void>;
  /**
   * Waits until an execution has ended or is gone.
   * @param onLine is told every line of its log
   * @returns the execution as it is then; undefined when it is gone
   */
  waitUntilEnded(
    id: string,
    waiting: Waiting,
    onLine?: (line: ManagedLine) => void,
  ): Promise<ManagedExecution | undefined>;
  /** Waits until nothing runs or waits to run on a deployment. @returns whether that came to be in time */
  waitUntilIdle(deploymentId: string, waiting: Waiting): Promise<boolean>;
  hasSecret(key: string): Promise<boolean>;
  createSecret(key: string, value: string): Promise<void>;
  /** Does nothing when there is none. */
  deleteSecret(key: string): Promise<void>;
}

/** Gives operations the manager they work with. */
export interface ExtensionsHost {
  /** Operations that wait for the manager. */
  readonly waits: Waits;
  /** @throws GantryError not_found_error, forbidden_while_cancelling while the execution is being cancelled */
  managerFor(executionId: string | undefined): Promise<ExtensionsManager>;
}
