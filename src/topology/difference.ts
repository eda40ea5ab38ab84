import type { NodeInstanceRelationship } from '../domain/topology.ts';
import type { TopologyInstance } from './instance-tree.ts';
import type { PreviousInstance } from './previous.ts';

export type ModificationKind = 'added' | 'removed' | 'extended' | 'reduced';

/** An instance in a modification: changed itself when it has a `modification`, else only related to one that is. */
export interface ModifiedInstance extends TopologyInstance {
  modification?: ModificationKind;
}

/** What a change of a deployment does to its instances. */
export interface Modification {
  /** New instances with all their relationships, and their neighbours with the relationships that touch new ones. */
  addedAndRelated: ModifiedInstance[];
  /** The same for instances that go. */
  removedAndRelated: ModifiedInstance[];
  /** Instances that stay and get relationships, with the new ones only, and their targets that stay. */
  extendedAndRelated: ModifiedInstance[];
  /** The same for instances that lose relationships. */
  reducedAndRelated: ModifiedInstance[];
}

type Instances = ReadonlyMap<string, TopologyInstance>;

/** Compares the instances of a deployment before and after a change. */
export function differenceOf(
  previousInstances: readonly PreviousInstance[],
  currentInstances: readonly TopologyInstance[],
): Modification {
  const previous = byId(previousInstances.map(asTopologyInstance));
  const current = byId(currentInstances);
  return {
    addedAndRelated: onlyIn(current, previous, 'added'),
    removedAndRelated: onlyIn(previous, current, 'removed'),
    extendedAndRelated: relationshipsOnlyIn(current, previous, 'extended'),
    reducedAndRelated: relationshipsOnlyIn(previous, current, 'reduced'),
  };
}

function byId(instances: readonly TopologyInstance[]): Instances {
  return new Map(instances.map((instance) => [instance.id, instance]));
}

function asTopologyInstance(instance: PreviousInstance): TopologyInstance {
  const { id, nodeId, hostId, scalingGroups, relationships } = instance;
  return { id, nodeId, hostId, scalingGroups: [...scalingGroups], relationships: [...relationships] };
}

/** Instances that are not among the others, and everything they are related to. */
function onlyIn(instances: Instances, others: Instances, modification: ModificationKind): ModifiedInstance[] {
  const changed: ModifiedInstance[] = [];
  const related = new Map<string, NodeInstanceRelationship[]>();
  for (const instance of instances.values()) {
    const isChanged = !others.has(instance.id);
    if (isChanged) {
      changed.push({ ...instance, modification });
    }
    for (const relationship of instance.relationships) {
      const isTargetChanged = instances.has(relationship.targetId) && !others.has(relationship.targetId);
      if (isChanged && !isTargetChanged) {
        relate(related, relationship.targetId);
      } else if (!isChanged && isTargetChanged) {
        relate(related, instance.id).push(relationship);
      }
    }
  }
  return [...changed, ...neighbours(related, instances)];
}

/** Instances among both that have relationships only here, with those; targets that are among both come along. */
function relationshipsOnlyIn(
  instances: Instances,
  others: Instances,
  modification: ModificationKind,
): ModifiedInstance[] {
  const changed: ModifiedInstance[] = [];
  const changedIds = new Set<string>();
  const related = new Map<string, NodeInstanceRelationship[]>();
  for (const instance of instances.values()) {
    const other = others.get(instance.id);
    if (other === undefined) {
      continue;
    }
    const relationships = relationshipsBeyond(instance.relationships, other.relationships);
    if (relationships.length > 0) {
      changed.push({ ...instance, relationships, modification });
      changedIds.add(instance.id);
    }
    for (const { targetId } of relationships) {
      if (others.has(targetId)) {
        relate(related, targetId);
      }
    }
  }
  for (const id of changedIds) {
    related.delete(id);
  }
  return [...changed, ...neighbours(related, instances)];
}

/**
 * Relationships that are not among the others. An instance may have several of one type to the same target: the first
 * ones stand for each other.
 */
export function relationshipsBeyond(
  relationships: readonly NodeInstanceRelationship[],
  others: readonly NodeInstanceRelationship[],
): NodeInstanceRelationship[] {
  // relationships to a whole node have one list for all instances
  if (relationships === others || relationships.length === 0) {
    return [];
  }
  const left = new Map<string, number>();
  for (const other of others) {
    const key = `${other.type}\n${other.targetId}`;
    left.set(key, (left.get(key) ?? 0) + 1);
  }
  return relationships.filter(({ type, targetId }) => {
    const key = `${type}\n${targetId}`;
    const count = left.get(key) ?? 0;
    left.set(key, count - 1);
    return count <= 0;
  });
}

function relate(related: Map<string, NodeInstanceRelationship[]>, id: string): NodeInstanceRelationship[] {
  let relationships = related.get(id);
  if (relationships === undefined) {
    relationships = [];
    related.set(id, relationships);
  }
  return relationships;
}

function neighbours(
  related: ReadonlyMap<string, NodeInstanceRelationship[]>,
  instances: Instances,
): ModifiedInstance[] {
  return [...related].flatMap(([id, relationships]) => {
    const instance = instances.get(id);
    return instance === undefined ? [] : [{ ...instance, relationships }];
  });
}
