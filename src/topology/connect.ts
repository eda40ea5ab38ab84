import { DslError } from '../dsl/errors.ts';
import type { Link, TopologyGraph, Vertex } from './graph.ts';
import { innermostSharedGroup } from './graph.ts';
import type { Instance, InstanceForest } from './instance-tree.ts';
import { containerInstance, groupInstance } from './instance-tree.ts';

/** The target all sources of an `all_to_one` relationship share already, or undefined when there is none yet. */
export type SharedTarget = (source: Vertex, link: Link) => string | undefined;

/** All-to-all relationships multiply; this many fit in memory, more are a mistake. */
const MAXIMUM_RELATIONSHIPS = 20_000_000;

/**
 * Gives the instances of a forest their relationships, in the order of the node's own.
 *
 * @throws DslError UnsupportedAllToOneInGroup; RuntimeError for more relationships than a deployment can have
 */
export function connectForest(graph: TopologyGraph, forest: InstanceForest, sharedTarget: SharedTarget): void {
  let total = 0;
  for (const source of graph.containersFirst) {
    const sources = forest.get(source.name) ?? [];
    for (const link of source.links) {
      total += link.isContainment
        ? linkContainers(link, sources)
        : linkPairs(graph, forest, source, link, sharedTarget);
      if (total > MAXIMUM_RELATIONSHIPS) {
        throw new DslError(
          'RuntimeError',
          `The deployment would have more than ${String(MAXIMUM_RELATIONSHIPS)} relationships between instances; ` +
            `reached at '${source.name}' -> '${link.target}'`,
        );
      }
    }
  }
}

function linkContainers(link: Link, sources: readonly Instance[]): number {
  for (const source of sources) {
    const container = containerInstance(source);
    if (container !== undefined) {
      source.relationships.push({ type: link.type, targetName: container.vertex.name, targetId: container.id });
    }
  }
  return sources.length;
}

function linkPairs(
  graph: TopologyGraph,
  forest: InstanceForest,
  source: Vertex,
  link: Link,
  sharedTarget: SharedTarget,
): number {
  const sources = forest.get(source.name) ?? [];
  const targets = forest.get(link.target) ?? [];
  const target = graph.vertices.get(link.target);
  if (sources.length === 0 || targets.length === 0 || target === undefined) {
    return 0;
  }
  const group = innermostSharedGroup(source, target);
  if (link.connection === 'all_to_one') {
    refuseGroup(source, link, group);
    return linkAll(link, sources, [oneTarget(targets, sharedTarget(source, link))]);
  }
  if (group === undefined) {
    return linkAll(link, sources, targets);
  }
  const targetsByGroup = new Map<Instance | undefined, Instance[]>();
  for (const instance of targets) {
    const around = groupInstance(instance, group);
    const siblings = targetsByGroup.get(around) ?? [];
    siblings.push(instance);
    targetsByGroup.set(around, siblings);
  }
  let count = 0;
  for (const instance of sources) {
    count += linkAll(link, [instance], targetsByGroup.get(groupInstance(instance, group)) ?? []);
  }
  return count;
}

function linkAll(link: Link, sources: readonly Instance[], targets: readonly Instance[]): number {
  const count = sources.length * targets.length;
  if (count > MAXIMUM_RELATIONSHIPS) {
    return count;
  }
  // Relationships are plain data that is never changed, so all sources share one object per target.
  const relationships = targets.map(({ id, vertex }) => ({ type: link.type, targetName: vertex.name, targetId: id }));
  for (const source of sources) {
    append(source.relationships, relationships);
  }
  return count;
}

/** In portions, because a call takes a limited number of arguments. */
function append<Item>(list: Item[], items: readonly Item[]): void {
  const portion = 10_000;
  for (let from = 0; from < items.length; from += portion) {
    list.push(...items.slice(from, from + portion));
  }
}

function refuseGroup(source: Vertex, link: Link, group: Vertex | undefined): void {
  if (group !== undefined) {
    throw new DslError(
      'UnsupportedAllToOneInGroup',
      `'all_to_one' connection type is not supported within groups, but the source node '${source.name}' and target ` +
        `node '${link.target}' are both in group '${group.name}'`,
    );
  }
}

function oneTarget(targets: readonly Instance[], wanted: string | undefined): Instance {
  const shared = wanted === undefined ? undefined : targets.find((target) => target.id === wanted);
  return shared ?? targets.reduce((least, target) => (target.id < least.id ? target : least));
}
