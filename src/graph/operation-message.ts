import type { JsonObject } from '../domain/plan.ts';
import { GraphError } from './errors.ts';
import type { PluginReference, RelatedInstance, RemoteCall, Task } from './task.ts';

/** What the messages of one execution have in common. */
export interface MessageEnvironment {
  /**
   * Context fields that do not depend on the operation: `execution_id`, `workflow_id`, `tenant`, `rest_host`,
   * `deployment_id` and so on; with `execution_token` and `rest_token` for messages, without them for stored rows.
   */
  readonly common: JsonObject;
  /** The plugin as its context field: with visibility, tenant and evaluated properties. */
  readonly plugin: (plugin: PluginReference) => JsonObject;
}

/**
 * The keyword arguments of an operation message: the inputs and `__cloudify_context`. Inputs are shared with the plan,
 * so the caller must not change them.
 *
 * Compatibility: context version 0.3, as Python workers and plugins read it.
 *
 * @throws GraphError for a task that is not a remote operation
 */
export function operationKwargs(task: Task, environment: MessageEnvironment): JsonObject {
  if (task.action.kind !== 'remote') {
    throw new GraphError(`Task '${task.name}' (${task.id}) is not an operation: it has no message`);
  }
  const { call } = task.action;
  return { ...call.inputs, __cloudify_context: operationContext(task, call, environment) };
}

function operationContext(task: Task, call: RemoteCall, environment: MessageEnvironment): JsonObject {
  const { related } = call;
  const operation: JsonObject = {
    name: call.operation,
    retry_number: task.currentRetries,
    max_retries: task.policy.totalRetries,
  };
  const context: JsonObject = {
    __cloudify_context: '0.3',
    type: 'operation',
    task_id: task.id,
    task_name: call.taskName,
    node_id: call.instanceId,
    node_name: call.nodeId,
    host_id: call.hostId ?? null,
    timeout: call.timeout,
    timeout_recoverable: call.isTimeoutRecoverable,
    plugin: environment.plugin(call.plugin),
    operation,
    has_intrinsic_functions: call.hasIntrinsicFunctions,
    executor: call.executor,
    local: false,
  };
  if (related) {
    operation['relationship'] = related.isTarget ? 'source' : 'target';
    context['related'] = relatedField(related);
  }
  // spreading so many members into a literal takes the engine twenty times as long
  return Object.assign(context, environment.common);
}

function relatedField(related: RelatedInstance): JsonObject {
  return { node_id: related.instanceId, node_name: related.nodeId, is_target: related.isTarget };
}

/**
 * Reads an operation back from stored keyword arguments; the opposite of `operationKwargs`.
 *
 * @throws GraphError when the context lacks what a message needs
 */
export function parseOperationKwargs(kwargs: JsonObject): RemoteCall {
  const { __cloudify_context: context, ...inputs } = kwargs;
  if (!isObject(context)) {
    throw new GraphError('A stored operation has no __cloudify_context');
  }
  const plugin = isObject(context['plugin']) ? context['plugin'] : {};
  const operation = isObject(context['operation']) ? context['operation'] : {};
  return {
    taskName: text(context, 'task_name'),
    operation: text(operation, 'name'),
    instanceId: text(context, 'node_id'),
    nodeId: text(context, 'node_name'),
    hostId: optionalText(context['host_id']),
    plugin: {
      name: optionalText(plugin['name']) ?? '',
      package_name: optionalText(plugin['package_name']) ?? null,
      package_version: optionalText(plugin['package_version']) ?? null,
      source: optionalText(plugin['source']) ?? null,
    },
    executor: optionalText(context['executor']) ?? 'central_deployment_agent',
    inputs,
    hasIntrinsicFunctions: context['has_intrinsic_functions'] === true,
    timeout: typeof context['timeout'] === 'number' ? context['timeout'] : null,
    isTimeoutRecoverable: typeof context['timeout_recoverable'] === 'boolean' ? context['timeout_recoverable'] : null,
    related: parseRelated(context['related']),
  };
}

function parseRelated(related: unknown): RelatedInstance | undefined {
  return isObject(related)
    ? {
        instanceId: text(related, 'node_id'),
        nodeId: text(related, 'node_name'),
        isTarget: related['is_target'] === true,
      }
    : undefined;
}

function text(container: JsonObject, field: string): string {
  const value = container[field];
  if (typeof value !== 'string') {
    throw new GraphError(`A stored operation lacks '${field}' in its __cloudify_context`);
  }
  return value;
}

function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
