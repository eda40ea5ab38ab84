import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import type { NodeInstanceService, NodeService, Owned } from '../../services/nodes.ts';
import type { NewNodeInstance, NodeInstanceUpdate } from '../../store/node-instances.ts';
import type { NewNode, NodeUpdate } from '../../store/nodes.ts';
import { none, nothing, optional, pageOf, single } from '../answer.ts';
import { isObject, textMember } from '../body.ts';
import { envelope, listAnswer, parseList } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { project, shapeOne } from '../shapes/field.ts';
import { nodeInstanceShape, nodeShape } from '../shapes/node.ts';

/** Whose a node or instance is, as clients that restore it tell. */
const ownedProperties = { creator: { type: ['string', 'null'] } };

const nodesSchema = {
  type: 'object',
  required: ['deployment_id', 'nodes'],
  properties: {
    deployment_id: { type: 'string' },
    nodes: { type: 'array', items: { type: 'object', required: ['id', 'type'], properties: ownedProperties } },
  },
};

const nodeUpdateSchema = {
  type: 'object',
  properties: {
    plugins: { type: ['array', 'null'] },
    operations: { type: ['object', 'null'] },
    relationships: { type: ['array', 'null'] },
    properties: { type: ['object', 'null'] },
    capabilities: { type: ['object', 'null'] },
  },
};

const instancesSchema = {
  type: 'object',
  required: ['deployment_id', 'node_instances'],
  properties: {
    deployment_id: { type: 'string' },
    node_instances: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'node_id'],
        properties: {
          ...ownedProperties,
          has_configuration_drift: { type: ['boolean', 'null'] },
          is_status_check_ok: { type: ['boolean', 'null'] },
        },
      },
    },
  },
};

const instanceUpdateSchema = {
  type: 'object',
  required: ['version'],
  properties: {
    version: { type: 'integer', minimum: 0 },
    state: { type: ['string', 'null'] },
    runtime_properties: { type: ['object', 'null'] },
    system_properties: { type: ['object', 'null'] },
    relationships: { type: ['array', 'null'] },
  },
};

