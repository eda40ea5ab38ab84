import type { NodeInstance } from '../../domain/topology.ts';
import type { TaskSequence } from '../../graph/sequence.ts';
import { Task } from '../../graph/task.ts';
import type { TasksGraph } from '../../graph/tasks-graph.ts';
import { WorkflowRefused } from '../../workflows/errors.ts';
import { orderAlongRelationships } from '../../workflows/execute-operation.ts';
import { ignoringHandler, LifecycleBuilder } from '../../workflows/lifecycle/builder.ts';
import type { TopologyView } from '../../workflows/topology-view.ts';
import type {
  OperationOptions,
  RelationshipInstance,
  WorkflowGraph,
  WorkflowSequence,
  WorkflowStep,
  WorkflowTask,
} from '../workflow-sdk.ts';

/** The graph that a workflow function of a plugin builds, over the tasks graph of the engine. */
export class GraphBuilder implements WorkflowGraph {
  readonly #graph: TasksGraph;
  readonly #builder: LifecycleBuilder;

  constructor(graph: TasksGraph, view: TopologyView) {
    this.#graph = graph;
    this.#builder = new LifecycleBuilder(graph, view);
  }

  operation(instance: NodeInstance, name: string, options: OperationOptions = {}): Task | undefined {
    const known = this.#known(instance);
    return this.#builder.operations.ofNode(known, name, engineOptions(known, options));
  }

  sourceOperation(relationship: RelationshipInstance, name: string, options: OperationOptions = {}): Task | undefined {
    const { source } = relationship;
    return this.#builder.operations.ofSource(relationship, name, engineOptions(source, options));
  }

  targetOperation(relationship: RelationshipInstance, name: string, options: OperationOptions = {}): Task | undefined {
    const { target } = relationship;
    return this.#builder.operations.ofTarget(relationship, name, engineOptions(target, options));
  }

  setState(instance: NodeInstance, state: string): Task {
    return this.#graph.setState(this.#known(instance).id, state);
  }

  event(instance: NodeInstance, message: string): Task {
    return this.#graph.nodeEvent(this.#known(instance).id, message);
  }

  subgraph(name: string, parent?: WorkflowTask): Task {
    return this.#graph.subgraph(name, parent === undefined ? {} : { parent: taskOf(parent) });
  }

  sequence(container?: WorkflowTask): WorkflowSequence {
    return new Steps(this.#graph.sequence(container === undefined ? undefined : taskOf(container)));
  }

  add(task: WorkflowTask, container?: WorkflowTask): Task {
    return this.#graph.add(taskOf(task), container === undefined ? undefined : taskOf(container));
  }

  addDependency(task: WorkflowTask, dependency: WorkflowTask): void {
    this.#graph.addDependency(taskOf(task), taskOf(dependency));
  }

  alongDependencies(
    instances: readonly NodeInstance[],
    fill: (instance: NodeInstance, steps: WorkflowSequence) => void,
    direction: 'up' | 'down' = 'up',
  ): void {
    const subgraphs = new Map<string, Task>();
    for (const given of instances) {
      const instance = this.#known(given);
      const subgraph = this.subgraph(instance.id);
      fill(instance, this.sequence(subgraph));
      subgraphs.set(instance.id, subgraph);
    }
    orderAlongRelationships(this.#builder, subgraphs, direction);
  }

  /** @throws WorkflowRefused for what is no node instance of the topology */
  #known(instance: NodeInstance | undefined): NodeInstance {
    return this.#builder.view.instance(String(instance?.id));
  }
}

class Steps implements WorkflowSequence {
  readonly #sequence: TaskSequence;

  constructor(sequence: TaskSequence) {
    this.#sequence = sequence;
  }

  add(...steps: readonly WorkflowStep[]): this {
    for (const step of steps) {
      const tasks = isSeveral(step) ? step : [step];
      this.#sequence.add(tasks.flatMap((task) => (task === undefined ? [] : taskOf(task))));
    }
    return this;
  }
}

function isSeveral(step: WorkflowStep): step is readonly (WorkflowTask | undefined)[] {
  return Array.isArray(step);
}

/** @throws WorkflowRefused for what was not made by a graph */
function taskOf(task: WorkflowTask): Task {
  if (task instanceof Task) {
    return task;
  }
  throw new WorkflowRefused(
    'This is no task of the graph. An operation that is not implemented has none: add it to a sequence, which skips it',
  );
}

function engineOptions(
  instance: NodeInstance,
  { inputs, override, onFailure }: OperationOptions,
): Parameters<LifecycleBuilder['operations']['ofNode']>[2] {
  return {
    kwargs: inputs,
    isOverrideAllowed: override === true,
    ...(onFailure === 'ignore' ? { onFailure: ignoringHandler(instance) } : {}),
  };
}
