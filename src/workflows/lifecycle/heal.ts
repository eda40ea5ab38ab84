import type { NodeInstance } from '../../domain/topology.ts';
import type { Task } from '../../graph/task.ts';
import { handlerPaths, operationNames } from '../names.ts';
import type { LifecycleBuilder } from './builder.ts';

/** Adds the subgraph that heals an instance; a failure is noted on the instance and goes no further. */
export function healSubgraph(builder: LifecycleBuilder, instance: NodeInstance): Task {
  const subgraph = builder.graph.subgraph(`heal_${instance.id}`, {
    info: { instance_id: instance.id },
    onSuccess: { path: handlerPaths.healSucceeded },
    onFailure: { path: handlerPaths.healFailed },
  });
  builder.graph
    .sequence(subgraph)
    .add(
      builder.event(instance, 'Healing node instance'),
      ...builder.operation(instance, operationNames.preheal),
      ...builder.operation(instance, operationNames.heal),
      ...builder.operation(instance, operationNames.postheal),
      builder.event(instance, 'Node instance healed'),
    );
  return subgraph;
}
