import type { Json } from '../domain/plan.ts';
import { DslError } from '../dsl/errors.ts';

/** What expansion needs to know of a relationship of a node. */
export interface TopologyRelationship {
  type: string;
  targetId: string;
  typeHierarchy: readonly string[];
  /** `all_to_all` or `all_to_one`; only looked at when the relationship is no containment. */
  connectionType: Json | undefined;
}

/** What expansion needs to know of a node. */
export interface TopologyNode {
  id: string;
  /** The node that is the host of this one, by the plan; a host's own id. */
  hostId?: string | undefined;
  /** Instances per instance of the container. */
  count: Json;
  relationships: readonly TopologyRelationship[];
}

/** What expansion needs to know of a scaling group. */
export interface TopologyGroup {
  name: string;
  members: readonly string[];
  count: Json;
}

/** A node or a scaling group among those it contains and is contained in. */
export interface Vertex {
  readonly name: string;
  readonly isGroup: boolean;
  readonly hostId: string | undefined;
  readonly count: number;
  /** What it is contained in: a node, or the scaling group it is a member of. */
  parent: Vertex | undefined;
  readonly children: Vertex[];
  /** Relationships that become relationships of instances, in order; a node is related to a target at most once. */
  readonly links: Link[];
}

/** A relationship of a node that instances get. */
export interface Link {
  type: string;
  target: string;
  isContainment: boolean;
  /** Every instance to every other, or all to the same one; containment links have none. */
  connection: 'all_to_all' | 'all_to_one' | undefined;
}

/** Nodes and scaling groups, containers before what they contain. */
export interface TopologyGraph {
  readonly vertices: ReadonlyMap<string, Vertex>;
  readonly containersFirst: readonly Vertex[];
}

const CONTAINED_IN = 'cloudify.relationships.contained_in';
const SUPPORTED = ['cloudify.relationships.depends_on', CONTAINED_IN, 'cloudify.relationships.connected_to'];

/**
 * Puts nodes and scaling groups into the forest of what contains what. A member of a group is contained in the group,
 * and the outermost group in what contains the member.
 *
 * Compatibility: of several relationships of a node to the same target the last one counts.
 *
 * @throws DslError UnsupportedRelationship, IllegalConnectedToConnectionType, TypeError for a count that is no number
 */
export function buildTopologyGraph(nodes: readonly TopologyNode[], groups: readonly TopologyGroup[]): TopologyGraph {
  const vertices = new Map<string, Vertex>();
  for (const node of nodes) {
    vertices.set(node.id, vertex(node.id, false, node.hostId, node.count));
  }
  for (const group of groups) {
    vertices.set(group.name, vertex(group.name, true, undefined, group.count));
  }
  for (const group of groups) {
    for (const member of group.members) {
      contain(vertices.get(member), vertices.get(group.name));
    }
  }
  for (const node of nodes) {
    const source = vertices.get(node.id) as Vertex;
    for (const relationship of lastPerTarget(node.relationships)) {
      const link = linkOf(node.id, relationship);
      source.links.push(link);
      if (link.isContainment) {
        contain(outermostGroup(source), vertices.get(link.target));
      }
    }
  }
  return { vertices, containersFirst: sortContainersFirst(vertices) };
}

/** The node that contains a node, whatever groups are between them. */
export function containerOf(vertex: Vertex): Vertex | undefined {
  let parent = vertex.parent;
  while (parent?.isGroup === true) {
    parent = parent.parent;
  }
  return parent;
}

/** The innermost scaling group that contains both. */
export function innermostSharedGroup(left: Vertex, right: Vertex): Vertex | undefined {
  const around = new Set<Vertex>();
  for (let parent = right.parent; parent !== undefined; parent = parent.parent) {
    around.add(parent);
  }
  for (let parent = left.parent; parent !== undefined; parent = parent.parent) {
    if (parent.isGroup && around.has(parent)) {
      return parent;
    }
  }
  return undefined;
}

function vertex(name: string, isGroup: boolean, hostId: string | undefined, count: Json): Vertex {
  if (typeof count !== 'number') {
    throw new DslError(
      'TypeError',
      `The number of instances of ${isGroup ? 'group' : 'node'} '${name}' must be known before it is deployed, but is ` +
        `${JSON.stringify(count)}`,
    );
  }
  return { name, isGroup, hostId, count: Math.trunc(count), parent: undefined, children: [], links: [] };
}

function contain(inner: Vertex | undefined, outer: Vertex | undefined): void {
  if (inner === undefined || outer === undefined || inner.parent === outer) {
    return;
  }
  if (inner.parent !== undefined) {
    throw new DslError(
      'RuntimeError',
      `'${inner.name}' would be contained in both '${inner.parent.name}' and '${outer.name}': members of a scaling ` +
        'group must be contained in the same node',
    );
  }
  inner.parent = outer;
  outer.children.push(inner);
}

function outermostGroup(member: Vertex): Vertex {
  let outermost = member;
  // Groups cannot be members of themselves, but plans are data: the walk must end all the same.
  const seen = new Set<Vertex>();
  while (outermost.parent?.isGroup === true && !seen.has(outermost)) {
    seen.add(outermost);
    outermost = outermost.parent;
  }
  return outermost;
}

function lastPerTarget(relationships: readonly TopologyRelationship[]): TopologyRelationship[] {
  const last = new Map<string, number>();
  relationships.forEach((relationship, index) => last.set(relationship.targetId, index));
  return relationships.filter((relationship, index) => last.get(relationship.targetId) === index);
}

function linkOf(source: string, relationship: TopologyRelationship): Link {
  const { type, targetId: target, typeHierarchy, connectionType } = relationship;
  if (!typeHierarchy.some((ancestor) => SUPPORTED.includes(ancestor))) {
    throw new DslError(
      'UnsupportedRelationship',
      `The relationship of '${source}' to '${target}' cannot be deployed: its type '${type}' does not derive from ` +
        SUPPORTED.join(', '),
    );
  }
  if (typeHierarchy.includes(CONTAINED_IN)) {
    return { type, target, isContainment: true, connection: undefined };
  }
  if (connectionType !== 'all_to_all' && connectionType !== 'all_to_one') {
    throw new DslError(
      'IllegalConnectedToConnectionType',
      `The relationship of '${source}' to '${target}' has the connection_type ${JSON.stringify(connectionType)}; it ` +
        'must be all_to_all or all_to_one',
    );
  }
  return { type, target, isContainment: false, connection: connectionType };
}

function sortContainersFirst(vertices: ReadonlyMap<string, Vertex>): Vertex[] {
  const sorted = [...vertices.values()].filter((candidate) => candidate.parent === undefined);
  for (let index = 0; index < sorted.length; index += 1) {
    for (const child of (sorted[index] as Vertex).children) {
      sorted.push(child);
    }
  }
  return sorted;
}
