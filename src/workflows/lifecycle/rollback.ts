import type { NodeInstance } from '../../domain/topology.ts';
import type { Task } from '../../graph/task.ts';
import { ignoringHandler, setFailureHandler } from './builder.ts';
import type { LifecycleBuilder } from './builder.ts';
import { deletionSteps, stopSteps } from './uninstall.ts';

/** States an instance is left in when its installation breaks off. */
export const unresolvedStates: ReadonlySet<string> = new Set(['creating', 'configuring', 'starting']);

/**
 * Adds the subgraph that brings an instance back to the last state it had reached for good.
 *
 * Compatibility: Cloudify 7 rollback sequence, its events and states.
 */
export function rollbackSubgraph(builder: LifecycleBuilder, instance: NodeInstance, isFailureIgnored: boolean): Task {
  const state = builder.stateOf(instance);
  const subgraph = builder.graph.subgraph(instance.id);
  const event = (message: string): Task => builder.event(instance, message);
  const isCreating = state === 'creating' || state === 'configuring';
  builder.graph
    .sequence(subgraph)
    .add(
      ...(state === 'starting'
        ? [...stopSteps(builder, instance), builder.state(instance, 'configured')]
        : [
            event('Validating node instance after deletion: nothing to do'),
            event(`Rollback Stop: nothing to do, instance state is ${state}`),
          ]),
      ...(isCreating
        ? [...deletionSteps(builder, instance, subgraph), builder.state(instance, 'uninitialized')]
        : [event(`Rollback Delete: nothing to do, instance state is ${state}`)]),
      ...(unresolvedStates.has(state) ? [event('Rollbacked node instance')] : []),
    );
  if (isFailureIgnored) {
    setFailureHandler(subgraph, ignoringHandler(instance));
  }
  return subgraph;
}
