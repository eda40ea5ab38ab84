import { expect } from 'chai';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import { evaluateFunctions } from '../../../src/dsl/functions/index.ts';
import { DslError } from '../../../src/dsl/errors.ts';
import type {
  CapabilityOwner,
  Consumer,
  EvaluationNode,
  EvaluationNodeInstance,
  EvaluationStorage,
  PayloadContext,
} from '../../../src/dsl/functions/index.ts';

/** A deployment in memory, with a count of the calls its storage got. */
export interface Deployment {
  inputs?: JsonObject;
  nodes?: readonly EvaluationNode[];
  instances?: readonly EvaluationNodeInstance[];
  secrets?: Record<string, string>;
  deployments?: Record<string, CapabilityOwner>;
  groups?: Record<string, string[]>;
  labels?: Record<string, string[]>;
  consumers?: Consumer[];
}

export type CountingStorage = EvaluationStorage & { calls: string[] };

export function storageOf(deployment: Deployment): CountingStorage {
  const calls: string[] = [];
  const answer = <Value>(call: string, value: Value): Promise<Value> => {
    calls.push(call);
    return Promise.resolve(value);
  };
  const pick = <Value>(values: Record<string, Value> | undefined, names: readonly string[]) =>
    new Map(Object.entries(values ?? {}).filter(([name]) => names.includes(name)));
  const { nodes = [], instances = [] } = deployment;
  return {
    calls,
    inputs: () => answer('inputs', deployment.inputs ?? {}),
    nodes: (ids) =>
      answer(
        'nodes',
        nodes.filter((node) => ids.includes(node.id)),
      ),
    instances: (ids) =>
      answer(
        'instances',
        instances.filter((instance) => ids.includes(instance.id)),
      ),
    instancesOf: (ids) =>
      answer(
        'instancesOf',
        instances.filter((instance) => ids.includes(instance.nodeId)),
      ),
    secrets: (names) => answer('secrets', pick(deployment.secrets, names)),
    deployments: (ids) => answer('deployments', pick(deployment.deployments, ids)),
    groupMembers: (ids) => answer('groupMembers', pick(deployment.groups, ids)),
    labelValues: (keys) => answer('labelValues', pick(deployment.labels, keys)),
    consumers: () => answer('consumers', deployment.consumers ?? []),
    system: () =>
      answer('system', {
        tenantName: 'default_tenant',
        deploymentId: 'shop',
        deploymentName: 'Shop',
        blueprintId: 'shop-blueprint',
        owner: 'ada',
      }),
  };
}

export function node(id: string, properties: JsonObject = {}, containedIn?: string): EvaluationNode {
  const typeHierarchy = ['cloudify.relationships.depends_on', 'cloudify.relationships.contained_in'];
  return { id, properties, relationships: containedIn === undefined ? [] : [{ targetId: containedIn, typeHierarchy }] };
}

export function instance(
  id: string,
  runtimeProperties: JsonObject = {},
  options: { targets?: Record<string, string>; groups?: Record<string, string>; index?: number } = {},
): EvaluationNodeInstance {
  return {
    id,
    nodeId: id.replace(/_\d+$/, ''),
    index: options.index ?? 1,
    runtimeProperties,
    relationships: Object.entries(options.targets ?? {}).map(([targetId, targetName]) => ({ targetName, targetId })),
    scalingGroups: Object.entries(options.groups ?? {}).map(([groupId, name]) => ({ name, id: groupId })),
  };
}

/** Expects a DslError of a class, with a text in its message. */
export async function expectRefusal(work: () => unknown, className: string, text: string | RegExp = ''): Promise<void> {
  let error: unknown;
  try {
    await work();
  } catch (thrown) {
    error = thrown;
  }
  expect(error, 'nothing was refused').to.be.instanceOf(DslError);
  const refusal = error as DslError;
  expect(refusal.className, refusal.message).to.equal(className);
  if (typeof text === 'string') {
    expect(refusal.message).to.contain(text);
  } else {
    expect(refusal.message).to.match(text);
  }
}

/** A small deployment with something of everything. */
export const SHOP: Deployment = {
  inputs: { port: 8080, web: { hosts: ['a', 'b'], tls: true }, lazy: { get_secret: 'token' }, name: 'shop' },
  nodes: [
    node('vm', {
      ip: '10.0.0.1',
      tags: { env: 'prod' },
      list: [1, 2, { deep: 'x' }],
      url: { get_attribute: ['SELF', 'ip'] },
    }),
    node('app', { port: { get_input: 'port' }, chained: { get_property: ['app', 'port'] } }, 'vm'),
    node('db'),
  ],
  instances: [
    instance('vm_1', { ip: '192.168.0.1', nested: { a: [10, 20] } }),
    instance(
      'app_1',
      { started: true, from_vm: { get_attribute: ['vm', 'ip'] } },
      { targets: { vm_1: 'vm' }, index: 7 },
    ),
    instance('db_1', { role: 'primary' }),
    instance('db_2', { role: 'replica' }),
  ],
  secrets: { token: 't0k3n', json: '{"user": {"name": "ada"}, "keys": ["k0", "k1"]}' },
  labels: { zone: ['eu', 'us'], 'csys-obj-parent': ['env'] },
  consumers: [
    { id: 'c1', name: 'First' },
    { id: 'c2', name: 'Second' },
  ],
};

/** Evaluates one value. */
export async function evaluate(
  value: Json,
  context: PayloadContext = {},
  deployment: Deployment = SHOP,
): Promise<Json> {
  const { v } = await evaluateFunctions({ v: value }, context, storageOf(deployment));
  return v as Json;
}
