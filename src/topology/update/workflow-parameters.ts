import type { Json, JsonObject } from '../../domain/plan.ts';
import type { ModificationKind, ModifiedInstance } from '../difference.ts';
import type { InstanceChanges } from './changes.ts';
import type { UpdateStep } from './step.ts';

/** Choices of an update that its workflow must know. */
export interface UpdateFlags {
  skipInstall: boolean;
  skipUninstall: boolean;
  ignoreFailure: boolean;
}

/**
 * The parameters a workflow gets that is run in place of the built-in part of an update. Their names are those custom
 * workflows written for Cloudify expect, unused ones included.
 */
export function updateWorkflowParameters(
  updateId: string,
  steps: readonly UpdateStep[],
  instances: InstanceChanges,
  flags: UpdateFlags,
): JsonObject {
  const [added, addedTargets] = split(instances.addedAndRelated, 'added');
  const [removed, removedTargets] = split(instances.removedAndRelated, 'removed');
  const [extended, extendedTargets] = split(instances.extendedAndRelated, 'extended');
  const [reduced, reducedTargets] = split(instances.reducedAndRelated, 'reduced');
  return {
    update_id: updateId,
    modified_entity_ids: modifiedEntities(steps),
    added_instance_ids: added,
    added_target_instances_ids: addedTargets,
    removed_instance_ids: removed,
    remove_target_instance_ids: removedTargets,
    extended_instance_ids: extended,
    extend_target_instance_ids: extendedTargets,
    reduced_instance_ids: reduced,
    reduce_target_instance_ids: reducedTargets,
    skip_install: flags.skipInstall,
    skip_uninstall: flags.skipUninstall,
    ignore_failure: flags.ignoreFailure,
    install_first: false,
    node_instances_to_reinstall: null,
    central_plugins_to_install: null,
    central_plugins_to_uninstall: null,
    update_plugins: true,
  };
}

/** Ids of the instances that are changed themselves, and of those that are only related. */
function split(instances: readonly ModifiedInstance[], modification: ModificationKind): [string[], string[]] {
  const changed = instances.filter((instance) => instance.modification === modification);
  const related = instances.filter((instance) => instance.modification !== modification);
  return [changed.map(({ id }) => id), related.map(({ id }) => id)];
}

const ENTITY_LISTS = [
  'node',
  'property',
  'operation',
  'workflow',
  'output',
  'description',
  'group',
  'policy_type',
  'policy_trigger',
  'plugin',
] as const;

function modifiedEntities(steps: readonly UpdateStep[]): JsonObject {
  const lists = new Map<string, Json[]>(ENTITY_LISTS.map((name) => [name, []]));
  const relationships = new Map<string, string[]>();
  for (const { entityType, entityId } of steps) {
    const id = entityId[1];
    if (id === undefined) {
      continue;
    }
    if (entityType === 'relationship') {
      relationships.set(id, [...(relationships.get(id) ?? []), entityId[3] as string]);
    } else {
      lists.get(entityType)?.push(id);
    }
  }
  return { ...Object.fromEntries(lists), relationship: Object.fromEntries(relationships), rel_mappings: {} };
}
