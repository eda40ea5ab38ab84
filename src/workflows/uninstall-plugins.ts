import type { Json, PlanPlugin } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import type { WorkflowContext } from './context.ts';
import { installMethodOf } from './lifecycle/hosts.ts';
import { operationNames } from './names.ts';
import { Operations } from './operations.ts';
import { viewOf } from './topology-view.ts';

/**
 * Takes plugins off the agents of hosts.
 * @param plugins by the node whose instances do not need them any more
 */
export async function uninstallHostPlugins(
  context: WorkflowContext,
  plugins: ReadonlyMap<string, readonly PlanPlugin[]>,
): Promise<void> {
  const view = viewOf(context.topology);
  const hasAgent = (instance: NodeInstance): boolean =>
    installMethodOf(view, instance) !== 'none' && instance.runtimeProperties['cloudify_agent'] !== undefined;
  await context.runGraph('update_uninstall_plugins', (graph) => {
    const operations = new Operations(graph, view);
    for (const instance of view.instances) {
      const unused = (plugins.get(instance.nodeId) ?? []).filter(
        ({ executor, install }) => executor === 'host_agent' && install,
      );
      if (unused.length > 0 && hasAgent(instance)) {
        const kwargs = { plugins: unused as unknown as Json[] };
        const task = operations.ofNode(instance, operationNames.agentUninstallPlugins, { kwargs });
        if (task) {
          graph.add(task);
        }
      }
    }
  });
}
