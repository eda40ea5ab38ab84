import type { Json, JsonObject } from '../../domain/plan.ts';
import type { Endpoint } from '../session/endpoint.ts';
import type { OperationSession } from '../session/operation-session.ts';

/** What templates see as `ctx`: plain data, read for the occasion. */
export async function templateContext(session: OperationSession): Promise<JsonObject> {
  const { context } = session;
  const common: JsonObject = {
    type: session.contextType,
    execution_id: context.execution_id ?? null,
    workflow_id: context.workflow_id ?? null,
    task_id: context.task_id ?? null,
    task_name: context.task_name,
    tenant_name: context.tenant?.name ?? null,
    blueprint: { id: context.blueprint_id ?? null },
    deployment: {
      id: context.deployment_id ?? null,
      display_name: context.deployment_display_name ?? null,
      creator: context.deployment_creator ?? null,
      resource_tags: context.deployment_resource_tags ?? {},
    },
    operation: {
      name: context.operation?.name ?? null,
      retry_number: context.operation?.retry_number ?? 0,
      max_retries: context.operation?.max_retries ?? null,
    },
    plugin: { name: context.plugin?.name ?? null, properties: pluginProperties(session) },
  };
  if (session.contextType === 'node-instance') {
    return { ...common, ...(await endpointContext(session.subject)) };
  }
  if (session.contextType === 'relationship-instance') {
    const [source, target] = await Promise.all([endpointContext(session.source), endpointContext(session.target)]);
    return { ...common, source, target };
  }
  return common;
}

/** The properties of the operation's plugin by their plain values. */
export function pluginProperties(session: OperationSession): JsonObject {
  const declared = session.context.plugin?.properties ?? {};
  return Object.fromEntries(Object.entries(declared).map(([name, value]) => [name, plainValue(value)]));
}

function plainValue(value: Json): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && 'value' in value
    ? (value['value'] ?? null)
    : value;
}

async function endpointContext(endpoint: Endpoint): Promise<JsonObject> {
  const [node, instance, properties] = await Promise.all([endpoint.node(), endpoint.instance(), endpoint.properties()]);
  const runtimeProperties = properties.toJSON();
  return {
    node: {
      id: node.id,
      name: node.id,
      type: node.type,
      type_hierarchy: [...node.typeHierarchy],
      properties: node.properties,
    },
    instance: {
      id: instance.id,
      index: instance.index,
      runtime_properties: runtimeProperties,
      host_ip: runtimeProperties['ip'] ?? node.properties['ip'] ?? null,
    },
  };
}
