import type { JsonObject } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import type { Task } from '../graph/task.ts';
import type { CheckOptions } from './check-status.ts';
import type { WorkflowContext } from './context.ts';
import { orderAlongRelationships } from './execute-operation.ts';
import { LifecycleBuilder } from './lifecycle/builder.ts';
import { handlerPaths, operationNames } from './names.ts';
import type { OperationOptions } from './operations.ts';
import { booleanParameter, filterInstances, filterParameters } from './parameters.ts';
import { viewOf } from './topology-view.ts';

/** Checks whether the chosen instances and their relationships are as they should be, and notes the results on them. */
export async function checkDrift(context: WorkflowContext): Promise<undefined> {
  await runDriftChecks(context, 'check_drift', {
    instances: filterInstances(context, filterParameters(context.parameters)),
    isOrdered: booleanParameter(context.parameters, 'run_by_dependency_order', true),
    isFailureIgnored: false,
  });
}

/** Runs the drift checks of instances: the own one first, then those of both ends of their relationships. */
export async function runDriftChecks(context: WorkflowContext, name: string, options: CheckOptions): Promise<void> {
  const handlers: OperationOptions = {
    onSuccess: { path: handlerPaths.driftSucceeded },
    onFailure: { path: options.isFailureIgnored ? handlerPaths.driftFailedIgnored : handlerPaths.driftFailed },
  };
  await context.runGraph(name, (graph) => {
    const builder = new LifecycleBuilder(graph, viewOf(context.topology));
    const tasks = new Map<string, Task>();
    for (const instance of options.instances) {
      tasks.set(instance.id, addChecks(builder, instance, handlers));
    }
    if (options.isOrdered) {
      orderAlongRelationships(builder, tasks);
    }
  });
}

/** Adds the checks of an instance; answers with the task of its own check, or what stands for it. */
function addChecks(builder: LifecycleBuilder, instance: NodeInstance, handlers: OperationOptions): Task {
  const { graph, operations, view } = builder;
  const own = operations.ofNode(instance, operationNames.checkDrift, handlers);
  const first = graph.add(own ?? graph.noOp());
  first.info = { instance_id: instance.id };
  const add = (task: Task | undefined, info: JsonObject): void => {
    if (task) {
      task.info = info;
      graph.addDependency(graph.add(task), first);
    }
  };
  for (const relationship of view.relationships(instance)) {
    const { target } = relationship;
    add(operations.ofSource(relationship, operationNames.checkRelationshipDrift, handlers), {
      instance_id: instance.id,
      relationship_target: target.id,
    });
    add(operations.ofTarget(relationship, operationNames.checkRelationshipDrift, handlers), {
      instance_id: target.id,
      relationship_source: instance.id,
    });
  }
  return first;
}
