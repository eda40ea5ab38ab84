import type { NodeInstance } from '../../domain/topology.ts';
import { handlerPaths, operationNames } from '../names.ts';
import type { TopologyView } from '../topology-view.ts';
import type { LifecycleBuilder, Steps } from './builder.ts';

/** How the agent of a host is installed: `none`, `remote`, `init_script`, `provided` or `plugin`. */
export function installMethodOf(view: TopologyView, instance: NodeInstance): string {
  const { properties } = view.nodeOf(instance);
  const legacy = properties['install_agent'];
  if (legacy === true || legacy === false) {
    return legacy ? 'remote' : 'none';
  }
  const config = properties['agent_config'];
  const method = isObject(config) ? config['install_method'] : undefined;
  return typeof method === 'string' ? method : 'remote';
}

/** What a host needs after its start: wait until it runs, then its agent. */
export function hostPostStart(builder: LifecycleBuilder, instance: NodeInstance): Steps {
  const method = installMethodOf(builder.view, instance);
  return [
    ...hostStateCheck(builder, instance),
    ...(method === 'none' ? [] : agentInstallation(builder, instance, method)),
    ...agentMonitoring(builder, instance),
  ];
}

/** What a host needs before its stop: its agent stopped and deleted. */
export function hostPreStop(builder: LifecycleBuilder, instance: NodeInstance): Steps {
  const method = installMethodOf(builder.view, instance);
  const monitoring = [
    ...builder.operation(instance, operationNames.monitoringAgentStop),
    ...builder.operation(instance, operationNames.monitoringAgentUninstall),
  ];
  if (method === 'none') {
    return monitoring;
  }
  const isStoppedByAgent = ['init_script', 'provided', 'plugin'].includes(method);
  const isLegacy = !isStoppedByAgent && builder.view.hasOperation(instance, operationNames.workerStop);
  const stop = isStoppedByAgent ? operationNames.agentStopAmqp : operationNames.agentStop;
  return [
    ...monitoring,
    builder.event(instance, 'Stopping agent'),
    ...builder.operation(instance, isLegacy ? operationNames.workerStop : stop),
    builder.event(instance, 'Deleting agent'),
    ...builder.operation(instance, isLegacy ? operationNames.workerUninstall : operationNames.agentDelete),
    builder.event(instance, 'Agent deleted'),
  ];
}

/** The monitoring agent of a host whose agent runs. */
export function agentMonitoring(builder: LifecycleBuilder, instance: NodeInstance): Steps {
  return [
    ...builder.operation(instance, operationNames.monitoringAgentInstall),
    ...builder.operation(instance, operationNames.monitoringAgentStart),
  ];
}

/** Asks whether the host runs, again and again until it does. */
function hostStateCheck(builder: LifecycleBuilder, instance: NodeInstance): Steps {
  const onSuccess = builder.graph.settings.isDryRun ? undefined : { path: handlerPaths.hostState };
  return builder.operation(instance, operationNames.hostGetState, {}, { onSuccess });
}

function agentInstallation(builder: LifecycleBuilder, instance: NodeInstance, method: string): Steps {
  if (builder.view.hasOperation(instance, operationNames.workerInstall)) {
    return [
      builder.event(instance, 'Installing agent'),
      ...builder.operation(instance, operationNames.workerInstall),
      builder.event(instance, 'Agent installed'),
      builder.event(instance, 'Starting agent'),
      ...builder.operation(instance, operationNames.workerStart),
      builder.event(instance, 'Agent started'),
    ];
  }
  const creation = [
    builder.event(instance, 'Creating agent'),
    ...builder.operation(instance, operationNames.agentCreate),
    builder.event(instance, 'Agent created'),
  ];
  if (method !== 'plugin' && method !== 'init_script') {
    return creation;
  }
  return [
    ...creation,
    builder.event(instance, 'Waiting for agent to start'),
    ...builder.operation(instance, operationNames.agentStart),
    builder.event(instance, 'Agent started'),
  ];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
