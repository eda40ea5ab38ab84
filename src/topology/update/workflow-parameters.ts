import type { Json, JsonObject } from '../../domain/plan.ts';
import type { ModificationKind } from '../difference.ts';
import type { UpdateStep } from './step.ts';

/** Choices of an update that its workflow must know. */
export interface UpdateFlags {
  skipsInstall: boolean;
  skipsUninstall: boolean;
  isFailureIgnored: boolean;
}

/** Ids of the instances that are changed themselves, and of those that are only related to them. */
export interface ModifiedIds {
  instanceIds: readonly string[];
  relatedIds: readonly string[];
}

/**
 * The parameters a workflow gets that is run in place of the built-in part of an update. Their names are those custom
 * workflows written for Cloudify expect, unused ones included.
 */
export function updateWorkflowParameters(
  updateId: string,
  steps: readonly UpdateStep[],
  instances: Readonly<Record<ModificationKind, ModifiedIds>>,
  flags: UpdateFlags,
): JsonObject {
  const { added, removed, extended, reduced } = instances;
  return {
    update_id: updateId,
    modified_entity_ids: modifiedEntities(steps),
    added_instance_ids: [...added.instanceIds],
    added_target_instances_ids: [...added.relatedIds],
    removed_instance_ids: [...removed.instanceIds],
    remove_target_instance_ids: [...removed.relatedIds],
    extended_instance_ids: [...extended.instanceIds],
    extend_target_instance_ids: [...extended.relatedIds],
    reduced_instance_ids: [...reduced.instanceIds],
    reduce_target_instance_ids: [...reduced.relatedIds],
    skip_install: flags.skipsInstall,
    skip_uninstall: flags.skipsUninstall,
    ignore_failure: flags.isFailureIgnored,
    install_first: false,
    node_instances_to_reinstall: null,
    central_plugins_to_install: null,
    central_plugins_to_uninstall: null,
    update_plugins: true,
  };
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

/** What the steps are about, by kind. */
export function modifiedEntities(steps: readonly UpdateStep[]): JsonObject {
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
