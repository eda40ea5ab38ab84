import type { RandomSource } from '../domain/clock.ts';
import { DslError } from '../dsl/errors.ts';
import { connectForest } from './connect.ts';
import type { Modification } from './difference.ts';
import { differenceOf } from './difference.ts';
import type { Link, TopologyGroup, TopologyNode, Vertex } from './graph.ts';
import { buildTopologyGraph } from './graph.ts';
import { InstanceIds } from './instance-ids.ts';
import type { Instance, TopologyInstance } from './instance-tree.ts';
import { describeInstance, growForest } from './instance-tree.ts';
import type { PreviousInstance, PreviousPlace } from './previous.ts';
import { PreviousForest } from './previous.ts';

/** How many instances a node or group shall have. */
export interface CountChange {
  /** The total per instance of the container. */
  instances: number;
  /** Instances to remove first; one in a group instance stands for the group instance when the group is scaled. */
  removedIdsIncludeHint?: readonly string[] | undefined;
  /** Instances to remove last. */
  removedIdsExcludeHint?: readonly string[] | undefined;
}

/** A change of a deployed topology. */
export interface ModifyRequest {
  nodes: readonly TopologyNode[];
  groups: readonly TopologyGroup[];
  /** The nodes as they are deployed; the same as `nodes` when a deployment is scaled. */
  previousNodes: readonly TopologyNode[];
  previousInstances: readonly PreviousInstance[];
  /** By node or group name. */
  changes: ReadonlyMap<string, CountChange>;
  random: RandomSource;
}

/**
 * Works out which instances come, go, or change their relationships when nodes or groups get another number of
 * instances, or when nodes are added and removed. Nodes that are not in `changes` never lose instances, except those
 * whose container goes.
 *
 * @throws DslError when the new topology cannot be deployed
 */
export function modifyTopology(request: ModifyRequest): Modification {
  return differenceOf(request.previousInstances, instancesAfter(request));
}

/**
 * All instances a deployment has after a change.
 *
 * @throws DslError when the new topology cannot be deployed
 */
export function instancesAfter(request: ModifyRequest): TopologyInstance[] {
  const { nodes, groups, previousNodes, previousInstances, changes, random } = request;
  const graph = buildTopologyGraph(nodes, groups);
  const previous = new PreviousForest(buildTopologyGraph(previousNodes, groups), previousInstances);
  const ids = new InstanceIds(random);
  for (const instance of previousInstances) {
    ids.reserve(instance.nodeId, instance.id);
    for (const group of instance.scalingGroups) {
      ids.reserve(group.name, group.id);
    }
  }
  const forest = growForest(graph, (vertex, parent) => census(vertex, parent, changes.get(vertex.name), previous), ids);
  connectForest(graph, forest, (source, link) => sharedTarget(source, link, previous));
  return nodes.flatMap((node) => (forest.get(node.id) ?? []).map(describeInstance));
}

function census(
  vertex: Vertex,
  parent: Instance | undefined,
  change: CountChange | undefined,
  previous: PreviousForest,
): { survivors: readonly PreviousPlace[]; added: number } {
  const existing = parent?.isNew === true ? [] : previous.under(vertex, parent?.id);
  const wanted = Math.trunc(change?.instances ?? vertex.count);
  if (change === undefined || wanted >= existing.length) {
    return { survivors: existing, added: wanted - existing.length };
  }
  return { survivors: survivorsOf(existing, Math.max(wanted, 0), change, previous), added: 0 };
}

/** Chooses who stays: those to remove first go first, the youngest of the others next, those to keep last. */
function survivorsOf(
  existing: readonly PreviousPlace[],
  wanted: number,
  change: CountChange,
  previous: PreviousForest,
): PreviousPlace[] {
  const candidates = new Map(existing.map((place) => [place.id, place]));
  const included = hinted(change.removedIdsIncludeHint, candidates, previous);
  const excluded = hinted(change.removedIdsExcludeHint, candidates, previous);
  const youngestFirst = [...candidates.keys()].reverse();
  const inOrder = [
    ...included,
    ...youngestFirst.filter((id) => !included.has(id) && !excluded.has(id)),
    ...youngestFirst.filter((id) => !included.has(id) && excluded.has(id)),
  ];
  const removed = new Set(inOrder.slice(0, existing.length - wanted));
  return existing.filter((place) => !removed.has(place.id));
}

function hinted(
  hints: readonly string[] | undefined,
  candidates: ReadonlyMap<string, PreviousPlace>,
  previous: PreviousForest,
): Set<string> {
  const found = new Set<string>();
  for (const hint of hints ?? []) {
    if (candidates.has(hint)) {
      found.add(hint);
      continue;
    }
    const seen = new Set<string>();
    for (let place = previous.get(hint); place !== undefined && !seen.has(place.id);) {
      seen.add(place.id);
      if (place.isGroup && candidates.has(place.id)) {
        found.add(place.id);
      }
      place = place.parentId === undefined ? undefined : previous.get(place.parentId);
    }
  }
  return found;
}

function sharedTarget(source: Vertex, link: Link, previous: PreviousForest): string | undefined {
  const targets = previous.targets(source.name, link.target, link.type);
  if (targets.size > 1) {
    throw new DslError(
      'IllegalAllToOneState',
      `Expected exactly one target id for relationship ${source.name}->${link.target} of type '${link.type}', but ` +
        `instances are related to ${[...targets].join(', ')}`,
    );
  }
  return [...targets][0];
}
