import type { TasksGraph } from '../graph/tasks-graph.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { Topology } from '../domain/topology.ts';

/** Defaults of retries, from the configuration scope `workflow`. */
export interface WorkflowConfig {
  /** -1 = without end. */
  readonly taskRetries: number;
  /** Seconds. */
  readonly taskRetryInterval: number;
  readonly subgraphRetries: number;
}

export interface ExecutionInfo {
  readonly id: string;
  readonly workflowId: string;
  readonly deploymentId: string;
  readonly isDryRun: boolean;
  /** Whether this is not the first start: the execution was resumed, or another process began it. */
  readonly isResume: boolean;
}

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

export interface GraphOptions {
  /** Whether the graph is stored and found again after a restart; default true, never in a dry run. */
  readonly isStored?: boolean;
  /** Overrides `config.taskRetries` for the tasks of this graph. */
  readonly taskRetries?: number;
  /** Called instead of `build` for a graph found in the store, before it goes on; may add tasks. */
  readonly onRestored?: (graph: TasksGraph) => void;
}

/** A running or ended change of the number of instances. */
export interface Modification {
  readonly id: string;
  /** Ids of the instances to install, and of the kept instances that get relationships to them. */
  readonly added: { readonly instanceIds: readonly string[]; readonly relatedIds: readonly string[] };
  /** Ids of the instances to uninstall, and of the kept instances that have relationships to them. */
  readonly removed: { readonly instanceIds: readonly string[]; readonly relatedIds: readonly string[] };
}

/** Node or scaling group id -> what it should become. */
export type ModificationRequest = Readonly<
  Record<
    string,
    {
      readonly instances: number;
      readonly removedIdsIncludeHint: readonly string[];
      readonly removedIdsExcludeHint: readonly string[];
    }
  >
>;

export interface Modifications {
  /** Modifications of the deployment in state `started`, oldest first. */
  listStarted(): Promise<readonly Modification[]>;
  start(request: ModificationRequest): Promise<Modification>;
  finish(modificationId: string): Promise<void>;
  rollback(modificationId: string): Promise<void>;
}

export interface SystemPropertiesUpdate {
  readonly instanceId: string;
  /** Makes the new system properties of the stored ones. */
  readonly update: (properties: JsonObject) => JsonObject;
}

/** All a workflow function may use; the executor implements it. */
export interface WorkflowContext {
  readonly execution: ExecutionInfo;
  /** Declared parameters merged with given ones. */
  readonly parameters: JsonObject;
  readonly config: WorkflowConfig;
  /** Snapshot of the start or of the last `refresh`. */
  readonly topology: Topology;
  /** Aborted when the execution is being cancelled. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Reads nodes, instances and scaling groups again. */
  refresh(): Promise<void>;
  /**
   * Builds the graph, or finds it in the store under `name`, and runs it to its end.
   *
   * Throws `WorkflowFailed` when a task failed for good and `ExecutionCancelled` when the execution is being cancelled.
   */
  runGraph(name: string, build: (graph: TasksGraph) => void, options?: GraphOptions): Promise<void>;
  /** Whether this execution has stored a graph of this name before. */
  hasStoredGraph(name: string): Promise<boolean>;
  /** Writes to the log of the execution. */
  log(level: LogLevel, message: string): void;
  /** Emits an event of the execution, e.g. of type `workflow_stage`. */
  sendEvent(eventType: string, message: string): void;
  readonly modifications: Modifications;
  /** Read-modify-write of system properties, all in one transaction. Not in a dry run. */
  updateSystemProperties(updates: readonly SystemPropertiesUpdate[]): Promise<void>;
  /**
   * Runs a workflow on every deployment that is a service of this one (label `csys-obj-parent`) through a temporary
   * deployment group `<deployment>_services_uninstall` and waits until all have ended; failures do not throw.
   */
  runOnServices(workflowId: string, parameters: JsonObject): Promise<void>;
}

/** A workflow: runs its graphs and returns the result of the execution. */
export type WorkflowFunction = (context: WorkflowContext) => Promise<Json | undefined>;
