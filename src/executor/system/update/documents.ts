/** The documents of a deployment update as clients and workflows written for Cloudify read them. */
import type { Json, JsonObject } from '../../../domain/plan.ts';
import type { NodeInstanceRelationship } from '../../../domain/topology.ts';
import type { Modification, ModificationKind, NodeChanges, PluginChanges } from '../../../topology/index.ts';
import type { RelationshipPart, UpdatePart } from '../../../workflows/update.ts';
import { onTheWire } from '../../modifications.ts';

/** What an update does to nodes. */
export function nodesDocument(nodes: NodeChanges, plugins: PluginChanges): JsonObject {
  const path = (node: string): Json => ['nodes', node];
  return {
    modify_attributes: Object.fromEntries(
      [...nodes.modifyAttributes].map(([node, attributes]) => [node, [...attributes]]),
    ),
    add: nodes.add.map(path),
    remove: nodes.remove.map(path),
    host_plugins_to_uninstall: Object.fromEntries(plugins.hostPluginsToUninstall) as unknown as JsonObject,
    cda_plugins_to_uninstall: plugins.centralPluginsToUninstall as unknown as Json[],
  };
}

/** What an update does to node instances. */
export function instancesDocument(changes: Modification, changedNodes: readonly string[]): JsonObject {
  return {
    added_and_related: changes.addedAndRelated.map(onTheWire),
    extended_and_related: changes.extendedAndRelated.map(onTheWire),
    reduced_and_related: changes.reducedAndRelated.map(onTheWire),
    removed_and_related: changes.removedAndRelated.map(onTheWire),
    relationships_changed: [...changedNodes],
  };
}

/** An instance of the document with the relationships it is there for. */
export interface DocumentInstance {
  readonly id: string;
  readonly isOwn: boolean;
  readonly relationships: readonly NodeInstanceRelationship[];
}

/** The instances of one list of the document: those changed themselves, and those only related to them. */
function readInstances(document: Json | undefined, kind: ModificationKind): DocumentInstance[] {
  const list = asObject(document)[`${kind}_and_related`];
  return objectsOf(list).map((entry) => ({
    id: textOf(entry['id']),
    isOwn: entry['modification'] === kind,
    relationships: objectsOf(entry['relationships']).map((relationship) => ({
      type: textOf(relationship['type']),
      targetName: textOf(relationship['target_name']),
      targetId: textOf(relationship['target_id']),
    })),
  }));
}

/** Those that are changed themselves. */
export function ownInstances(document: Json | undefined, kind: ModificationKind): DocumentInstance[] {
  return readInstances(document, kind).filter(({ isOwn }) => isOwn);
}

/** Ids of one list of the document. */
export function partOf(document: Json | undefined, kind: ModificationKind): UpdatePart {
  const entries = readInstances(document, kind);
  return {
    instanceIds: entries.filter(({ isOwn }) => isOwn).map(({ id }) => id),
    relatedIds: entries.filter(({ isOwn }) => !isOwn).map(({ id }) => id),
  };
}

/** Ids of one list of the document with the relationships that come or go. */
export function relationshipPartOf(document: Json | undefined, kind: 'extended' | 'reduced'): RelationshipPart {
  const relationships = ownInstances(document, kind).flatMap((instance) =>
    instance.relationships.map(({ type, targetId }) => ({ sourceId: instance.id, targetId, type })),
  );
  return { ...partOf(document, kind), relationships };
}

/** Names of the nodes whose relationships change. */
export function nodesWithRelationshipsChanged(document: Json | undefined): string[] {
  return textsOf(asObject(document)['relationships_changed']);
}

/** Names of the nodes an update removes or adds. */
export function nodesOf(document: Json | undefined, kind: 'add' | 'remove'): string[] {
  const paths = asObject(document)[kind];
  return (Array.isArray(paths) ? paths : []).flatMap((path) => textsOf(path).slice(-1));
}

export function asObject(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

export function textsOf(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function objectsOf(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.map(asObject) : [];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
