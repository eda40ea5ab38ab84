import type { NodeInstance } from '../../domain/topology.ts';
import type { Task } from '../../graph/task.ts';
import { handlerPaths, operationNames } from '../names.ts';
import { ignoringHandler, setFailureHandler } from './builder.ts';
import type { LifecycleBuilder, Steps } from './builder.ts';
import { hostPreStop } from './hosts.ts';

export interface UninstallOptions {
  readonly parent?: Task | undefined;
  /** Whether a failed operation is skipped instead of making the uninstallation fail. */
  readonly isFailureIgnored: boolean;
  readonly currentRetries?: number;
  readonly retriedTaskId?: string;
}

const notRunning = new Set(['stopped', 'deleting', 'deleted', 'uninitialized', 'configured']);
const stoppedBefore = new Set(['stopped', 'deleting', 'deleted']);
const notCreated = new Set(['deleted', 'uninitialized']);

/**
 * Adds the subgraph that uninstalls an instance; which parts are left out is decided by its state.
 *
 * Compatibility: Cloudify 7 uninstall sequence, its events and states.
 */
export function uninstallSubgraph(builder: LifecycleBuilder, instance: NodeInstance, options: UninstallOptions): Task {
  const state = builder.stateOf(instance);
  const subgraph = builder.graph.subgraph(instance.id, {
    parent: options.parent,
    currentRetries: options.currentRetries ?? 0,
    ...(options.retriedTaskId === undefined ? {} : { retriedTaskId: options.retriedTaskId }),
    onFailure: options.isFailureIgnored
      ? undefined
      : { path: handlerPaths.subgraphOnFailure, instance_id: instance.id, on_retry: 'uninstall' },
  });
  const steps = [
    ...(notRunning.has(state)
      ? [
          builder.event(instance, 'Validating node instance after deletion: nothing to do'),
          builder.event(instance, `Stop: instance already ${state}`),
        ]
      : stopSteps(builder, instance)),
    ...(stoppedBefore.has(state) ? [] : [builder.state(instance, 'stopped')]),
    ...(notCreated.has(state)
      ? [builder.event(instance, `Delete: instance already ${state}`)]
      : deletionSteps(builder, instance, subgraph)),
    ...(state === 'deleted'
      ? []
      : [[builder.state(instance, 'deleted'), builder.event(instance, 'Deleted node instance')]]),
  ];
  builder.graph.sequence(subgraph).add(...steps);
  if (options.isFailureIgnored) {
    setFailureHandler(subgraph, ignoringHandler(instance));
  }
  return subgraph;
}

/** Stopping a running instance, up to its stop operation. */
export function stopSteps(builder: LifecycleBuilder, instance: NodeInstance): Steps {
  const event = (message: string): Task => builder.event(instance, message);
  const validation = builder.operation(instance, operationNames.validateDelete, {
    before: () => [event('Validating node instance before deletion')],
    after: () => [event('Node instance validated before deletion')],
  });
  const stop = builder.operation(instance, operationNames.stop, { after: () => [event('Stopped node instance')] });
  return [
    [builder.state(instance, 'stopping'), event('Stopping node instance')],
    ...(validation.length > 0 ? validation : [event('Validating node instance after deletion: nothing to do')]),
    ...builder.operation(instance, operationNames.monitoringStop),
    ...prestopSteps(builder, instance),
    ...(stop.length > 0 ? stop : [event('Stopped node instance: nothing to do')]),
  ];
}

/** What comes before the stop operation of an instance. */
export function prestopSteps(builder: LifecycleBuilder, instance: NodeInstance): Steps {
  return [
    ...builder.operation(instance, operationNames.prestop, {
      before: () => [builder.event(instance, 'Prestopping node instance')],
      after: () => [builder.event(instance, 'Node instance prestopped')],
    }),
    ...(builder.view.isCompute(instance) ? hostPreStop(builder, instance) : []),
  ];
}

/** Deleting a stopped instance, from unlinking its relationships to its postdelete operation. */
export function deletionSteps(builder: LifecycleBuilder, instance: NodeInstance, subgraph: Task): Steps {
  const event = (message: string): Task => builder.event(instance, message);
  const deletion = builder.operation(instance, operationNames.delete, {
    before: () => [[builder.state(instance, 'deleting'), event('Deleting node instance')]],
  });
  return [
    ...builder.relationships(subgraph, instance, operationNames.unlink, true, {
      before: () => [event('Unlinking relationships')],
      after: () => [event('Relationships unlinked')],
    }),
    ...(deletion.length > 0 ? deletion : [event('Deleting node instance: nothing to do')]),
    ...postdeleteSteps(builder, instance),
  ];
}

export function postdeleteSteps(builder: LifecycleBuilder, instance: NodeInstance): Steps {
  return builder.operation(instance, operationNames.postdelete, {
    before: () => [builder.event(instance, 'Postdeleting node instance')],
    after: () => [builder.event(instance, 'Node instance postdeleted')],
  });
}
