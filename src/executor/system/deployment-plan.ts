import type { Deployment } from '../../domain/entities.ts';
import type { DeploymentPlan, Json, JsonObject, Plan, PlanNode } from '../../domain/plan.ts';
import type { NodeRelationship } from '../../domain/topology.ts';
import { evaluateFunctions } from '../../dsl/functions/index.ts';
import { prepareDeploymentPlan } from '../../dsl/prepare/index.ts';
import type { PrepareOptions } from '../../dsl/prepare/index.ts';
import { createEvaluationStorage } from '../../store/evaluation-storage.ts';
import type { NewNode } from '../../store/nodes.ts';
import type { Viewer } from '../../store/scope.ts';
import type { Session } from '../../store/session.ts';
import { nodeRelationshipOf } from '../../topology/index.ts';
import type { SystemDependencies } from './dependencies.ts';
import { createEntityLookup } from './entity-lookup.ts';

/** The deployment a plan is for, and who looks at it. */
export interface PlanReader {
  readonly session: Session;
  readonly deployment: Deployment;
  readonly viewer: Viewer;
}

export interface PlanTarget extends PlanReader {
  readonly inputs: JsonObject;
  readonly isRuntimeOnly: boolean;
  readonly expand: PrepareOptions['expand'];
}

/**
 * Applies inputs to the plan of a blueprint, with what the viewer may see.
 * @throws DslError when inputs, functions, secrets or the topology are wrong
 */
export async function preparePlan(
  dependencies: SystemDependencies,
  plan: Plan,
  target: PlanTarget,
): Promise<DeploymentPlan> {
  const { session, deployment, viewer, inputs, isRuntimeOnly, expand } = target;
  const access = { viewer, reveal: dependencies.reveal };
  const storage = createEvaluationStorage(session, deployment, access);
  return prepareDeploymentPlan(plan, {
    inputs,
    isRuntimeOnly,
    storage,
    lookup: createEntityLookup({ session, scope: { tenantId: deployment.tenantId, viewer }, access, plan }),
    secrets: {
      missing: async (names) => {
        const known = await storage.secrets(names);
        return names.filter((name) => !known.has(name));
      },
    },
    expand,
  });
}

/** The settings a blueprint has for its deployments, with their functions evaluated. @throws DslError */
export async function evaluateSettings(
  dependencies: SystemDependencies,
  { session, deployment, viewer }: PlanReader,
  plan: DeploymentPlan,
): Promise<{ readonly [name: string]: Json }> {
  const storage = createEvaluationStorage(session, deployment, { viewer, reveal: dependencies.reveal });
  return evaluateFunctions(plan.deployment_settings, {}, storage);
}

/** A node of a plan as it is stored. */
export function newNodeOf(node: PlanNode): NewNode {
  const scalable = node.capabilities.scalable.properties;
  return {
    id: node.id,
    type: node.type,
    typeHierarchy: node.type_hierarchy.length > 0 ? node.type_hierarchy : [node.type],
    hostId: node.host_id,
    properties: node.properties,
    operations: node.operations as unknown as JsonObject,
    relationships: node.relationships.map((relationship) => relationshipOnTheWire(nodeRelationshipOf(relationship))),
    plugins: node.plugins as unknown as JsonObject[],
    pluginsToInstall: node.plugins_to_install as unknown as JsonObject[] | undefined,
    deployNumberOfInstances: scalable.default_instances,
    numberOfInstances: scalable.current_instances,
    plannedNumberOfInstances: scalable.current_instances,
    minNumberOfInstances: scalable.min_instances,
    maxNumberOfInstances: scalable.max_instances,
  };
}

/** A relationship of a node as it is stored. */
export function relationshipOnTheWire(relationship: NodeRelationship): JsonObject {
  return {
    target_id: relationship.targetId,
    type: relationship.type,
    type_hierarchy: [...relationship.typeHierarchy],
    properties: relationship.properties,
    source_operations: relationship.sourceOperations as unknown as JsonObject,
    target_operations: relationship.targetOperations as unknown as JsonObject,
  };
}
