import type { PlanPlugin, PlanRelationship } from '../../domain/plan.ts';
import type { NodeInstance, NodeInstanceRelationship, NodeRelationship } from '../../domain/topology.ts';
import { relationshipsBeyond } from '../difference.ts';

/** The relationships of an instance from now on. */
export interface InstanceRelationships {
  id: string;
  relationships: NodeInstanceRelationship[];
}

/** A relationship of a plan as nodes hold it. */
export function nodeRelationshipOf(relationship: PlanRelationship): NodeRelationship {
  return {
    targetId: relationship.target_id,
    type: relationship.type,
    typeHierarchy: relationship.type_hierarchy,
    properties: relationship.properties,
    sourceOperations: relationship.source_operations,
    targetOperations: relationship.target_operations,
  };
}

/**
 * The relationships of a node while an update runs: those of the plan, and behind them the stored ones that go, which
 * are needed until they are unlinked.
 */
export function relationshipsDuringUpdate(
  next: readonly PlanRelationship[],
  stored: readonly NodeRelationship[],
): NodeRelationship[] {
  const planned = next.map(nodeRelationshipOf);
  const keyOf = ({ type, targetId }: NodeRelationship): string => `${type}\n${targetId}`;
  const left = new Map<string, number>();
  planned.forEach((relationship) => left.set(keyOf(relationship), (left.get(keyOf(relationship)) ?? 0) + 1));
  const dropped = stored.filter((relationship) => {
    const count = left.get(keyOf(relationship)) ?? 0;
    left.set(keyOf(relationship), count - 1);
    return count <= 0;
  });
  return [...planned, ...dropped];
}

/** The plugins of a node while an update runs: dropped ones may be needed to unlink what goes. */
export function pluginsDuringUpdate(next: readonly PlanPlugin[], stored: readonly PlanPlugin[]): PlanPlugin[] {
  const names = new Set(next.map((plugin) => plugin.name));
  return [...next, ...stored.filter((plugin) => !names.has(plugin.name))];
}

/**
 * Adds the relationships an update brings to instances that stay.
 * @param extended instances with their new relationships only
 */
export function extendRelationships(
  instances: readonly Pick<NodeInstance, 'id' | 'relationships'>[],
  extended: readonly { id: string; relationships: readonly NodeInstanceRelationship[] }[],
): InstanceRelationships[] {
  const known = new Map(instances.map((instance) => [instance.id, instance]));
  return extended.flatMap(({ id, relationships }) => {
    const instance = known.get(id);
    return instance ? [{ id, relationships: [...instance.relationships, ...relationships] }] : [];
  });
}

/** What goes at the end of an update. */
export interface Farewell {
  /** Instances with the relationships they lose. */
  reduced: readonly { id: string; relationships: readonly NodeInstanceRelationship[] }[];
  removedIds: ReadonlySet<string>;
  /** Nodes whose relationships changed, with those of the plan, in whose order the instances' are put. */
  planned: ReadonlyMap<string, readonly Pick<NodeRelationship, 'type' | 'targetId'>[]>;
}

/** The instances whose relationships change when an update ends, with what they keep, in the plan's order. */
export function settleRelationships(
  instances: readonly Pick<NodeInstance, 'id' | 'nodeId' | 'relationships'>[],
  farewell: Farewell,
): InstanceRelationships[] {
  const reduced = new Map(farewell.reduced.map(({ id, relationships }) => [id, relationships]));
  return instances.flatMap(({ id, nodeId, relationships: stored }) => {
    if (farewell.removedIds.has(id)) {
      return [];
    }
    // of several equal ones the last goes
    const lost = [...(reduced.get(id) ?? [])];
    const remaining = relationshipsBeyond([...stored].reverse(), lost).reverse();
    const kept = remaining.filter(({ targetId }) => !farewell.removedIds.has(targetId));
    const planned = farewell.planned.get(nodeId);
    const relationships = planned ? inOrderOf(planned, kept) : kept;
    const isSame =
      relationships.length === stored.length &&
      relationships.every(
        ({ type, targetId }, index) => type === stored[index]?.type && targetId === stored[index].targetId,
      );
    return isSame ? [] : [{ id, relationships }];
  });
}

function inOrderOf(
  planned: readonly Pick<NodeRelationship, 'type' | 'targetId'>[],
  relationships: readonly NodeInstanceRelationship[],
): NodeInstanceRelationship[] {
  const places = new Map<string, number>();
  planned.forEach(({ type, targetId }, place) => {
    const key = `${type}\n${targetId}`;
    places.set(key, Math.min(places.get(key) ?? place, place));
  });
  const placeOf = ({ type, targetName }: NodeInstanceRelationship): number =>
    places.get(`${type}\n${targetName}`) ?? places.size;
  return [...relationships].sort((left, right) => placeOf(left) - placeOf(right));
}
