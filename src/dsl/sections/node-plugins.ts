import type { PlanNode, PlanOperations, PlanPlugin } from '../../domain/plan.ts';
import { logicError } from '../errors.ts';
import type { Problems } from '../problems.ts';
import { centralExecutor, hostExecutor } from '../types/names.ts';
import type { NodeType } from '../types/type-section.ts';
import { isContainment, operationsByNode } from './node-templates.ts';
import type { BareNode } from './node-templates.ts';

export interface PluginAssignment {
  readonly nodes: PlanNode[];
  /** Plugins of all nodes that run on the manager, and on hosts; the last node's record of each. */
  readonly central: PlanPlugin[];
  readonly host: PlanPlugin[];
}

/**
 * Assigns to every node the plugins of its operations, and to every host the plugins its agent needs.
 *
 * @param problems takes nodes that lack a host; undefined when hosts are not known
 */
export function assignPlugins(
  bare: readonly BareNode[],
  nodeTypes: ReadonlyMap<string, NodeType>,
  plugins: ReadonlyMap<string, PlanPlugin>,
  problems: Problems | undefined,
): PluginAssignment {
  const operations = operationsByNode(bare);
  const used = new UsedPlugins(plugins);
  const pluginsOf = new Map(bare.map((node) => [node.id, used.of(operations.get(node.id) ?? [])]));
  const onHost = new Map<string, Map<string, PlanPlugin>>();
  for (const node of bare) {
    if (node.host_id !== undefined) {
      const host = onHost.get(node.host_id) ?? new Map<string, PlanPlugin>();
      addWithExecutor(host, pluginsOf.get(node.id) ?? [], hostExecutor);
      onHost.set(node.host_id, host);
    }
  }
  const isHostUncertain = problems ? uncertainHosts(bare, problems) : () => true;
  const central = new Map<string, PlanPlugin>();
  const host = new Map<string, PlanPlugin>();
  const nodes = bare.map((node): PlanNode => {
    const own = pluginsOf.get(node.id) ?? [];
    if (!isHostUncertain(node.id)) {
      problems?.attempt(['node_templates', node.id], () => {
        requireHost(node, own);
      });
    }
    const ownCentral = new Map<string, PlanPlugin>();
    addWithExecutor(ownCentral, own, centralExecutor);
    addWithExecutor(central, own, centralExecutor);
    const complete: PlanNode = { ...node, plugins: own, deployment_plugins_to_install: [...ownCentral.values()] };
    if (nodeTypes.get(node.type)?.isHost) {
      const toInstall = [...(onHost.get(node.id)?.values() ?? [])];
      complete.plugins_to_install = toInstall;
      addWithExecutor(host, toInstall, hostExecutor);
    }
    return complete;
  });
  return { nodes, central: [...central.values()], host: [...host.values()] };
}

/** Tells of a node whether a template that is wrong is among those it is contained in. */
function uncertainHosts(bare: readonly BareNode[], problems: Problems): (node: string) => boolean {
  if (!problems.hasBroken('node_templates')) {
    return () => false;
  }
  const containers = new Map(bare.map((node) => [node.id, node.relationships.find(isContainment)?.target_id]));
  const certain = new Map<string, boolean>();
  return (node) => {
    const chain: string[] = [];
    let name: string | undefined = node;
    while (name !== undefined && !certain.has(name) && !problems.isBroken('node_templates', name)) {
      chain.push(name);
      name = containers.get(name);
    }
    const isCertain = name === undefined || (certain.get(name) ?? false);
    chain.forEach((item) => certain.set(item, isCertain));
    return !isCertain;
  };
}

/** Plugin records with the executor of an operation in place of the plugin's own; shared, as many nodes use the same. */
class UsedPlugins {
  private readonly plugins: ReadonlyMap<string, PlanPlugin>;
  private readonly records = new Map<string, PlanPlugin>();
  private readonly keys = new WeakMap<PlanOperations, readonly string[]>();

  constructor(plugins: ReadonlyMap<string, PlanPlugin>) {
    this.plugins = plugins;
  }

  of(operationSets: readonly PlanOperations[]): PlanPlugin[] {
    const keys = new Set<string>();
    for (const operations of operationSets) {
      for (const key of this.keysOf(operations)) {
        keys.add(key);
      }
    }
    return [...keys].map((key) => this.records.get(key) as PlanPlugin);
  }

  private keysOf(operations: PlanOperations): readonly string[] {
    const known = this.keys.get(operations);
    if (known) {
      return known;
    }
    const keys = new Set<string>();
    for (const { plugin, executor } of Object.values(operations)) {
      const declared = plugin === '' ? undefined : this.plugins.get(plugin);
      if (declared) {
        const key = `${executor ?? ''}\0${plugin}`;
        keys.add(key);
        if (!this.records.has(key)) {
          this.records.set(key, { ...declared, executor });
        }
      }
    }
    const list = [...keys];
    this.keys.set(operations, list);
    return list;
  }
}

function addWithExecutor(target: Map<string, PlanPlugin>, plugins: readonly PlanPlugin[], executor: string): void {
  for (const plugin of plugins) {
    if (plugin.executor === executor) {
      target.set(plugin.name, plugin);
    }
  }
}

function requireHost(node: BareNode, plugins: readonly PlanPlugin[]): void {
  const misplaced = node.host_id === undefined && plugins.find(({ executor }) => executor === hostExecutor);
  if (misplaced) {
    const intro = `node '${node.id}' has no relationship which makes it contained within a host`;
    const what = `it has a plugin '${misplaced.name}' with '${hostExecutor}' as an executor`;
    throw logicError(24, `${intro} and ${what}. These types of plugins must be installed on a host`, {
      path: ['node_templates', node.id],
      remedy: `Contain the node in a host, or run the plugin with executor '${centralExecutor}'`,
    });
  }
}
