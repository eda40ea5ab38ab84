import type { JsonObject } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import { pythonText } from '../domain/python-text.ts';
import type { Task } from '../graph/task.ts';
import type { WorkflowContext } from './context.ts';
import { LifecycleBuilder } from './lifecycle/builder.ts';
import { operationNames } from './names.ts';
import { booleanParameter, filterInstances, filterParameters, objectParameter, textParameter } from './parameters.ts';
import { viewOf } from './topology-view.ts';

interface OperationRun {
  readonly operation: string;
  readonly kwargs: JsonObject;
  readonly isOverrideAllowed: boolean;
  readonly isOrdered: boolean;
}

/** Runs one operation on the chosen instances that implement it. */
export async function executeOperation(context: WorkflowContext): Promise<undefined> {
  const { parameters } = context;
  await runOperation(context, {
    operation: textParameter(parameters, 'operation'),
    kwargs: objectParameter(parameters, 'operation_kwargs'),
    isOverrideAllowed: booleanParameter(parameters, 'allow_kwargs_override', false),
    isOrdered: booleanParameter(parameters, 'run_by_dependency_order', false),
  });
}

/** Runs the start operation of the chosen instances; their state does not change. */
export async function start(context: WorkflowContext): Promise<undefined> {
  await runLifecycleOperation(context, operationNames.start, 'operation_parms');
}

/** Runs the stop operation of the chosen instances; their state does not change. */
export async function stop(context: WorkflowContext): Promise<undefined> {
  await runLifecycleOperation(context, operationNames.stop, 'operation_parms');
}

/** Runs the pull operation of the chosen instances. */
export async function pull(context: WorkflowContext): Promise<undefined> {
  await runLifecycleOperation(context, operationNames.pull, 'operation_parms');
}

/** Runs all stop operations, then all start operations of the chosen instances. */
export async function restart(context: WorkflowContext): Promise<undefined> {
  await runLifecycleOperation(context, operationNames.stop, 'stop_parms');
  await runLifecycleOperation(context, operationNames.start, 'start_parms');
}

async function runLifecycleOperation(
  context: WorkflowContext,
  operation: string,
  kwargsParameter: string,
): Promise<void> {
  await runOperation(context, {
    operation,
    kwargs: objectParameter(context.parameters, kwargsParameter),
    isOverrideAllowed: true,
    isOrdered: booleanParameter(context.parameters, 'run_by_dependency_order', true),
  });
}

async function runOperation(context: WorkflowContext, run: OperationRun): Promise<void> {
  const chosen = filterInstances(context, filterParameters(context.parameters));
  await context.runGraph(`execute_operation_${run.operation}`, (graph) => {
    const builder = new LifecycleBuilder(graph, viewOf(context.topology));
    const subgraphs = new Map(chosen.map((instance) => [instance.id, addOperation(builder, instance, run)]));
    if (run.isOrdered) {
      orderAlongRelationships(builder, subgraphs);
    }
  });
}

function addOperation(builder: LifecycleBuilder, instance: NodeInstance, run: OperationRun): Task {
  const { operation, kwargs } = run;
  const subgraph = builder.graph.subgraph(instance.id);
  const given = Object.keys(kwargs).length > 0 ? ` (Operation parameters: ${pythonText(kwargs)})` : '';
  const steps = builder.operation(
    instance,
    operation,
    {
      before: () => [builder.event(instance, `Starting operation ${operation}${given}`)],
      after: () => [builder.event(instance, `Finished operation ${operation}`)],
    },
    { kwargs, isOverrideAllowed: run.isOverrideAllowed },
  );
  builder.graph.sequence(subgraph).add(...steps);
  return subgraph;
}

/**
 * Makes every instance wait for the targets of its relationships. Instances without a task get a stub, so that indirect
 * dependencies hold.
 *
 * @param tasks - instance id -> the task that stands for it; gets the stubs
 * @param direction - `down` turns the order round: targets wait for their sources
 */
export function orderAlongRelationships(
  builder: LifecycleBuilder,
  tasks: Map<string, Task>,
  direction: 'up' | 'down' = 'up',
): void {
  const taskOf = (instance: NodeInstance): Task => {
    let task = tasks.get(instance.id);
    if (!task) {
      task = builder.graph.add(builder.graph.noOp());
      tasks.set(instance.id, task);
    }
    return task;
  };
  for (const instance of builder.view.instances) {
    for (const relationship of builder.view.relationships(instance)) {
      const ends = [taskOf(instance), taskOf(relationship.target)] as const;
      const [later, earlier] = direction === 'up' ? ends : [ends[1], ends[0]];
      builder.graph.addDependency(later, earlier);
    }
  }
}
