import type { NodeInstance } from '../../domain/topology.ts';
import type { Task } from '../../graph/task.ts';
import { handlerPaths } from '../names.ts';
import type { LifecycleBuilder } from './builder.ts';
import { installSubgraph } from './install.ts';
import { uninstallSubgraph } from './uninstall.ts';

/** Makes the subgraph that takes the place of a failed installation: uninstall what there is, install again. */
export function reinstallReplacement(builder: LifecycleBuilder, instance: NodeInstance, failed: Task): Task {
  const subgraph = builder.graph.subgraph(`reinstall_${instance.id}`, {
    currentRetries: failed.currentRetries + 1,
    retriedTaskId: failed.id,
    onFailure: { path: handlerPaths.subgraphOnFailure, instance_id: instance.id, on_retry: 'reinstall' },
  });
  const uninstall = uninstallSubgraph(builder, instance, { parent: subgraph, isFailureIgnored: false });
  const install = installSubgraph(builder, instance, { parent: subgraph, state: 'deleted' });
  builder.graph
    .sequence(subgraph)
    .add(builder.event(instance, 'Node lifecycle failed. Attempting to re-run node lifecycle'), uninstall, install);
  return subgraph;
}

/** Makes the subgraph that takes the place of a failed uninstallation. */
export function uninstallReplacement(builder: LifecycleBuilder, instance: NodeInstance, failed: Task): Task {
  return uninstallSubgraph(builder, instance, {
    isFailureIgnored: false,
    currentRetries: failed.currentRetries + 1,
    retriedTaskId: failed.id,
  });
}
