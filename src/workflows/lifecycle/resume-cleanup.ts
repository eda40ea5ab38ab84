import type { NodeInstance } from '../../domain/topology.ts';
import { transientInfo } from '../../graph/restore.ts';
import type { Task } from '../../graph/task.ts';
import { handlerPaths, operationNames } from '../names.ts';
import { setFailureHandler } from './builder.ts';
import type { LifecycleBuilder, Steps } from './builder.ts';
import { postdeleteSteps, prestopSteps } from './uninstall.ts';

/**
 * Adds to a restored install graph what undoes operations that broke off and are about to run again: stop before
 * start, delete before create. The cleanup of an instance runs before its installation goes on and cannot fail it; one
 * that had begun when the graph was left goes on instead.
 *
 * Compatibility: Cloudify 7 resume of installations.
 */
export function addResumeCleanup(builder: LifecycleBuilder, instances: readonly NodeInstance[]): void {
  const subgraphs = new Map<string, Task>();
  for (const task of builder.graph.tasks.values()) {
    if (task.action.kind === 'subgraph') {
      subgraphs.set(task.name, task);
    }
  }
  for (const instance of instances) {
    const installation = subgraphs.get(`install_${instance.id}`);
    const steps =
      installation && !subgraphs.has(cleanupName(instance)) ? cleanupSteps(builder, instance, installation) : [];
    if (installation && steps.length > 0) {
      runBefore(builder, instance, installation, steps);
    }
  }
}

function cleanupName(instance: NodeInstance): string {
  return `resume_cleanup_${instance.id}`;
}

function cleanupSteps(builder: LifecycleBuilder, instance: NodeInstance, installation: Task): Steps {
  if (instance.state === 'starting' && isAboutToRun(installation, operationNames.start)) {
    return [
      ...prestopSteps(builder, instance),
      ...builder.operation(instance, operationNames.stop, {
        after: () => [builder.event(instance, 'Stopped node instance')],
      }),
    ];
  }
  if (instance.state === 'creating' && isAboutToRun(installation, operationNames.create)) {
    return [
      ...builder.operation(instance, operationNames.delete, {
        before: () => [builder.event(instance, 'Deleting node instance')],
        after: () => [builder.event(instance, 'Deleted node instance')],
      }),
      ...postdeleteSteps(builder, instance),
    ];
  }
  return [];
}

function isAboutToRun(installation: Task, operation: string): boolean {
  for (const task of installation.contents?.tasks ?? []) {
    if (task.action.kind === 'remote' && task.action.call.operation === operation) {
      return task.state === 'pending';
    }
  }
  return false;
}

function runBefore(builder: LifecycleBuilder, instance: NodeInstance, installation: Task, steps: Steps): void {
  const { graph } = builder;
  const cleanup = graph.subgraph(cleanupName(instance), { parent: installation.container });
  graph
    .sequence(cleanup)
    .add(
      builder.event(instance, 'Rolling back prior to resuming install'),
      ...steps,
      builder.event(instance, 'Finished rolling back, now resuming install'),
    );
  cleanup.info = { name: cleanup.name, ...transientInfo(cleanup, installation) };
  setFailureHandler(cleanup, { path: handlerPaths.ignoreTaskInCleanup });
  for (const dependency of installation.dependencies ?? []) {
    graph.addDependency(cleanup, dependency);
  }
  graph.addDependency(installation, cleanup);
}
