import type { IdGenerator } from '../domain/clock.ts';
import type { JsonObject } from '../domain/plan.ts';
import { TaskSequence } from './sequence.ts';
import { emptyContents, Task } from './task.ts';
import type { HandlerReference, RemoteCall, RetryPolicy, TaskAction } from './task.ts';

export interface GraphSettings {
  readonly newId: IdGenerator;
  /** Attempts after the first one when an operation does not say; -1 = without end. */
  readonly taskRetries: number;
  /** Seconds, when an operation does not say. */
  readonly taskRetryInterval: number;
  /** Attempts after the first one of a subgraph that has a retry handler. */
  readonly subgraphRetries: number;
  readonly isDryRun: boolean;
}

export interface TaskOptions {
  readonly onSuccess?: HandlerReference | undefined;
  readonly onFailure?: HandlerReference | undefined;
  readonly policy?: RetryPolicy | undefined;
}

export interface SubgraphOptions extends Omit<TaskOptions, 'policy'> {
  readonly parent?: Task | undefined;
  readonly info?: JsonObject | undefined;
  readonly currentRetries?: number;
  /** The subgraph this one replaces. */
  readonly retriedTaskId?: string;
}

const builtInPolicy: RetryPolicy = { totalRetries: 0, retryInterval: 0 };

/**
 * Tasks and what they wait for. Only its structure: `GraphRun` runs it.
 *
 * Tasks made by the factories join the graph when they are added, alone or through a sequence.
 */
export class TasksGraph {
  readonly settings: GraphSettings;
  readonly tasks = new Map<string, Task>();
  /** Called for every task that joins a graph that is already stored. */
  onAdded: ((task: Task) => void) | undefined;
  /** Tasks that joined after the graph was restored and have no row yet. */
  readonly unstored: Task[] = [];
  /** States that set-state tasks have given to node instances since the run started. */
  readonly instanceStates = new Map<string, string>();
  readonly #policies = new Map<string, RetryPolicy>();
  readonly #taskPolicy: RetryPolicy;
  readonly #subgraphPolicy: RetryPolicy;

  constructor(settings: GraphSettings) {
    this.settings = settings;
    this.#taskPolicy = this.policy(null, null);
    this.#subgraphPolicy = this.policy(settings.subgraphRetries, null);
  }

  /** The retry settings of an operation; null stands for the default of the graph. */
  policy(maxRetries: number | null, retryInterval: number | null): RetryPolicy {
    const totalRetries = maxRetries ?? this.settings.taskRetries;
    const interval = retryInterval ?? this.settings.taskRetryInterval;
    const key = `${totalRetries}/${interval}`;
    let policy = this.#policies.get(key);
    if (!policy) {
      policy = { totalRetries, retryInterval: interval };
      this.#policies.set(key, policy);
    }
    return policy;
  }

  /** Makes a task that runs an operation; it is not part of the graph yet. */
  remote(call: RemoteCall, options: TaskOptions = {}): Task {
    return this.#create(
      call.taskName,
      { kind: 'remote', call },
      { ...options, policy: options.policy ?? this.#taskPolicy },
    );
  }

  /** Makes a task that calls a function of the engine, registered under `handler`. */
  local(handler: string, data: JsonObject = {}, options: TaskOptions = {}): Task {
    return this.#create(
      handler,
      { kind: 'local', handler, data },
      { ...options, policy: options.policy ?? this.#taskPolicy },
    );
  }

  /** Makes a task that sets the state of a node instance. */
  setState(instanceId: string, state: string): Task {
    return this.#create('SetNodeInstanceStateTask', { kind: 'set-state', instanceId, state }, {}, true);
  }

  /** Makes a task that emits a `workflow_node_event`. */
  nodeEvent(instanceId: string, message: string): Task {
    return this.#create('SendNodeEventTask', { kind: 'node-event', instanceId, message }, {}, true);
  }

  /** Makes a task that emits an event of the execution. */
  workflowEvent(eventType: string, message: string): Task {
    return this.#create('SendWorkflowEventTask', { kind: 'workflow-event', eventType, message }, {}, true);
  }

  /** Makes a task that does nothing; the optimiser removes it unless it has a handler. */
  noOp(options: TaskOptions = {}): Task {
    return this.#create('nop', { kind: 'no-op' }, options);
  }

  /** Makes an empty subgraph and adds it to the graph, or into `parent`. */
  subgraph(name: string, options: SubgraphOptions = {}): Task {
    const task = new Task({
      id: this.settings.newId(),
      name,
      action: { kind: 'subgraph' },
      policy: this.#subgraphPolicy,
      currentRetries: options.currentRetries ?? 0,
      retriedTaskId: options.retriedTaskId,
      onSuccess: options.onSuccess,
      onFailure: options.onFailure,
      info: { name, ...options.info },
    });
    task.contents = emptyContents();
    return this.add(task, options.parent);
  }

  /**
   * Adds a task to the graph.
   *
   * @param container - subgraph it becomes part of: it waits for the start of the subgraph and counts for its end
   */
  add(task: Task, container?: Task): Task {
    if (!this.tasks.has(task.id)) {
      this.tasks.set(task.id, task);
      this.onAdded?.(task);
    }
    if (container) {
      this.#contain(task, container);
    }
    return task;
  }

  /** Makes `task` wait for the end of `dependency`. A task never waits for itself. */
  addDependency(task: Task, dependency: Task): void {
    if (task === dependency) {
      return;
    }
    for (const end of [task, dependency]) {
      if (!this.tasks.has(end.id)) {
        throw new Error(`Task '${end.name}' (${end.id}) is not in the graph: add it before its dependencies`);
      }
    }
    task.dependencies = append(task.dependencies, dependency);
    dependency.dependents = append(dependency.dependents, task);
    task.waitingFor += 1;
  }

  /** Adds tasks one after the other, see `TaskSequence.add`. */
  sequence(container?: Task): TaskSequence {
    return new TaskSequence(this, container);
  }

  #create(name: string, action: TaskAction, options: TaskOptions, isSilent = false): Task {
    return new Task({
      id: this.settings.newId(),
      name,
      action,
      policy: options.policy ?? builtInPolicy,
      isSilent,
      onSuccess: options.onSuccess,
      onFailure: options.onFailure,
    });
  }

  #contain(task: Task, container: Task): void {
    if (task.container === container) {
      return;
    }
    if (task.container) {
      throw new Error(
        `Task '${task.name}' (${task.id}) cannot be part of two subgraphs: it is in '${task.container.name}' ` +
          `and is being added to '${container.name}'`,
      );
    }
    if (!container.contents) {
      throw new Error(`Task '${container.name}' (${container.id}) is not a subgraph`);
    }
    task.container = container;
    container.contents.tasks.add(task);
    if (!container.contents.isOpen) {
      task.waitingFor += 1;
    }
  }
}

/**
 * Adds to a list that mostly stays tiny. A list that grows by `push` reserves room for more than a dozen entries, which
 * for hundreds of thousands of tasks is most of the memory of a graph.
 */
export function append(list: Task[] | undefined, task: Task): Task[] {
  if (!list) {
    return [task];
  }
  if (list.length < 4) {
    return list.concat(task);
  }
  list.push(task);
  return list;
}
