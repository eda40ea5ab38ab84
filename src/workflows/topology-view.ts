import type { Node, NodeInstance, NodeInstanceRelationship, NodeRelationship, Topology } from '../domain/topology.ts';
import { WorkflowRefused } from './errors.ts';

/** A relationship between two instances with the relationship of their nodes it stands for. */
export interface RelationshipInstance {
  readonly source: NodeInstance;
  readonly target: NodeInstance;
  readonly type: string;
  readonly definition: NodeRelationship | undefined;
}

const containedIn = 'cloudify.relationships.contained_in';
const views = new WeakMap<Topology, TopologyView>();

/** The view of a topology; made once per snapshot. */
export function viewOf(topology: Topology): TopologyView {
  let view = views.get(topology);
  if (!view) {
    view = new TopologyView(topology);
    views.set(topology, view);
  }
  return view;
}

/** Answers the questions workflows ask about a topology. */
export class TopologyView {
  readonly topology: Topology;
  readonly #definitions = new Map<string, Map<string, NodeRelationship[]>>();
  #contained: Map<string, NodeInstance[]> | undefined;

  constructor(topology: Topology) {
    this.topology = topology;
  }

  /** All instances, in the order of the snapshot. */
  get instances(): NodeInstance[] {
    return [...this.topology.instances.values()];
  }

  /**
   * @throws WorkflowRefused when there is no such instance
   */
  instance(id: string): NodeInstance {
    const instance = this.topology.instances.get(id);
    if (!instance) {
      throw new WorkflowRefused(`No node instance with id \`${id}\` was found`);
    }
    return instance;
  }

  nodeOf(instance: NodeInstance): Node {
    const node = this.topology.nodes.get(instance.nodeId);
    if (!node) {
      throw new WorkflowRefused(
        `Node instance '${instance.id}' belongs to the node '${instance.nodeId}', which does not exist`,
      );
    }
    return node;
  }

  /** Whether the node maps the operation to something. */
  hasOperation(instance: NodeInstance, operation: string): boolean {
    return Boolean(this.nodeOf(instance).operations[operation]?.operation);
  }

  isCompute(instance: NodeInstance): boolean {
    return this.nodeOf(instance).typeHierarchy.includes('cloudify.nodes.Compute');
  }

  /**
   * Relationships of an instance in stored order; those whose target is gone are left out. Several relationships of
   * the same type to the same target stand for the relationships of the node in the order they are declared.
   */
  relationships(instance: NodeInstance): RelationshipInstance[] {
    const seen = new Map<string, number>();
    const result: RelationshipInstance[] = [];
    for (const relationship of instance.relationships) {
      const key = `${relationship.type}\n${relationship.targetId}`;
      const occurrence = seen.get(key) ?? 0;
      seen.set(key, occurrence + 1);
      const target = this.topology.instances.get(relationship.targetId);
      if (target) {
        const definition = this.#definitionOf(instance, relationship, occurrence);
        result.push({ source: instance, target, type: relationship.type, definition });
      }
    }
    return result;
  }

  /** The instance and everything contained in it, however deep. */
  containedSubtree(instance: NodeInstance): NodeInstance[] {
    const contained = (this.#contained ??= this.#indexContained());
    const subtree = new Set([instance]);
    for (const member of subtree) {
      contained.get(member.id)?.forEach((child) => subtree.add(child));
    }
    return [...subtree];
  }

  #indexContained(): Map<string, NodeInstance[]> {
    const contained = new Map<string, NodeInstance[]>();
    for (const instance of this.topology.instances.values()) {
      for (const relationship of this.relationships(instance)) {
        if (isContainment(relationship)) {
          const children = contained.get(relationship.target.id);
          if (children) {
            children.push(instance);
          } else {
            contained.set(relationship.target.id, [instance]);
          }
        }
      }
    }
    return contained;
  }

  #definitionOf(
    instance: NodeInstance,
    relationship: NodeInstanceRelationship,
    occurrence: number,
  ): NodeRelationship | undefined {
    let definitions = this.#definitions.get(instance.nodeId);
    if (!definitions) {
      definitions = indexDefinitions(this.nodeOf(instance).relationships);
      this.#definitions.set(instance.nodeId, definitions);
    }
    const candidates = definitions.get(`${relationship.type}\n${relationship.targetName}`);
    return candidates?.[Math.min(occurrence, candidates.length - 1)];
  }
}

function indexDefinitions(relationships: readonly NodeRelationship[]): Map<string, NodeRelationship[]> {
  const definitions = new Map<string, NodeRelationship[]>();
  for (const relationship of relationships) {
    const key = `${relationship.type}\n${relationship.targetId}`;
    const sameKey = definitions.get(key);
    if (sameKey) {
      sameKey.push(relationship);
    } else {
      definitions.set(key, [relationship]);
    }
  }
  return definitions;
}

function isContainment(relationship: RelationshipInstance): boolean {
  return relationship.type === containedIn || (relationship.definition?.typeHierarchy.includes(containedIn) ?? false);
}
