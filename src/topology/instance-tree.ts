import type { NodeInstanceRelationship } from '../domain/topology.ts';
import { DslError } from '../dsl/errors.ts';
import type { TopologyGraph, Vertex } from './graph.ts';
import type { InstanceIds } from './instance-ids.ts';

/** An instance of a node or of a scaling group. */
export interface Instance {
  readonly id: string;
  readonly vertex: Vertex;
  readonly parent: Instance | undefined;
  /** The instance of the host it is on. */
  readonly hostId: string | undefined;
  readonly isNew: boolean;
  readonly relationships: NodeInstanceRelationship[];
}

/** A node instance as topology functions give it out. */
export interface TopologyInstance {
  id: string;
  nodeId: string;
  hostId: string | undefined;
  /** Groups the instance is a direct member of, innermost first; empty for one that is only contained in members. */
  scalingGroups: { name: string; id: string }[];
  relationships: NodeInstanceRelationship[];
}

/** More than a deployment can have; counts multiply along containment, so a few digits too many get far. */
const MAXIMUM_INSTANCES = 2_000_000;

/** An instance that stays, by its id. */
export interface Survivor {
  id: string;
  hostId: string | undefined;
}

/** Says how many instances a vertex has under one instance of its parent. */
export type Census = (
  vertex: Vertex,
  parent: Instance | undefined,
) => { survivors: readonly Survivor[]; added: number };

/** Instances by vertex name; containers come before what they contain. */
export type InstanceForest = ReadonlyMap<string, readonly Instance[]>;

/**
 * Creates the instances of all nodes and groups, from the containers inwards.
 *
 * Compatibility: a host within a host has the outer one's instance as its host.
 *
 * @throws DslError RuntimeError for more instances than a deployment can have
 */
export function growForest(graph: TopologyGraph, census: Census, ids: InstanceIds): InstanceForest {
  const forest = new Map<string, Instance[]>();
  let total = 0;
  for (const vertex of graph.containersFirst) {
    const parents = vertex.parent === undefined ? [undefined] : (forest.get(vertex.parent.name) ?? []);
    const plans = parents.map((parent) => ({ parent, ...census(vertex, parent) }));
    total += plans.reduce((sum, { survivors, added }) => sum + survivors.length + Math.max(added, 0), 0);
    if (total > MAXIMUM_INSTANCES) {
      throw new DslError(
        'RuntimeError',
        `The deployment would have more than ${String(MAXIMUM_INSTANCES)} node instances; reached at '${vertex.name}'`,
      );
    }
    const instances: Instance[] = [];
    for (const { parent, survivors, added } of plans) {
      for (const { id, hostId } of survivors) {
        instances.push({ id, vertex, parent, hostId: hostId ?? parent?.hostId, isNew: false, relationships: [] });
      }
      for (let number = 0; number < added; number += 1) {
        const id = ids.next(vertex.name);
        const hostId = parent?.hostId ?? (vertex.hostId === vertex.name ? id : undefined);
        instances.push({ id, vertex, parent, hostId, isNew: true, relationships: [] });
      }
    }
    forest.set(vertex.name, instances);
  }
  return forest;
}

/** The node instance that contains an instance, whatever group instances are between them. */
export function containerInstance(instance: Instance): Instance | undefined {
  let parent = instance.parent;
  while (parent?.vertex.isGroup === true) {
    parent = parent.parent;
  }
  return parent;
}

/** The instance of a group around a node instance. */
export function groupInstance(instance: Instance, group: Vertex): Instance | undefined {
  let parent = instance.parent;
  while (parent !== undefined && parent.vertex !== group) {
    parent = parent.parent;
  }
  return parent;
}

/** What is told of an instance; its relationships are its own list. */
export function describeInstance(instance: Instance): TopologyInstance {
  const scalingGroups: { name: string; id: string }[] = [];
  for (let parent = instance.parent; parent?.vertex.isGroup === true; parent = parent.parent) {
    scalingGroups.push({ name: parent.vertex.name, id: parent.id });
  }
  const { id, vertex, hostId, relationships } = instance;
  return { id, nodeId: vertex.name, hostId, scalingGroups, relationships };
}
