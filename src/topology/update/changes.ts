import type { RandomSource } from '../../domain/clock.ts';
import type { DeploymentPlan, Plan, PlanNode, PlanPlugin } from '../../domain/plan.ts';
import type { Node, ScalingGroup } from '../../domain/topology.ts';
import { differenceOf } from '../difference.ts';
import type { Modification } from '../difference.ts';
import { groupsOfPlan, nodesOfDeployment, nodesOfPlan } from '../from-plan.ts';
import type { TopologyInstance } from '../instance-tree.ts';
import type { CountChange } from '../modify.ts';
import { instancesAfter } from '../modify.ts';
import type { PreviousInstance } from '../previous.ts';
import { isSameDocument } from './compare.ts';
import type { UpdateStep } from './step.ts';

export type NodeAttribute = 'plugins' | 'relationships' | 'properties' | 'operations' | 'capabilities';

/** What an update does to nodes. */
export interface NodeChanges {
  /** Attributes to take over from the plan, by node. */
  modifyAttributes: Map<string, Set<NodeAttribute>>;
  add: string[];
  remove: string[];
}

/** What an update does to node instances. */
export interface InstanceChanges extends Modification {
  /** All instances there are afterwards. */
  instances: TopologyInstance[];
}

/** Plugins an update leaves without use. */
export interface PluginChanges {
  /** By node. */
  hostPluginsToUninstall: Map<string, PlanPlugin[]>;
  centralPluginsToUninstall: PlanPlugin[];
}

/** What the steps of an update mean for nodes. */
export function nodeChangesOf(steps: readonly UpdateStep[], plan: DeploymentPlan, nodes: readonly Node[]): NodeChanges {
  const changes: NodeChanges = { modifyAttributes: new Map(), add: [], remove: [] };
  const modify = (node: string, attribute: NodeAttribute) => {
    const attributes = changes.modifyAttributes.get(node) ?? new Set();
    attributes.add(attribute);
    changes.modifyAttributes.set(node, attributes);
  };
  for (const step of steps) {
    const node = step.entityId[1];
    const attribute = attributeOf(step);
    if (node !== undefined && attribute !== undefined) {
      modify(node, attribute);
    }
    if (node !== undefined && step.entityType === 'node' && step.action !== 'modify') {
      changes[step.action].push(node);
    }
  }
  const stored = new Map(nodes.map((node) => [node.id, node]));
  for (const node of plan.nodes) {
    const before = stored.get(node.id);
    if (before !== undefined && hasOtherCapabilities(node, before)) {
      modify(node.id, 'capabilities');
    }
  }
  return changes;
}

function attributeOf(step: UpdateStep): NodeAttribute | undefined {
  switch (step.entityType) {
    case 'plugin':
      return 'plugins';
    case 'relationship':
      return 'relationships';
    case 'property':
      return 'properties';
    case 'operation':
      return step.entityId[2] === 'relationships' ? 'relationships' : 'operations';
    default:
      return undefined;
  }
}

function hasOtherCapabilities(node: PlanNode, stored: Node): boolean {
  const scalable = node.capabilities.scalable.properties;
  return (
    Object.keys(node.capabilities).length > 1 ||
    scalable.current_instances !== stored.numberOfInstances ||
    scalable.planned_instances !== stored.plannedNumberOfInstances ||
    scalable.default_instances !== stored.deployNumberOfInstances ||
    scalable.min_instances !== stored.minNumberOfInstances ||
    scalable.max_instances !== stored.maxNumberOfInstances
  );
}

/** Nodes with a relationship step: the relationships of their instances are put into the plan's order. */
export function nodesWithChangedRelationships(steps: readonly UpdateStep[]): string[] {
  const related = steps.filter((step) => step.entityType === 'relationship').map((step) => step.entityId[1] as string);
  return [...new Set(related)];
}

/** Nodes with a property or operation step: their running instances are to be brought up to date. */
export function changedNodes(steps: readonly UpdateStep[]): Set<string> {
  const changed = steps.filter(
    ({ entityType, entityId }) => ['property', 'operation'].includes(entityType) && entityId[0] === 'nodes',
  );
  return new Set(changed.map((step) => step.entityId[1] as string));
}

/**
 * Works out the instances an update adds, removes, extends and reduces.
 *
 * @throws DslError when the new topology cannot be deployed
 */
export function instanceChangesOf(request: {
  plan: Pick<DeploymentPlan, 'nodes'>;
  nodes: readonly Node[];
  instances: readonly PreviousInstance[];
  scalingGroups: Iterable<readonly [string, ScalingGroup]>;
  random: RandomSource;
}): InstanceChanges {
  const { plan, nodes, instances: previous, scalingGroups, random } = request;
  const stored = new Map(nodes.map((node) => [node.id, node]));
  const changes = new Map<string, CountChange>();
  for (const node of plan.nodes) {
    const before = stored.get(node.id);
    const planned = node.capabilities.scalable.properties.planned_instances;
    if (before !== undefined && before.plannedNumberOfInstances !== planned) {
      changes.set(node.id, { instances: planned });
    }
  }
  const instances = instancesAfter({
    nodes: nodesOfPlan(plan.nodes),
    previousNodes: nodesOfDeployment(nodes),
    groups: groupsOfPlan(scalingGroups),
    previousInstances: previous,
    changes,
    random,
  });
  return { ...differenceOf(previous, instances), instances };
}

type PluginLists = Pick<Plan, 'deployment_plugins_to_install' | 'workflow_plugins_to_install'>;

/**
 * Finds the plugins an update leaves without use.
 *
 * @param previous plugin lists of the blueprint before, undefined when the blueprint stays the same
 */
export function pluginChangesOf(
  plan: DeploymentPlan,
  nodes: readonly Node[],
  previous: PluginLists | undefined,
): PluginChanges {
  const hostPluginsToUninstall = new Map<string, PlanPlugin[]>();
  const stored = new Map(nodes.map((node) => [node.id, node]));
  for (const node of plan.nodes) {
    const gone = (stored.get(node.id)?.plugins ?? []).filter((plugin) => !includes(node.plugins, plugin));
    if (gone.length > 0) {
      hostPluginsToUninstall.set(node.id, gone);
    }
  }
  return {
    hostPluginsToUninstall,
    centralPluginsToUninstall: previous === undefined ? [] : unusedPlugins(plan, previous),
  };
}

function unusedPlugins(plan: PluginLists, previous: PluginLists): PlanPlugin[] {
  const used = [...plan.deployment_plugins_to_install, ...plan.workflow_plugins_to_install];
  const unused: PlanPlugin[] = [];
  for (const plugin of [...previous.deployment_plugins_to_install, ...previous.workflow_plugins_to_install]) {
    if (plugin.executor === 'central_deployment_agent' && !includes(used, plugin) && !includes(unused, plugin)) {
      unused.push(plugin);
    }
  }
  return unused;
}

function includes(plugins: readonly PlanPlugin[], wanted: PlanPlugin): boolean {
  return plugins.some((plugin) => isSameDocument(plugin, wanted));
}
