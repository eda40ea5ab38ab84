import type { Json, JsonObject } from '../../domain/plan.ts';
import type { Endpoint } from '../session/endpoint.ts';
import type { OperationSession } from '../session/operation-session.ts';
import { CtxError, CtxFunction, CtxObject, ReadOnlyMapping, RuntimePropertiesMapping } from './values.ts';

/** `ctx node` and `ctx instance`, also behind `ctx source` and `ctx target`. */
export function endpointObjects(
  session: OperationSession,
  endpoint: Endpoint,
): { node: CtxObject; instance: CtxObject } {
  return { node: nodeObject(endpoint), instance: instanceObject(session, endpoint) };
}

function nodeObject(endpoint: Endpoint): CtxObject {
  return new CtxObject('NodeContext', {
    id: () => endpoint.nodeId,
    name: () => endpoint.nodeId,
    properties: async () => new ReadOnlyMapping(await endpoint.nodeProperties()),
    type: async () => (await endpoint.node()).type,
    type_hierarchy: async () => [...(await endpoint.node()).typeHierarchy],
    number_of_instances: async () => (await endpoint.node()).numberOfInstances,
    min_number_of_instances: async () => (await endpoint.node()).minNumberOfInstances,
    max_number_of_instances: async () => (await endpoint.node()).maxNumberOfInstances,
  });
}

function instanceObject(session: OperationSession, endpoint: Endpoint): CtxObject {
  return new CtxObject('NodeInstanceContext', {
    id: () => endpoint.instanceId,
    index: async () => (await endpoint.instance()).index,
    state: async () => (await endpoint.instance()).state,
    host_ip: () => hostAddress(session, endpoint),
    runtime_properties: async () => new RuntimePropertiesMapping(await endpoint.properties()),
    relationships: async () =>
      (await endpoint.instance()).relationships.map((relationship) => ({
        type: relationship.type,
        target: { node: { id: relationship.targetName }, instance: { id: relationship.targetId } },
      })),
    scaling_groups: async () => (await endpoint.instance()).scalingGroups.map((group) => ({ ...group })),
    drift: async () => driftOf((await endpoint.instance()).systemProperties),
    update: () =>
      new CtxFunction(async () => {
        await endpoint.save();
        return null;
      }),
    refresh: () =>
      new CtxFunction(async (args, named) => {
        await endpoint.refresh((args[0] ?? named['force']) === true);
        return null;
      }),
  });
}

function driftOf(systemProperties: JsonObject): Json {
  const drift = systemProperties['configuration_drift'];
  return (typeof drift === 'object' && drift !== null && !Array.isArray(drift) ? drift['result'] : undefined) ?? null;
}

/**
 * The address of the instance's host: its runtime property `ip`, else the property `ip` of its node.
 * @throws CtxError when there is neither
 */
async function hostAddress(session: OperationSession, endpoint: Endpoint): Promise<Json> {
  const { hostId } = await endpoint.instance();
  const { host, context } = session;
  if (hostId !== undefined) {
    const isOwn = hostId === endpoint.instanceId;
    const instance = isOwn ? await endpoint.instance() : (await host.getNodeInstance(context, hostId)).value;
    const properties = isOwn ? (await endpoint.properties()).toJSON() : instance.runtimeProperties;
    const node = isOwn ? await endpoint.node() : (await host.getNode(context, instance.nodeId, hostId)).value;
    const address = properties['ip'] || node.properties['ip'];
    if (address) {
      return address;
    }
  }
  throw new CtxError(`could not find ip for host node instance: ${hostId ?? 'None'}`, 'NonRecoverableError');
}
