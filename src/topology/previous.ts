import type { NodeInstance } from '../domain/topology.ts';
import type { TopologyGraph, Vertex } from './graph.ts';
import { containerOf } from './graph.ts';

/** What is known of an instance that exists. */
export type PreviousInstance = Pick<NodeInstance, 'id' | 'nodeId' | 'hostId' | 'relationships' | 'scalingGroups'>;

/** An existing instance of a node or group, where it stands in the containment forest. */
export interface PreviousPlace {
  id: string;
  /** Name of the node or group. */
  name: string;
  isGroup: boolean;
  /** Id of the instance of the node or group it is contained in. */
  parentId: string | undefined;
  /** Only nodes have one: a group takes the host of what it is in. */
  hostId: string | undefined;
}

/** The instances of a deployment before it is changed, by what contains them. */
export class PreviousForest {
  readonly #places = new Map<string, PreviousPlace>();
  /** Places by node or group name, then by parent id. */
  readonly #byParent = new Map<string, Map<string | undefined, PreviousPlace[]>>();
  readonly #sharedTargets = new Map<string, Set<string>>();

  /** @param graph the nodes and groups as they were when the instances were created */
  constructor(graph: TopologyGraph, instances: readonly PreviousInstance[]) {
    for (const instance of instances) {
      this.#addInstance(graph.vertices.get(instance.nodeId), instance);
    }
  }

  get(id: string): PreviousPlace | undefined {
    return this.#places.get(id);
  }

  /** Existing instances of a node or group under one instance of its container; all of them for outermost ones. */
  under(vertex: Vertex, parentId: string | undefined): readonly PreviousPlace[] {
    const byParent = this.#byParent.get(vertex.name);
    if (byParent === undefined) {
      return [];
    }
    return vertex.parent === undefined ? [...byParent.values()].flat() : (byParent.get(parentId) ?? []);
  }

  /** The targets instances of a node have by one type of relationship to another node. */
  targets(source: string, target: string, type: string): ReadonlySet<string> {
    return this.#sharedTargets.get(JSON.stringify([source, target, type])) ?? new Set();
  }

  #addInstance(vertex: Vertex | undefined, instance: PreviousInstance): void {
    const { id, nodeId, hostId, scalingGroups } = instance;
    const container = vertex === undefined ? undefined : containerOf(vertex)?.name;
    const isContained = vertex?.links.some((link) => link.isContainment) === true || vertex?.parent?.isGroup === true;
    const containerId = isContained
      ? instance.relationships.find((relationship) => relationship.targetName === container)?.targetId
      : undefined;
    this.#add({ id, name: nodeId, isGroup: false, parentId: scalingGroups[0]?.id ?? containerId, hostId });
    scalingGroups.forEach((group, index) => {
      const parentId = scalingGroups[index + 1]?.id ?? containerId;
      if (!this.#places.has(group.id)) {
        this.#add({ id: group.id, name: group.name, isGroup: true, parentId, hostId: undefined });
      }
    });
    for (const { targetName, targetId, type } of instance.relationships) {
      const key = JSON.stringify([nodeId, targetName, type]);
      const targets = this.#sharedTargets.get(key);
      if (targets === undefined) {
        this.#sharedTargets.set(key, new Set([targetId]));
      } else {
        targets.add(targetId);
      }
    }
  }

  #add(place: PreviousPlace): void {
    this.#places.set(place.id, place);
    let byParent = this.#byParent.get(place.name);
    if (byParent === undefined) {
      byParent = new Map();
      this.#byParent.set(place.name, byParent);
    }
    const siblings = byParent.get(place.parentId);
    if (siblings === undefined) {
      byParent.set(place.parentId, [place]);
    } else {
      siblings.push(place);
    }
  }
}
