/**
 * The SDK of workflows that plugins define: what a workflow function is given. A workflow is an exported function of a
 * node plugin that a blueprint maps a name to:
 *
 * ```ts
 * import type { Workflow } from 'gantry/plugin';
 *
 * export const restartAll: Workflow = async (ctx) => {
 *   await ctx.runGraph('restart', (graph) => {
 *     graph.alongDependencies(ctx.select(), (instance, steps) => {
 *       steps.add(graph.operation(instance, 'cloudify.interfaces.lifecycle.stop'));
 *       steps.add(graph.operation(instance, 'cloudify.interfaces.lifecycle.start'));
 *     });
 *   });
 * };
 * restartAll.resumable = true;
 * ```
 *
 * A graph is stored under its name before it runs. A function that is started again (resumed, or its process died)
 * runs from its top; a graph it has stored goes on where it was left, without being built again.
 */
import type { Json, JsonObject } from '../domain/plan.ts';
import type { NodeInstance, NodeRelationship, Topology } from '../domain/topology.ts';

/** A workflow function. Its result is not kept. */
export interface Workflow {
  (ctx: WorkflowContext): Json | undefined | void | Promise<Json | undefined | void>;
  /** Whether a failed or cancelled execution may be resumed; what the function does outside of graphs is done again. */
  resumable?: boolean;
}

/** What belongs to one run of a workflow. */
export interface WorkflowContext {
  readonly execution: {
    readonly id: string;
    readonly workflowId: string;
    readonly deploymentId: string;
    /** Graphs run without operations and without changes. */
    readonly isDryRun: boolean;
    /** Whether this is not the first start of the execution. */
    readonly isResume: boolean;
  };
  /** Parameters as the blueprint declares them, with defaults. */
  readonly parameters: JsonObject;
  /** Nodes, node instances and scaling groups as they were at the start or at the last `refresh`. */
  readonly topology: Topology;
  /** Aborted when the execution is cancelled. */
  readonly signal: AbortSignal;
  readonly logger: WorkflowLogger;
  /** Whole graphs of the built-in workflows. */
  readonly lifecycle: WorkflowLifecycle;
  /** Reads the topology again. */
  refresh(): Promise<void>;
  /** The node instances that pass all parts of the filter, in a stable order; without a filter all of them. */
  select(filter?: InstanceFilter): readonly NodeInstance[];
  /** The relationships of an instance, in the order they are declared. */
  relationshipsOf(instance: NodeInstance): readonly RelationshipInstance[];
  /**
   * Stores a graph under `name`, runs it and resolves when it has succeeded. A stored graph of this execution goes on
   * instead of being built.
   *
   * Throws an error called `WorkflowFailed` when a task has failed for good, `ExecutionCancelled` when the execution is
   * cancelled, `WorkflowRefused` or `GraphError` for a graph that cannot be built.
   */
  runGraph(name: string, build: (graph: WorkflowGraph) => void, options?: GraphOptions): Promise<void>;
  /** Whether this execution has stored a graph of this name before. */
  hasStoredGraph(name: string): Promise<boolean>;
  /** Writes an event of type `workflow_stage`. */
  sendEvent(message: string): void;
}

export interface WorkflowLogger {
  debug(message: string): void;
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
}

export interface InstanceFilter {
  readonly nodeIds?: readonly string[];
  readonly instanceIds?: readonly string[];
  /** Types or what they are derived from. */
  readonly typeNames?: readonly string[];
}

export interface GraphOptions {
  /** Attempts after the first one of operations that do not say themselves; -1 = without end. */
  readonly taskRetries?: number;
}

export interface RelationshipInstance {
  readonly source: NodeInstance;
  readonly target: NodeInstance;
  readonly type: string;
  readonly definition: NodeRelationship | undefined;
}

/** Graphs of the built-in workflows for some instances. Each graph has a name of its own in the execution. */
export interface WorkflowLifecycle {
  install(name: string, instances: readonly NodeInstance[]): Promise<void>;
  uninstall(name: string, instances: readonly NodeInstance[], options?: LifecycleOptions): Promise<void>;
  reinstall(name: string, instances: readonly NodeInstance[], options?: LifecycleOptions): Promise<void>;
}

export interface LifecycleOptions {
  /** Whether failing operations of the way down are ignored. */
  readonly ignoreFailure?: boolean;
}

/** A task of a graph: something to hand to the methods of the graph it was made by. */
export interface WorkflowTask {
  readonly id: string;
  readonly name: string;
}

/** A step of a sequence: a task, several that run side by side, or nothing (an operation that is not implemented). */
export type WorkflowStep = WorkflowTask | readonly (WorkflowTask | undefined)[] | undefined;

export interface OperationOptions {
  /** Inputs besides those the blueprint gives the operation. */
  readonly inputs?: JsonObject;
  /** Whether `inputs` may replace those of the blueprint. */
  readonly override?: boolean;
  /** `ignore` goes on after a failure, with one attempt only. */
  readonly onFailure?: 'fail' | 'ignore';
}

/** Tasks and what they wait for. A task runs once it is added, alone or through a sequence. */
export interface WorkflowGraph {
  /** An operation of the node of an instance; undefined when it is not implemented. */
  operation(instance: NodeInstance, name: string, options?: OperationOptions): WorkflowTask | undefined;
  /** An operation of the source side of a relationship; undefined when it is not implemented. */
  sourceOperation(
    relationship: RelationshipInstance,
    name: string,
    options?: OperationOptions,
  ): WorkflowTask | undefined;
  /** An operation of the target side of a relationship; undefined when it is not implemented. */
  targetOperation(
    relationship: RelationshipInstance,
    name: string,
    options?: OperationOptions,
  ): WorkflowTask | undefined;
  /** Sets the state of a node instance. */
  setState(instance: NodeInstance, state: string): WorkflowTask;
  /** Writes an event of a node instance. */
  event(instance: NodeInstance, message: string): WorkflowTask;
  /** Adds a subgraph: it has ended when everything in it has. */
  subgraph(name: string, parent?: WorkflowTask): WorkflowTask;
  /** Tasks one after the other, in the graph or in a subgraph of it. */
  sequence(container?: WorkflowTask): WorkflowSequence;
  add(task: WorkflowTask, container?: WorkflowTask): WorkflowTask;
  /** Makes `task` wait for the end of `dependency`; both must have been added. */
  addDependency(task: WorkflowTask, dependency: WorkflowTask): void;
  /**
   * Adds a subgraph per instance and orders them along relationships: targets first (`up`, the default) or sources
   * first (`down`). The order also holds through instances that are not among them.
   */
  alongDependencies(
    instances: readonly NodeInstance[],
    fill: (instance: NodeInstance, steps: WorkflowSequence) => void,
    direction?: 'up' | 'down',
  ): void;
}

export interface WorkflowSequence {
  /** Every step waits for all tasks of the step before it. */
  add(...steps: readonly WorkflowStep[]): WorkflowSequence;
}
