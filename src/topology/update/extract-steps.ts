import type { DeploymentPlan, Json, JsonObject, PlanNode } from '../../domain/plan.ts';
import type { Node } from '../../domain/topology.ts';
import { isSameDocument, differingKeys } from './compare.ts';
import { emitNodeSteps, emitPluginSteps } from './node-steps.ts';
import type { Emit } from './node-steps.ts';
import type { StepAction, UpdateStep, UpdateSteps } from './step.ts';

/** A deployment as it is stored, as far as updates compare it. */
export interface UpdatedDeployment {
  description: string | undefined;
  nodes: readonly Node[];
  outputs: JsonObject;
  /** By name, as plans have them. */
  workflows: object;
  groups: JsonObject;
}

/**
 * Compares a deployment with the plan it is updated to. Inputs, capabilities, labels, policies, scaling groups, data
 * types, settings and resource tags are not compared: they are replaced as a whole.
 */
export function extractSteps(deployment: UpdatedDeployment, plan: DeploymentPlan): UpdateSteps {
  const steps: UpdateSteps = { supported: [], unsupported: [] };
  const emit: Emit = (action, entityType, entityId, isSupported = true) => {
    const step = { action, entityType, entityId: entityId.map(String), topologyOrder: 0 };
    (isSupported ? steps.supported : steps.unsupported).push(step);
  };
  if ((plan.description ?? undefined) !== deployment.description) {
    emit('modify', 'description', ['description']);
  }
  const next = new Map(plan.nodes.map((node) => [node.id, node]));
  const previous = new Map(deployment.nodes.map((node) => [node.id, node]));
  emitPluginSteps(next, previous, emit);
  emitNodeSteps(next, previous, emit);
  for (const { action, key } of differingKeys(plan.outputs, deployment.outputs)) {
    emit(action, 'output', ['outputs', key]);
  }
  for (const { action, key } of differingKeys(plan.workflows, deployment.workflows)) {
    emit(action, 'workflow', ['workflows', key]);
  }
  for (const { action, key } of differingKeys(plan.groups, deployment.groups, isSameGroup)) {
    emit(action, 'group', ['groups', key], false);
  }
  steps.supported = inOrder(steps.supported, next);
  return steps;
}

/** Members of a group have no order. */
function isSameGroup(next: Json, previous: Json): boolean {
  const sorted = (group: Json): Json => {
    const { members, ...rest } = group as JsonObject;
    return { ...rest, members: Array.isArray(members) ? [...new Set(members as string[])].sort() : [] };
  };
  return isSameDocument(sorted(next), sorted(previous));
}

const ACTIONS: readonly StepAction[] = ['remove', 'add', 'modify'];

/**
 * Removals come first, then additions, then changes. Relationships are removed before nodes; nodes are added before
 * relationships, and the nodes others relate to before those.
 */
function inOrder(steps: readonly UpdateStep[], nodes: ReadonlyMap<string, PlanNode>): UpdateStep[] {
  const order = orderOfAddedNodes(steps, nodes);
  const ranked = steps.map((step) => ({
    ...step,
    topologyOrder: isAddedNode(step) ? (order.get(step.entityId[1] as string) ?? 0) : 0,
  }));
  const rank = (step: UpdateStep): number => {
    const isNode = step.entityType === 'node';
    const isLate = step.action === 'add' ? !isNode : step.action === 'remove' && isNode;
    return ACTIONS.indexOf(step.action) * 2 + Number(isLate);
  };
  return ranked.sort((left, right) => rank(left) - rank(right) || right.topologyOrder - left.topologyOrder);
}

function isAddedNode(step: UpdateStep): boolean {
  return step.action === 'add' && step.entityType === 'node';
}

/** Numbers the added nodes so that a node has a smaller number than the added nodes it relates to. */
function orderOfAddedNodes(
  steps: readonly UpdateStep[],
  nodes: ReadonlyMap<string, PlanNode>,
): ReadonlyMap<string, number> {
  const added = new Set(steps.filter(isAddedNode).map((step) => step.entityId[1] as string));
  const sourcesLeft = new Map<string, number>([...added].map((name) => [name, 0]));
  const targets = (name: string): string[] => [
    ...new Set((nodes.get(name)?.relationships ?? []).map((relationship) => relationship.target_id)),
  ];
  for (const name of added) {
    for (const target of targets(name)) {
      if (added.has(target)) {
        sourcesLeft.set(target, (sourcesLeft.get(target) ?? 0) + 1);
      }
    }
  }
  const ready = [...added].filter((name) => sourcesLeft.get(name) === 0);
  for (let index = 0; index < ready.length; index += 1) {
    for (const target of targets(ready[index] as string)) {
      const left = sourcesLeft.get(target);
      if (left !== undefined) {
        sourcesLeft.set(target, left - 1);
        if (left === 1) {
          ready.push(target);
        }
      }
    }
  }
  return new Map(ready.map((name, index) => [name, index]));
}
