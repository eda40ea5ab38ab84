import type { JsonObject } from '../domain/plan.ts';
import type { Node, NodeInstance, NodeInstanceRelationship } from '../domain/topology.ts';

/** The relationships of an instance as they are to be stored. */
export interface RelationshipChange {
  readonly id: string;
  readonly relationships: readonly JsonObject[];
}

/**
 * The relationships of kept instances with those that a change brings them, in the order in which their nodes declare
 * the targets.
 * @param related instances of the change with the relationships they get; new instances among them are left out
 */
export function withAddedRelationships(
  nodes: readonly Node[],
  instances: readonly NodeInstance[],
  related: readonly { id: string; relationships: readonly NodeInstanceRelationship[] }[],
): RelationshipChange[] {
  const nodesById = new Map(nodes.map((node) => [node.id, node]));
  const existing = new Map(instances.map((instance) => [instance.id, instance]));
  const merged = new Map<string, NodeInstanceRelationship[]>();
  for (const { id, relationships } of related) {
    const instance = existing.get(id);
    if (!instance) {
      continue;
    }
    const all = merged.get(id) ?? [...instance.relationships];
    const known = new Set(all.map(keyOf));
    const added = relationships.filter((relationship) => !known.has(keyOf(relationship)));
    if (added.length > 0) {
      merged.set(id, [...all, ...added]);
    }
  }
  return [...merged].map(([id, relationships]) => {
    const node = nodesById.get(existing.get(id)?.nodeId ?? '');
    const order = new Map(node?.relationships.map(({ targetId }, position) => [targetId, position]));
    const positionOf = ({ targetName }: NodeInstanceRelationship): number => order.get(targetName) ?? order.size;
    const sorted = [...relationships].sort((left, right) => positionOf(left) - positionOf(right));
    return { id, relationships: sorted.map(instanceRelationshipOnTheWire) };
  });
}

/** The instances that have relationships to any of `targets`, without those. */
export function withoutRelationshipsTo(
  instances: readonly NodeInstance[],
  targets: ReadonlySet<string>,
): RelationshipChange[] {
  return instances.flatMap(({ id, relationships }) => {
    const kept = relationships.filter(({ targetId }) => !targets.has(targetId));
    return kept.length < relationships.length ? [{ id, relationships: kept.map(instanceRelationshipOnTheWire) }] : [];
  });
}

function keyOf({ type, targetId }: NodeInstanceRelationship): string {
  return `${type}\n${targetId}`;
}

/** A relationship of an instance as it is stored. */
export function instanceRelationshipOnTheWire({ type, targetName, targetId }: NodeInstanceRelationship): JsonObject {
  return { type, target_name: targetName, target_id: targetId };
}
