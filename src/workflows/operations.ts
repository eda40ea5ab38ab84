import type { Json, JsonObject, PlanOperation, PlanPlugin } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import type { RelatedInstance, Task } from '../graph/task.ts';
import type { TaskOptions, TasksGraph } from '../graph/tasks-graph.ts';
import { isFunction } from '../dsl/functions/index.ts';
import { WorkflowRefused } from './errors.ts';
import type { RelationshipInstance, TopologyView } from './topology-view.ts';

export interface OperationOptions extends Omit<TaskOptions, 'policy'> {
  /** Arguments besides the declared inputs. */
  readonly kwargs?: JsonObject | undefined;
  /** Whether `kwargs` may replace declared inputs. */
  readonly isOverrideAllowed?: boolean;
}

/** The instance an operation runs for, and what belongs to the call. */
interface CallTarget {
  readonly instance: NodeInstance;
  readonly related?: RelatedInstance;
  /** Where the plugin is looked up: the own node first. */
  readonly plugins: readonly (readonly PlanPlugin[])[];
}

/** Makes the tasks of operations; an operation that is not implemented has none. */
export class Operations {
  readonly #graph: TasksGraph;
  readonly #view: TopologyView;

  constructor(graph: TasksGraph, view: TopologyView) {
    this.#graph = graph;
    this.#view = view;
  }

  /**
   * The task of a node operation.
   *
   * @throws WorkflowRefused when its plugin is unknown, or when arguments collide with inputs or have the wrong type
   */
  ofNode(instance: NodeInstance, operation: string, options: OperationOptions = {}): Task | undefined {
    const node = this.#view.nodeOf(instance);
    return this.#make(operation, node.operations[operation], { instance, plugins: [node.plugins] }, options);
  }

  /** The task of an operation on the source side of a relationship. */
  ofSource(relationship: RelationshipInstance, operation: string, options: OperationOptions = {}): Task | undefined {
    const { source, target, definition } = relationship;
    return this.#make(
      operation,
      definition?.sourceOperations[operation],
      {
        instance: source,
        related: { instanceId: target.id, nodeId: target.nodeId, isTarget: true },
        plugins: [this.#view.nodeOf(source).plugins, this.#view.nodeOf(target).plugins],
      },
      options,
    );
  }

  /** The task of an operation on the target side of a relationship. */
  ofTarget(relationship: RelationshipInstance, operation: string, options: OperationOptions = {}): Task | undefined {
    const { source, target, definition } = relationship;
    return this.#make(
      operation,
      definition?.targetOperations[operation],
      {
        instance: target,
        related: { instanceId: source.id, nodeId: source.nodeId, isTarget: false },
        plugins: [this.#view.nodeOf(target).plugins, this.#view.nodeOf(source).plugins],
      },
      options,
    );
  }

  #make(
    name: string,
    operation: PlanOperation | undefined,
    target: CallTarget,
    options: OperationOptions,
  ): Task | undefined {
    if (!operation?.operation) {
      return undefined;
    }
    const { instance } = target;
    return this.#graph.remote(
      {
        taskName: operation.operation,
        operation: name,
        instanceId: instance.id,
        nodeId: instance.nodeId,
        hostId: instance.hostId,
        plugin: findPlugin(operation.plugin, name, target),
        executor: operation.executor ?? 'central_deployment_agent',
        inputs: inputsOf(name, operation, instance, options),
        hasIntrinsicFunctions: operation.has_intrinsic_functions || holdsFunction(options.kwargs ?? null),
        timeout: operation.timeout,
        isTimeoutRecoverable: operation.timeout_recoverable,
        related: target.related,
      },
      {
        onSuccess: options.onSuccess,
        onFailure: options.onFailure,
        policy: this.#graph.policy(operation.max_retries, operation.retry_interval),
      },
    );
  }
}

/** Whether there is a call of an intrinsic function in what a workflow gives to an operation. */
function holdsFunction(value: Json): boolean {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  return isFunction(value) || Object.values<Json>(value).some((item) => holdsFunction(item));
}

function findPlugin(name: string, operation: string, target: CallTarget): PlanPlugin {
  for (const plugins of target.plugins) {
    const plugin = plugins.find((candidate) => candidate.name === name);
    if (plugin) {
      return plugin;
    }
  }
  throw new WorkflowRefused(`Plugin not found: ${name} (operation '${operation}' of node '${target.instance.nodeId}')`);
}

function inputsOf(
  name: string,
  operation: PlanOperation,
  instance: NodeInstance,
  options: OperationOptions,
): JsonObject {
  const declared = operation.inputs ?? {};
  const given = options.kwargs ?? {};
  const inputs = Object.keys(given).length === 0 ? declared : { ...declared, ...given };
  if (!options.isOverrideAllowed) {
    const collision = Object.keys(given).find((key) => Object.hasOwn(declared, key));
    if (collision !== undefined) {
      throw new WorkflowRefused(
        `Duplicate definition of ${collision} in operation properties and in kwargs ` +
          `(operation '${name}' of '${instance.id}'). To allow redefinition, pass "allow_kwargs_override"`,
      );
    }
  }
  checkTypes(inputs, operation.inputs_types);
  return inputs;
}

const isOfType: Readonly<Record<string, (value: Json) => boolean>> = {
  string: (value) => typeof value === 'string',
  textarea: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  integer: (value) => Number.isInteger(value),
  float: (value) => typeof value === 'number',
  list: (value) => Array.isArray(value),
  dict: (value) => isDict(value),
};

function checkTypes(inputs: JsonObject, types: JsonObject | undefined): void {
  for (const [name, type] of Object.entries(types ?? {})) {
    const value = inputs[name];
    if (typeof type !== 'string') {
      continue;
    }
    const check = isOfType[type];
    if (check && value !== undefined && value !== null && !isIntrinsicFunction(value) && !check(value)) {
      throw new WorkflowRefused(`Value ${JSON.stringify(value)} of '${name}' does not match the definition: ${type}`);
    }
  }
}

function isIntrinsicFunction(value: Json): boolean {
  if (!isDict(value)) {
    return false;
  }
  const keys = Object.keys(value);
  return keys.length === 1 && (keys[0] === 'concat' || keys[0] === 'merge' || /^(get|string|sys)_/.test(keys[0] ?? ''));
}

function isDict(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
