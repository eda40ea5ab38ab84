import type { JsonObject } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import type { Task } from '../graph/task.ts';
import type { WorkflowContext } from './context.ts';
import { WorkflowRefused } from './errors.ts';
import { LifecycleBuilder } from './lifecycle/builder.ts';
import { agentMonitoring, installMethodOf } from './lifecycle/hosts.ts';
import { operationNames } from './names.ts';
import { booleanParameter, filterInstances, listParameter } from './parameters.ts';
import { viewOf } from './topology-view.ts';
import type { TopologyView } from './topology-view.ts';

/** Agents installed in other ways, or not at all, cannot be replaced. */
const replaceableMethods = ['init_script', 'plugin', 'remote'];

/** Checks the connection of the agents of the chosen hosts. */
export async function validateAgents(context: WorkflowContext): Promise<undefined> {
  const hosts = findHosts(context);
  await context.runGraph('validate_agents', (graph) => {
    const builder = new LifecycleBuilder(graph, viewOf(context.topology));
    addValidation(builder, hosts, { current_amqp: true, manager_ip: null, manager_certificate: null });
  });
}

/** Replaces the agents of the chosen hosts by new ones, after all old ones have been checked. */
export async function installNewAgents(context: WorkflowContext): Promise<undefined> {
  const { parameters } = context;
  const hosts = findHosts(context);
  const manager = {
    manager_ip: parameters['manager_ip'] ?? null,
    manager_certificate: parameters['manager_certificate'] ?? null,
  };
  await context.runGraph('install_agents', (graph) => {
    const builder = new LifecycleBuilder(graph, viewOf(context.topology));
    const validation = booleanParameter(parameters, 'validate', true)
      ? addValidation(builder, hosts, { current_amqp: false, ...manager })
      : undefined;
    if (!booleanParameter(parameters, 'install', true)) {
      return;
    }
    const installation = addInstallation(builder, hosts, {
      install_agent_timeout: parameters['install_agent_timeout'] ?? 300,
      ...manager,
      stop_old_agent: parameters['stop_old_agent'] ?? false,
    });
    if (validation) {
      graph.addDependency(installation, validation);
    }
  });
}

function addValidation(builder: LifecycleBuilder, hosts: readonly NodeInstance[], kwargs: JsonObject): Task {
  const subgraph = builder.graph.subgraph('validate');
  for (const host of hosts) {
    builder.graph
      .sequence(subgraph)
      .add(
        builder.event(host, 'Validating agent connection.'),
        ...builder.operation(host, operationNames.agentValidateAmqp, {}, { kwargs, isOverrideAllowed: true }),
        builder.event(host, 'Validation done'),
      );
  }
  return subgraph;
}

function addInstallation(builder: LifecycleBuilder, hosts: readonly NodeInstance[], kwargs: JsonObject): Task {
  const subgraph = builder.graph.subgraph('install');
  const validationKwargs: JsonObject = { current_amqp: true };
  for (const host of hosts) {
    builder.graph
      .sequence(subgraph)
      .add(
        builder.event(host, 'Installing new agent'),
        ...builder.operation(host, operationNames.agentCreateAmqp, {}, { kwargs, isOverrideAllowed: true }),
        builder.event(host, 'New agent installed.'),
        ...builder.operation(
          host,
          operationNames.agentValidateAmqp,
          {},
          { kwargs: validationKwargs, isOverrideAllowed: true },
        ),
        ...agentMonitoring(builder, host),
        ...builder.view
          .containedSubtree(host)
          .flatMap((instance) => builder.operation(instance, operationNames.monitoringStart)),
      );
  }
  return subgraph;
}

/** The hosts the filter names, or all hosts whose agents can be replaced; all must run. */
function findHosts(context: WorkflowContext): NodeInstance[] {
  const view = viewOf(context.topology);
  const nodeIds = listParameter(context.parameters, 'node_ids');
  const instanceIds = listParameter(context.parameters, 'node_instance_ids');
  const hosts =
    nodeIds.length > 0 || instanceIds.length > 0
      ? filterInstances(context, { nodeIds, instanceIds, typeNames: [] })
      : hostsByMethod(context, view);
  const errors = hosts.flatMap((host) => whyNotAHost(view, host) ?? []);
  if (errors.length > 0) {
    throw new WorkflowRefused(`Specified filters are not correct:\n${errors.join('\n')}`);
  }
  const idle = hosts.find((host) => host.state !== 'started');
  if (idle) {
    throw new WorkflowRefused(`Node ${idle.id} is not started (state: ${idle.state})`);
  }
  return hosts;
}

function hostsByMethod(context: WorkflowContext, view: TopologyView): NodeInstance[] {
  const chosen = context.parameters['install_methods'];
  const methods = Array.isArray(chosen) ? listParameter(context.parameters, 'install_methods') : replaceableMethods;
  return view.instances.filter(
    (instance) => view.isCompute(instance) && methods.includes(installMethodOf(view, instance)),
  );
}

function whyNotAHost(view: TopologyView, instance: NodeInstance): string | undefined {
  if (!view.isCompute(instance)) {
    return `Node instance ${instance.id} is not host.`;
  }
  return installMethodOf(view, instance) === 'none'
    ? `Agent should not be installed on node instance ${instance.id}`
    : undefined;
}
