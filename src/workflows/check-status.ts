import type { NodeInstance } from '../domain/topology.ts';
import type { Task } from '../graph/task.ts';
import type { GraphOptions, WorkflowContext } from './context.ts';
import { orderAlongRelationships } from './execute-operation.ts';
import { LifecycleBuilder } from './lifecycle/builder.ts';
import { handlerPaths, operationNames } from './names.ts';
import { booleanParameter, filterInstances, filterParameters } from './parameters.ts';
import { viewOf } from './topology-view.ts';

export interface CheckOptions {
  readonly instances: readonly NodeInstance[];
  readonly isOrdered: boolean;
  /** Whether a failed check lets what depends on it go on. */
  readonly isFailureIgnored: boolean;
}

/** Checks the status of the chosen instances, once each, and notes the results on them. */
export async function checkStatus(context: WorkflowContext): Promise<undefined> {
  const options: CheckOptions = {
    instances: filterInstances(context, filterParameters(context.parameters)),
    isOrdered: booleanParameter(context.parameters, 'run_by_dependency_order', false),
    isFailureIgnored: false,
  };
  await runStatusChecks(context, options, { taskRetries: 0 });
}

/** Runs the status checks of instances in the graph `check_status`. */
export async function runStatusChecks(
  context: WorkflowContext,
  options: CheckOptions,
  graphOptions: GraphOptions = {},
): Promise<void> {
  const onSuccess = { path: handlerPaths.statusSucceeded };
  const onFailure = { path: options.isFailureIgnored ? handlerPaths.statusFailedIgnored : handlerPaths.statusFailed };
  await context.runGraph(
    'check_status',
    (graph) => {
      const builder = new LifecycleBuilder(graph, viewOf(context.topology));
      const tasks = new Map<string, Task>();
      for (const instance of options.instances) {
        const task = builder.operations.ofNode(instance, operationNames.checkStatus, { onSuccess, onFailure });
        if (task) {
          task.info = { instance_id: instance.id };
          tasks.set(instance.id, graph.add(task));
        }
      }
      if (options.isOrdered) {
        orderAlongRelationships(builder, tasks);
      }
    },
    graphOptions,
  );
}