function object(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function optionalText(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function nameOf(value: Json | undefined): string | undefined {
  return optionalText(value) || undefined;
}

function integer(...values: (Json | undefined)[]): number {
  for (const value of values) {
    if (typeof value === 'number' && Number.isInteger(value)) {
      return value;
    }
  }
  return 1;
}

const keptRelationshipKeys = [
  'target_id',
  'type',
  'type_hierarchy',
  'properties',
  'source_operations',
  'target_operations',
];

function relationships(value: Json | undefined): JsonObject[] {
  return objects(value).map((relationship) =>
    Object.fromEntries(keptRelationshipKeys.map((key) => [key, relationship[key] ?? null])),
  );
}

/** A node of a plan, or one from a dump, as it is stored. */
function newNode(node: JsonObject): Owned<NewNode> {
  const scalable = object(object(object(node['capabilities'])['scalable'])['properties']);
  const type = textMember(node, 'type');
  const hierarchy = node['type_hierarchy'];
  const current = integer(node['number_of_instances'], scalable['current_instances']);
  return {
    creator: nameOf(node['creator']),
    id: textMember(node, 'id'),
    type,
    typeHierarchy: Array.isArray(hierarchy) ? hierarchy.map(String) : [type],
    hostId: optionalText(node['host_id']),
    properties: object(node['properties']),
    operations: object(node['operations']),
    relationships: relationships(node['relationships']),
    plugins: objects(node['plugins']),
    pluginsToInstall: Array.isArray(node['plugins_to_install']) ? objects(node['plugins_to_install']) : undefined,
    numberOfInstances: current,
    plannedNumberOfInstances: integer(node['planned_number_of_instances'], current),
    deployNumberOfInstances: integer(node['deploy_number_of_instances'], scalable['default_instances']),
    minNumberOfInstances: integer(node['min_number_of_instances'], scalable['min_instances']),
    maxNumberOfInstances: integer(node['max_number_of_instances'], scalable['max_instances']),
  };
}

/** What a deployment update changes of a node; empty values leave it as it is. */
function nodeUpdate(body: JsonObject): NodeUpdate {
  const scalable = object(object(object(body['capabilities'])['scalable'])['properties']);
  const update: NodeUpdate = {};
  if (objects(body['plugins']).length > 0) {
    update.plugins = objects(body['plugins']);
  }
  if (Object.keys(object(body['operations'])).length > 0) {
    update.operations = object(body['operations']);
  }
  if (objects(body['relationships']).length > 0) {
    update.relationships = relationships(body['relationships']);
  }
  if (Object.keys(object(body['properties'])).length > 0) {
    update.properties = object(body['properties']);
  }
  const counts = {
    maxNumberOfInstances: scalable['max_instances'],
    minNumberOfInstances: scalable['min_instances'],
    numberOfInstances: scalable['current_instances'],
    deployNumberOfInstances: scalable['default_instances'],
    plannedNumberOfInstances: scalable['planned_instances'],
  };
  for (const [key, value] of Object.entries(counts)) {
    if (typeof value === 'number') {
      update[key as keyof typeof counts] = value;
    }
  }
  return update;
}

function newInstance(instance: JsonObject): Owned<NewNodeInstance> {
  const { index, version, state, has_configuration_drift: hasDrift, is_status_check_ok: isOk } = instance;
  return {
    creator: nameOf(instance['creator']),
    id: textMember(instance, 'id'),
    nodeId: textMember(instance, 'node_id'),
    hostId: optionalText(instance['host_id']),
    index: typeof index === 'number' ? index : undefined,
    relationships: objects(instance['relationships']),
    scalingGroups: objects(instance['scaling_groups']) as unknown as { name: string; id: string }[],
    runtimeProperties: object(instance['runtime_properties']),
    systemProperties: object(instance['system_properties']),
    state: typeof state === 'string' ? state : 'uninitialized',
    version: typeof version === 'number' ? version : 1,
    hasConfigurationDrift: typeof hasDrift === 'boolean' ? hasDrift : undefined,
    isStatusCheckOk: typeof isOk === 'boolean' ? isOk : undefined,
  };
}

function instanceUpdate(body: JsonObject): NodeInstanceUpdate {
  const given = (name: string): JsonObject | undefined => (isObject(body[name]) ? body[name] : undefined);
  return {
    version: Number(body['version']),
    state: optionalText(body['state']),
    runtimeProperties: given('runtime_properties'),
    systemProperties: given('system_properties'),
    relationships: Array.isArray(body['relationships']) ? objects(body['relationships']) : undefined,
  };
}

/** Routes of `/nodes`. */
export function nodeRoutes(nodes: NodeService): Route[] {
  const place = ({ parameters }: ApiCall): [string, string] => [
    parameters['deployment_id'] ?? '',
    parameters['node_id'] ?? '',
  ];
  return [
    {
      method: 'get',
      path: '/nodes',
      summary: 'List nodes',
      access: { permission: 'node_list', hasAllTenants: true },
      query: ['_evaluate_functions', '_instance_context'],
      answer: pageOf(nodeShape),
      handle: async (call) => {
        const { query } = call;
        const parsed = parseList(query, nodeShape, { search: { _search: 'id' } });
        const page = await nodes.list(call.caller, parsed.query, parsed.isAllTenants);
        if (!query.flag('_evaluate_functions')) {
          return ok(listAnswer(parsed, page));
        }
        const evaluated = await nodes.evaluate(call.tenantCaller, page.items, query.one('_instance_context'));
        const items = evaluated.map((node) => ({ ...project(parsed.fields, node), name: node.id }));
        const { size, offset } = parsed;
        return ok(envelope(items, { total: page.total, size, offset, filtered: page.filtered }));
      },
    },
    {
      method: 'post',
      path: '/nodes',
      summary: 'Add nodes to a deployment',
      access: { permission: 'deployment_create' },
      body: nodesSchema,
      answer: optional(none),
      handle: async ({ tenantCaller, body }) => {
        const request = body as JsonObject;
        const given = objects(request['nodes']);
        if (given.length === 0) {
          return noContent;
        }
        await nodes.create(tenantCaller, textMember(request, 'deployment_id'), given.map(newNode));
        return created();
      },
    },
    {
      method: 'patch',
      path: '/nodes/:deployment_id/:node_id',
      summary: 'Change a node in a deployment update',
      access: { permission: 'node_update' },
      body: nodeUpdateSchema,
      answer: nothing,
      handle: async (call) => {
        await nodes.update(call.tenantCaller, ...place(call), nodeUpdate(call.body as JsonObject));
        return noContent;
      },
    },
    {
      method: 'delete',
      path: '/nodes/:deployment_id/:node_id',
      summary: 'Remove a node in a deployment update',
      access: { permission: 'node_delete' },
      answer: nothing,
      handle: async (call) => {
        await nodes.remove(call.tenantCaller, ...place(call));
        return noContent;
      },
    },
  ];
}

/** Routes of `/node-instances`. */
export function nodeInstanceRoutes(instances: NodeInstanceService): Route[] {
  const idOf = ({ parameters }: ApiCall): string => parameters['node_instance_id'] ?? '';
  return [
    {
      method: 'get',
      path: '/node-instances',
      summary: 'List node instances',
      access: { permission: 'node_instance_list', hasAllTenants: true },
      answer: pageOf(nodeInstanceShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, nodeInstanceShape, { search: { _search: 'id' } });
        return ok(listAnswer(parsed, await instances.list(caller, parsed.query, parsed.isAllTenants)));
      },
    },
    {
      method: 'post',
      path: '/node-instances',
      summary: 'Add node instances to a deployment',
      access: { permission: 'deployment_create' },
      body: instancesSchema,
      answer: optional(none),
      handle: async ({ tenantCaller, body }) => {
        const request = body as JsonObject;
        const given = objects(request['node_instances']);
        if (given.length === 0) {
          return noContent;
        }
        await instances.create(tenantCaller, textMember(request, 'deployment_id'), given.map(newInstance));
        return created();
      },
    },
    {
      method: 'get',
      path: '/node-instances/:node_instance_id',
      summary: 'Get a node instance',
      access: { permission: 'node_instance_get' },
      query: ['_evaluate_functions'],
      answer: single(nodeInstanceShape),
      handle: async (call) => {
        const instance = await instances.get(call.tenantCaller, idOf(call));
        const shown = call.query.flag('_evaluate_functions')
          ? await instances.evaluate(call.tenantCaller, instance)
          : instance;
        return ok(shapeOne(nodeInstanceShape, shown, call.query.include()));
      },
    },
    {
      method: 'patch',
      path: '/node-instances/:node_instance_id',
      summary: 'Change a node instance; refused when it has changed since the given version',
      access: { permission: 'node_instance_update' },
      query: ['force'],
      body: instanceUpdateSchema,
      answer: single(nodeInstanceShape),
      handle: async (call) => {
        const update = instanceUpdate(call.body as JsonObject);
        if (update.version < 0) {
          throw new GantryError('bad_parameters_error', 'version must not be negative');
        }
        const isForced = call.query.flag('force');
        const instance = await instances.update(call.tenantCaller, idOf(call), update, isForced);
        return ok(shapeOne(nodeInstanceShape, instance, call.query.include()));
      },
      replay: async (call) => {
        const instance = await instances.get(call.tenantCaller, idOf(call));
        return ok(shapeOne(nodeInstanceShape, instance, call.query.include()));
      },
    },
    {
      method: 'delete',
      path: '/node-instances/:node_instance_id',
      summary: 'Remove a node instance in a deployment update',
      access: { permission: 'node_instance_delete' },
      answer: nothing,
      handle: async (call) => {
        await instances.remove(call.tenantCaller, idOf(call));
        return noContent;
      },
    },
  ];
}
