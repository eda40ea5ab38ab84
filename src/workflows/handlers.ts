import type { Json, JsonObject } from '../domain/plan.ts';
import type { Topology } from '../domain/topology.ts';
import type { HandlerCall, HandlerRegistry, TaskHandler, TaskOutcome, Verdict } from '../graph/handlers.ts';
import { isTruthy } from './drift.ts';
import { WorkflowRefused } from './errors.ts';
import { LifecycleBuilder } from './lifecycle/builder.ts';
import { reinstallReplacement, uninstallReplacement } from './lifecycle/reinstall.ts';
import { handlerPaths } from './names.ts';
import { viewOf } from './topology-view.ts';

/** What handlers need to know of the execution. */
export interface HandlerContext {
  readonly execution: { readonly id: string };
  readonly topology: Topology;
}

/** The handlers of the built-in workflows' tasks, for one execution. */
export function createHandlers(context: HandlerContext): HandlerRegistry {
  return new Map<string, TaskHandler>([
    [handlerPaths.subgraphOnFailure, (call) => retrySubgraph(call, context)],
    [handlerPaths.relationshipSubgraphOnFailure, () => ({ action: 'fail' })],
    [handlerPaths.ignoreWithEvent, ignoreWithEvent],
    [handlerPaths.ignoreTaskInCleanup, ignoreInCleanup],
    [handlerPaths.hostState, retryUntilHostRuns],
    [handlerPaths.healSucceeded, (call) => update(call, 'continue', markHealed)],
    [handlerPaths.healFailed, (call) => update(call, 'ignore', (p) => ({ ...p, heal_failed: context.execution.id }))],
    [handlerPaths.updateSucceeded, (call) => update(call, 'continue', (p) => ({ ...p, configuration_drift: null }))],
    [
      handlerPaths.updateFailed,
      (call) => update(call, 'ignore', (p) => ({ ...p, update_failed: context.execution.id })),
    ],
    [handlerPaths.statusSucceeded, (call) => recordStatus(call, 'continue')],
    [handlerPaths.statusFailed, (call) => recordStatus(call, 'fail')],
    [handlerPaths.statusFailedIgnored, (call) => recordStatus(call, 'ignore')],
    [handlerPaths.driftSucceeded, (call) => recordDrift(call, 'continue')],
    [handlerPaths.driftFailed, (call) => recordDrift(call, 'fail')],
    [handlerPaths.driftFailedIgnored, (call) => recordDrift(call, 'ignore')],
  ]);
}

/** A failed lifecycle subgraph is replaced by a new one, built from the state the instance is in now. */
function retrySubgraph(call: HandlerCall, context: HandlerContext): Verdict {
  const instance = context.topology.instances.get(textOf(call.reference['instance_id'], 'instance_id'));
  if (call.task.container || !instance) {
    return { action: 'fail' };
  }
  const view = viewOf(context.topology);
  const make = call.reference['on_retry'] === 'uninstall' ? uninstallReplacement : reinstallReplacement;
  return { action: 'retry', replacement: () => make(new LifecycleBuilder(call.graph, view), instance, call.task) };
}

function ignoreWithEvent(call: HandlerCall): Verdict {
  const instanceId = textOf(call.reference['instance_id'], 'instance_id');
  return {
    action: 'ignore',
    effects: [{ kind: 'node-event', instanceId, message: `Ignoring task ${call.task.name} failure` }],
  };
}

function ignoreInCleanup(): Verdict {
  return {
    action: 'ignore',
    effects: [{ kind: 'log', level: 'info', message: 'Ignoring task failure in cleanup' }],
  };
}

function retryUntilHostRuns(call: HandlerCall): Verdict {
  return call.outcome.isSuccess && isTruthy(call.outcome.result)
    ? { action: 'continue' }
    : { action: 'retry', ignoresTotalRetries: true };
}

function update(
  call: HandlerCall,
  action: Verdict['action'],
  change: (properties: JsonObject) => JsonObject,
  instanceId = textOf(infoOf(call)['instance_id'], 'instance_id'),
): Verdict {
  return { action, effects: [{ kind: 'system-properties', instanceId, update: change }] };
}

function markHealed(properties: JsonObject): JsonObject {
  return { ...properties, status: { ...objectOf(properties['status']), ok: true, task: null, healed: true } };
}

function recordStatus(call: HandlerCall, action: Verdict['action']): Verdict {
  const status = recordOf(call);
  return update(call, action, (properties) => ({
    ...properties,
    previous_status: properties['status'] ?? null,
    status,
  }));
}

/** The drift of an instance itself, of the source end, or of the target end of one of its relationships. */
function recordDrift(call: HandlerCall, action: Verdict['action']): Verdict {
  const record = recordOf(call);
  const { relationship_source: source, relationship_target: target } = infoOf(call);
  if (typeof source === 'string') {
    return update(call, action, addTo('target_relationships_configuration_drift', source, record));
  }
  if (typeof target === 'string') {
    return update(call, action, addTo('source_relationships_configuration_drift', target, record));
  }
  return update(call, action, (properties) => ({ ...properties, configuration_drift: record }));
}

function addTo(field: string, key: string, record: JsonObject): (properties: JsonObject) => JsonObject {
  return (properties) => ({ ...properties, [field]: { ...objectOf(properties[field]), [key]: record } });
}

function recordOf(call: HandlerCall): JsonObject {
  return {
    ok: call.outcome.isSuccess,
    timestamp: new Date(call.now).toISOString().slice(0, -1),
    task: call.task.name,
    result: resultOf(call.outcome),
  };
}

function resultOf(outcome: TaskOutcome): Json {
  return outcome.isSuccess ? (outcome.result ?? null) : outcome.error.message;
}

function infoOf(call: HandlerCall): JsonObject {
  return objectOf(call.task.info);
}

function objectOf(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function textOf(value: Json | undefined, name: string): string {
  if (typeof value !== 'string') {
    throw new WorkflowRefused(`A stored task handler lacks '${name}'`);
  }
  return value;
}
