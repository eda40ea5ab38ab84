import type { NodeInstance } from '../../domain/topology.ts';
import type { TaskSequence } from '../../graph/sequence.ts';
import type { Task } from '../../graph/task.ts';
import { operationNames } from '../names.ts';
import type { RelationshipInstance } from '../topology-view.ts';
import { ignoringHandler } from './builder.ts';
import type { LifecycleBuilder } from './builder.ts';

/** Chooses relationships. */
export type RelationshipChoice = (relationship: RelationshipInstance) => boolean;

export interface OrderingInput {
  /** Instances that get a lifecycle subgraph. */
  readonly processed: readonly NodeInstance[];
  /** Instances that keep running; they get a stub that carries the order and their side of relationships. */
  readonly intact: readonly NodeInstance[];
  /** `up`: a target comes before its sources; `down`: the other way round. */
  readonly direction: 'up' | 'down';
  readonly makeSubgraph: (instance: NodeInstance) => Task | undefined;
  /** Whether intact instances run their relationship operations towards processed ones. */
  readonly hasIntactOperations?: boolean;
  /** Further relationships of intact instances to run the operations of. */
  readonly isModified?: RelationshipChoice;
}

/**
 * Adds a subgraph per instance and orders them along the relationships.
 *
 * Compatibility: Cloudify 7 dependencies between node instances, with two differences. A relationship that names a
 * lifecycle operation (`depends_on_lifecycle_operation`) keeps its order when that operation is not implemented, and
 * on the way down.
 */
export function addOrderedSubgraphs(builder: LifecycleBuilder, input: OrderingInput): void {
  new Ordering(builder, input).add();
}

class Ordering {
  readonly #builder: LifecycleBuilder;
  readonly #input: OrderingInput;
  readonly #subgraphs = new Map<string, Task>();
  readonly #processed: ReadonlySet<string>;
  readonly #intactSequences = new Map<string, TaskSequence>();
  readonly #phases = new Map<Task, ReadonlyMap<string, readonly Task[]>>();

  constructor(builder: LifecycleBuilder, input: OrderingInput) {
    this.#builder = builder;
    this.#input = input;
    this.#processed = new Set(input.processed.map((instance) => instance.id));
  }

  add(): void {
    const { processed, intact, makeSubgraph } = this.#input;
    for (const instance of processed) {
      this.#subgraphs.set(instance.id, makeSubgraph(instance) ?? this.#stub(instance));
    }
    for (const instance of intact) {
      this.#subgraphs.set(instance.id, this.#stub(instance));
    }
    for (const instance of processed) {
      this.#relationships(instance).forEach((relationship) => this.#order(relationship));
    }
    if (this.#input.hasIntactOperations === undefined) {
      return;
    }
    for (const instance of intact) {
      for (const relationship of this.#relationships(instance)) {
        this.#order(relationship);
        this.#addIntactOperations(relationship);
      }
    }
  }

  #stub(instance: NodeInstance): Task {
    return this.#builder.graph.subgraph(`stub_${instance.id}`);
  }

  #relationships(instance: NodeInstance): RelationshipInstance[] {
    const relationships = this.#builder.view.relationships(instance);
    return this.#input.direction === 'up' ? relationships : relationships.reverse();
  }

  #order(relationship: RelationshipInstance): void {
    const { graph } = this.#builder;
    const source = this.#subgraphs.get(relationship.source.id);
    const target = this.#subgraphs.get(relationship.target.id);
    if (!source || !target) {
      return;
    }
    if (this.#input.direction === 'down') {
      graph.addDependency(target, source);
      return;
    }
    const operation = relationship.definition?.properties['operation'];
    const phase = typeof operation === 'string' ? this.#phase(target, relationship.target, operation) : undefined;
    for (const task of phase ?? [target]) {
      graph.addDependency(source, task);
    }
  }

  /** The tasks that show that an instance has a lifecycle operation behind it. */
  #phase(subgraph: Task, instance: NodeInstance, operation: string): readonly Task[] | undefined {
    let phases = this.#phases.get(subgraph);
    if (!phases) {
      phases = findPhases(subgraph, instance);
      this.#phases.set(subgraph, phases);
    }
    return phases.get(operation);
  }

  #addIntactOperations(relationship: RelationshipInstance): void {
    const { source, target } = relationship;
    const isModified = this.#input.isModified?.(relationship) ?? false;
    const stub = this.#subgraphs.get(source.id);
    if (!stub || !this.#subgraphs.has(target.id) || (!this.#processed.has(target.id) && !isModified)) {
      return;
    }
    const isUp = this.#input.direction === 'up';
    const operations = this.#builder.bothSides(relationship, isUp ? operationNames.establish : operationNames.unlink);
    for (const task of operations) {
      task.onFailure = isUp ? undefined : ignoringHandler(source);
    }
    let sequence = this.#intactSequences.get(source.id);
    if (!sequence) {
      sequence = this.#builder.graph.sequence(stub);
      this.#intactSequences.set(source.id, sequence);
    }
    sequence.add(...operations);
  }
}

/** What an instance shows instead of an operation it does not implement. */
const substitutes = new Map([
  ['Precreating node instance: nothing to do', 'precreate'],
  ['Creating node instance: nothing to do', 'create'],
  ['Configuring node instance: nothing to do', 'configure'],
  ['Starting node instance: nothing to do', 'start'],
  ['Poststarting node instance: nothing to do', 'poststart'],
]);

function findPhases(subgraph: Task, instance: NodeInstance): ReadonlyMap<string, readonly Task[]> {
  const phases = new Map<string, readonly Task[]>();
  for (const task of subgraph.contents?.tasks ?? []) {
    if (task.action.kind === 'node-event') {
      const operation = substitutes.get(task.action.message);
      if (operation !== undefined) {
        phases.set(operation, [task]);
      }
    } else if (task.action.kind === 'remote' && task.action.call.instanceId === instance.id) {
      const { operation } = task.action.call;
      const separator = operation.lastIndexOf('.');
      if (operation.slice(0, separator) === 'cloudify.interfaces.lifecycle') {
        phases.set(operation.slice(separator + 1), task.dependents?.length ? [...task.dependents] : [task]);
      }
    }
  }
  return phases;
}
