import type { JsonObject } from '../../domain/plan.ts';
import type { NodeInstance } from '../../domain/topology.ts';
import type { Task } from '../../graph/task.ts';
import { handlerPaths, operationNames } from '../names.ts';
import type { LifecycleBuilder } from './builder.ts';
import { hasOwnDrift } from '../drift.ts';

const ownOperations = [
  operationNames.preupdate,
  operationNames.update,
  operationNames.postupdate,
  operationNames.updateConfig,
  operationNames.updateApply,
  operationNames.updatePostapply,
];

/**
 * Adds the subgraph that brings a drifted instance, and its drifted relationships, back in line; a failure is noted on
 * the instance and goes no further. None if no operation applies.
 */
export function updateSubgraph(builder: LifecycleBuilder, instance: NodeInstance): Task | undefined {
  const operations = [
    ...(hasOwnDrift(instance) ? ownOperations.flatMap((name) => builder.operations.ofNode(instance, name) ?? []) : []),
    ...relationshipUpdates(builder, instance),
  ];
  if (operations.length === 0) {
    return undefined;
  }
  const subgraph = builder.graph.subgraph(`update_${instance.id}`, {
    info: { instance_id: instance.id },
    onSuccess: { path: handlerPaths.updateSucceeded },
    onFailure: { path: handlerPaths.updateFailed },
  });
  builder.graph
    .sequence(subgraph)
    .add(
      builder.event(instance, 'Updating node instance'),
      ...operations,
      builder.event(instance, 'Node instance updated'),
    );
  return subgraph;
}

function relationshipUpdates(builder: LifecycleBuilder, instance: NodeInstance): Task[] {
  const sourceDrifts = recordOf(instance.systemProperties, 'source_relationships_configuration_drift');
  return builder.view.relationships(instance).flatMap((relationship) => {
    const targetDrifts = recordOf(relationship.target.systemProperties, 'target_relationships_configuration_drift');
    const source = Object.hasOwn(sourceDrifts, relationship.target.id)
      ? builder.operations.ofSource(relationship, operationNames.updateRelationship)
      : undefined;
    const target = Object.hasOwn(targetDrifts, instance.id)
      ? builder.operations.ofTarget(relationship, operationNames.updateRelationship)
      : undefined;
    return [...(source ? [source] : []), ...(target ? [target] : [])];
  });
}

function recordOf(properties: JsonObject, name: string): JsonObject {
  const value = properties[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
