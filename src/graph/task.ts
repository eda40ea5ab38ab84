import type { OperationErrorObject } from '../domain/operation-error.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';

/** The plugin an operation belongs to, as far as the plan tells; visibility and properties are looked up when it is sent. */
export interface PluginReference {
  readonly name: string;
  readonly package_name: string | null;
  readonly package_version: string | null;
  readonly source: string | null;
}

/** The other end of a relationship operation. */
export interface RelatedInstance {
  readonly instanceId: string;
  readonly nodeId: string;
  /** Whether the related instance is among the relationship targets of the instance the operation runs for. */
  readonly isTarget: boolean;
}

/** One operation of one node instance, complete enough to make its message and its stored row. */
export interface RemoteCall {
  /** Function of the plugin, e.g. `script_runner.tasks.run`. */
  readonly taskName: string;
  /** Full interface operation, e.g. `cloudify.interfaces.lifecycle.create`. */
  readonly operation: string;
  readonly instanceId: string;
  readonly nodeId: string;
  readonly hostId: string | undefined;
  readonly plugin: PluginReference;
  /** `central_deployment_agent`, `host_agent` or `auto`. */
  readonly executor: string;
  readonly inputs: JsonObject;
  readonly hasIntrinsicFunctions: boolean;
  /** Seconds. */
  readonly timeout: number | null;
  readonly isTimeoutRecoverable: boolean | null;
  readonly related: RelatedInstance | undefined;
}

/** What a task does when its turn comes. */
export type TaskAction =
  | { readonly kind: 'remote'; readonly call: RemoteCall }
  | { readonly kind: 'local'; readonly handler: string; readonly data: JsonObject }
  | { readonly kind: 'no-op' }
  | { readonly kind: 'subgraph' }
  | { readonly kind: 'set-state'; readonly instanceId: string; readonly state: string }
  | {
      readonly kind: 'node-event';
      readonly instanceId: string;
      readonly message: string;
      readonly context?: JsonObject;
    }
  | {
      readonly kind: 'workflow-event';
      readonly message: string;
      readonly eventType: string;
      readonly arguments?: JsonObject;
      readonly context?: JsonObject;
    };

export type TaskKind = TaskAction['kind'];

/** A handler by its name, with the fields it needs; plain data, so that it can be stored with the task. */
export interface HandlerReference {
  readonly path: string;
  readonly [field: string]: Json;
}

/** How often and how soon a failed task is tried again. One object serves all tasks with the same settings. */
export interface RetryPolicy {
  /** Attempts after the first one; -1 = without end. */
  readonly totalRetries: number;
  /** Seconds between two attempts. */
  readonly retryInterval: number;
}

export interface TaskInput {
  readonly id: string;
  readonly name: string;
  readonly action: TaskAction;
  readonly policy: RetryPolicy;
  readonly state?: OperationState;
  readonly currentRetries?: number;
  readonly retriedTaskId?: string | undefined;
  readonly isSilent?: boolean;
  readonly onSuccess?: HandlerReference | undefined;
  readonly onFailure?: HandlerReference | undefined;
  readonly info?: Json | undefined;
}

/**
 * A vertex of a tasks graph. The graph and its run keep the bookkeeping fields (from `waitingFor` on); everybody
 * else reads.
 */
export class Task {
  readonly id: string;
  readonly name: string;
  readonly action: TaskAction;
  readonly policy: RetryPolicy;
  /** How many attempts were made before this one. */
  readonly currentRetries: number;
  /** Id of the task of which this one is another attempt. */
  readonly retriedTaskId: string | undefined;
  /** Whether only its failure is worth an event. */
  readonly isSilent: boolean;
  onSuccess: HandlerReference | undefined;
  onFailure: HandlerReference | undefined;
  info: Json | undefined;
  state: OperationState;
  /** The subgraph this task is part of. */
  container: Task | undefined = undefined;
  /** What this task waited for when the graph was built. */
  dependencies: Task[] | undefined = undefined;
  /** What waits for this task. */
  dependents: Task[] | undefined = undefined;
  /** Number of dependencies (its container included) that have not ended. */
  waitingFor = 0;
  /** Subgraphs only. */
  contents: SubgraphContents | undefined = undefined;
  /** Taken out of the graph: whatever becomes of it changes nothing any more. */
  isRemoved = false;
  /** One of its dependencies failed for good: it never runs. */
  isBlocked = false;

  constructor(input: TaskInput) {
    this.id = input.id;
    this.name = input.name;
    this.action = input.action;
    this.policy = input.policy;
    this.currentRetries = input.currentRetries ?? 0;
    this.retriedTaskId = input.retriedTaskId;
    this.isSilent = input.isSilent ?? false;
    this.onSuccess = input.onSuccess;
    this.onFailure = input.onFailure;
    this.info = input.info;
    this.state = input.state ?? 'pending';
  }
}

/** What a subgraph knows about its content. */
export interface SubgraphContents {
  readonly tasks: Set<Task>;
  /** Whether the run has let the content start. */
  isOpen: boolean;
  /** The failed operation that made the subgraph fail, and its error. */
  failure: TaskFailure | undefined;
}

/** A task that failed for good. */
export interface TaskFailure {
  readonly task: Task;
  readonly error: OperationErrorObject | undefined;
}

/** The name people know a task by in error texts, e.g. `script_runner.tasks.run (web_x1y2z3:cloudify.interfaces.lifecycle.start)`. */
export function describeTask(task: Task): string {
  return task.action.kind === 'remote'
    ? `${task.name} (${task.action.call.instanceId}:${task.action.call.operation})`
    : task.name;
}

/** The contents of a new subgraph. */
export function emptyContents(): SubgraphContents {
  return { tasks: new Set(), isOpen: false, failure: undefined };
}
