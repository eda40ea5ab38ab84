import type { NodeInstance } from '../../domain/topology.ts';
import type { SequenceStep } from '../../graph/sequence.ts';
import type { HandlerReference, Task } from '../../graph/task.ts';
import type { TasksGraph } from '../../graph/tasks-graph.ts';
import { handlerPaths } from '../names.ts';
import { Operations } from '../operations.ts';
import type { OperationOptions } from '../operations.ts';
import type { RelationshipInstance, TopologyView } from '../topology-view.ts';

export type Steps = readonly SequenceStep[];

/** What surrounds an operation if it is implemented. */
export interface Surroundings {
  readonly before?: () => Steps;
  readonly after?: () => Steps;
}

/** The words lifecycle sequences are written in. */
export class LifecycleBuilder {
  readonly graph: TasksGraph;
  readonly view: TopologyView;
  readonly operations: Operations;

  constructor(graph: TasksGraph, view: TopologyView) {
    this.graph = graph;
    this.view = view;
    this.operations = new Operations(graph, view);
  }

  /** The state of an instance now: what this graph has set, or else what the snapshot says. */
  stateOf(instance: NodeInstance): string {
    return this.graph.instanceStates.get(instance.id) ?? instance.state;
  }

  event(instance: NodeInstance, message: string): Task {
    return this.graph.nodeEvent(instance.id, message);
  }

  state(instance: NodeInstance, state: string): Task {
    return this.graph.setState(instance.id, state);
  }

  /** An operation between its events and states, or nothing if it is not implemented. */
  operation(instance: NodeInstance, name: string, around: Surroundings = {}, options: OperationOptions = {}): Steps {
    return this.surround(this.operations.ofNode(instance, name, options), around);
  }

  /** All relationship operations of one kind between their events, or nothing if none is implemented. */
  relationships(parent: Task, instance: NodeInstance, name: string, isReversed: boolean, around: Surroundings): Steps {
    return this.surround(this.#relationshipSubgraph(parent, instance, name, isReversed), around);
  }

  /** A task between its surroundings, or nothing without a task. */
  surround(task: Task | undefined, around: Surroundings): Steps {
    return task ? [...(around.before?.() ?? []), task, ...(around.after?.() ?? [])] : [];
  }

  /** The operations of both sides of a relationship that are implemented, source side first. */
  bothSides(relationship: RelationshipInstance, name: string): Task[] {
    const source = this.operations.ofSource(relationship, name);
    const target = this.operations.ofTarget(relationship, name);
    return [...(source ? [source] : []), ...(target ? [target] : [])];
  }

  /** Consecutive relationships to instances of one node run side by side, the groups one after the other. */
  #relationshipSubgraph(parent: Task, instance: NodeInstance, name: string, isReversed: boolean): Task | undefined {
    const groups: Task[][] = [];
    let targetNodeId: string | undefined;
    for (const relationship of this.view.relationships(instance)) {
      if (relationship.target.nodeId !== targetNodeId) {
        targetNodeId = relationship.target.nodeId;
        groups.push([]);
      }
      groups.at(-1)?.push(...this.bothSides(relationship, name));
    }
    const implemented = groups.filter((group) => group.length > 0);
    if (implemented.length === 0) {
      return undefined;
    }
    const subgraph = this.graph.subgraph(`${name}_subgraph`, {
      parent,
      onFailure: { path: handlerPaths.relationshipSubgraphOnFailure },
    });
    this.graph.sequence(subgraph).add(...(isReversed ? implemented.reverse() : implemented));
    return subgraph;
  }
}

/** Gives all operations of a subgraph, nested ones too, a failure handler. */
export function setFailureHandler(subgraph: Task, handler: HandlerReference): void {
  for (const task of subgraph.contents?.tasks ?? []) {
    if (task.contents) {
      setFailureHandler(task, handler);
    } else if (task.action.kind === 'remote') {
      task.onFailure = handler;
    }
  }
}

/** The handler that ignores a failure and tells so in an event of the instance. */
export function ignoringHandler(instance: NodeInstance): HandlerReference {
  return { path: handlerPaths.ignoreWithEvent, instance_id: instance.id };
}
