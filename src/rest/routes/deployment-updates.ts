import type { Json, JsonObject } from '../../domain/plan.ts';
import type { DeploymentUpdateStep } from '../../domain/resources.ts';
import { deploymentUpdateStates } from '../../domain/states.ts';
import type { DeploymentUpdateState, Visibility } from '../../domain/states.ts';
import { GantryError } from '../../domain/errors.ts';
import { orderSchema, readOrder } from '../../executor/system/update/order.ts';
import type { DeploymentUpdateService, UpdateRecord, UpdateReport } from '../../services/deployment-updates.ts';
import { none, optional, single } from '../answer.ts';
import { checkBody, isObject } from '../body.ts';
import { created, noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import { deploymentUpdateShape } from '../shapes/records.ts';
import { readTime } from '../../domain/read-time.ts';

const stepSchema = {
  type: 'object',
  required: ['action', 'entity_id', 'entity_type'],
  properties: {
    action: { enum: ['add', 'remove', 'modify'] },
    entity_id: { type: ['array', 'string'] },
    entity_type: { type: 'string' },
    topology_order: { type: ['integer', 'null'] },
  },
};

const state = { enum: [...deploymentUpdateStates, null] };
const steps = { type: ['array', 'null'], items: stepSchema };

const changeSchema = {
  type: 'object',
  properties: {
    state,
    plan: { type: ['object', 'null'] },
    steps,
    nodes: { type: ['object', 'null'] },
    node_instances: { type: ['object', 'null'] },
  },
};

const documentMembers = {
  deployment_plan: {},
  deployment_update_node_instances: {},
  deployment_update_nodes: {},
  modified_entity_ids: {},
  central_plugins_to_install: {},
  central_plugins_to_uninstall: {},
  old_inputs: { type: ['object', 'null'] },
  runtime_only_evaluation: { type: ['boolean', 'null'] },
};

const putSchema = {
  type: 'object',
  required: ['deployment_id'],
  properties: {
    deployment_id: { type: 'string' },
    state,
    inputs: { type: ['object', 'null'] },
    blueprint_id: { type: ['string', 'null'] },
    old_blueprint_id: { type: ['string', 'null'] },
    execution_id: { type: ['string', 'null'] },
    created_at: { type: ['string', 'null'] },
    created_by: { type: ['string', 'null'] },
    visibility: { enum: ['private', 'tenant', 'global', null] },
    steps,
    ...documentMembers,
  },
};

const bulkSchema = {
  type: 'object',
  required: ['deployment_updates'],
  properties: { deployment_updates: { type: 'array', items: { type: 'object' } } },
};

/** One of a bulk: members have the names they have in answers. */
const bulkItemSchema = {
  type: 'object',
  required: ['id', 'deployment_id'],
  properties: {
    ...putSchema.properties,
    id: { type: 'string' },
    new_blueprint_id: { type: ['string', 'null'] },
    new_inputs: { type: ['object', 'null'] },
    creator: { type: ['string', 'null'] },
  },
};

const idOf = ({ parameters }: ApiCall): string => parameters['id'] ?? '';

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function stepsOf(value: Json | undefined): Omit<DeploymentUpdateStep, 'id'>[] {
  return (Array.isArray(value) ? value.filter(isObject) : []).map((step) => ({
    action: step['action'] as DeploymentUpdateStep['action'],
    entityType: textOf(step['entity_type']) ?? '',
    entityId: [step['entity_id'] ?? []].flat(1).map((item) => (typeof item === 'string' ? item : JSON.stringify(item))),
    topologyOrder: typeof step['topology_order'] === 'number' ? step['topology_order'] : 0,
  }));
}

function documentOf(value: Json | undefined): Json | undefined {
  return value ?? undefined;
}

function inputsOf(value: Json | undefined): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

function stateOf(value: Json | undefined): DeploymentUpdateState | undefined {
  return deploymentUpdateStates.find((known) => known === value);
}

function reportOf(body: JsonObject): UpdateReport {
  return {
    documents: {
      state: stateOf(body['state']),
      deploymentPlan: documentOf(body['plan']),
      nodes: documentOf(body['nodes']),
      nodeInstances: documentOf(body['node_instances']),
    },
    steps: stepsOf(body['steps']),
  };
}

function recordOf(id: string, body: JsonObject): UpdateRecord {
  const { runtime_only_evaluation: evaluation } = body;
  const createdAt = textOf(body['created_at']);
  return {
    id,
    deploymentId: textOf(body['deployment_id']) ?? '',
    executionId: textOf(body['execution_id']),
    oldBlueprintId: textOf(body['old_blueprint_id']),
    newBlueprintId: textOf(body['new_blueprint_id'] ?? body['blueprint_id']),
    createdAt: createdAt === undefined ? undefined : readTime(createdAt, 'created_at'),
    createdBy: textOf(body['creator'] ?? body['created_by']),
    visibility: textOf(body['visibility']) as Visibility | undefined,
    documents: {
      state: stateOf(body['state']),
      newInputs: inputsOf(body['new_inputs'] ?? body['inputs']),
      oldInputs: inputsOf(body['old_inputs']),
      deploymentPlan: documentOf(body['deployment_plan']),
      nodes: documentOf(body['deployment_update_nodes']),
      nodeInstances: documentOf(body['deployment_update_node_instances']),
      modifiedEntityIds: documentOf(body['modified_entity_ids']),
      centralPluginsToInstall: documentOf(body['central_plugins_to_install']),
      centralPluginsToUninstall: documentOf(body['central_plugins_to_uninstall']),
      runtimeOnlyEvaluation: typeof evaluation === 'boolean' ? evaluation : undefined,
    },
    steps: stepsOf(body['steps']),
  };
}

function initiateRoute(updates: DeploymentUpdateService): Route {
  return {
    method: 'post',
    path: '/deployment-updates/:id/update/:phase',
    summary: 'Start a deployment update (phase initiate); other phases return the update and do nothing',
    access: { permission: 'deployment_update_create' },
    body: orderSchema,
    isBodyOptional: true,
    isRefusedWhileCancelling: true,
    answer: single(deploymentUpdateShape),
    handle: async (call) => {
      const { tenantCaller, query } = call;
      const update =
        call.parameters['phase'] === 'initiate'
          ? await updates.initiate(tenantCaller, idOf(call), readOrder(call.body as JsonObject), call.signal)
          : await updates.get(tenantCaller, idOf(call));
      return ok(shapeOne(deploymentUpdateShape, update, query.include()));
    },
  };
}

/** Routes that change what is under `/deployment-updates`; reading is among the records. */
export function deploymentUpdateRoutes(updates: DeploymentUpdateService): Route[] {
  return [
    initiateRoute(updates),
    {
      method: 'put',
      path: '/deployment-updates/:id',
      summary: 'Store a deployment update as given, for executions and restores',
      access: { permission: 'deployment_update_create' },
      body: putSchema,
      answer: single(deploymentUpdateShape),
      handle: async (call) => {
        const [update] = await updates.put(call.tenantCaller, [recordOf(idOf(call), call.body as JsonObject)]);
        if (!update) {
          throw new GantryError('not_found_error', `Deployment update ${idOf(call)} was not stored`);
        }
        return ok(shapeOne(deploymentUpdateShape, update, call.query.include()));
      },
    },
    {
      method: 'patch',
      path: '/deployment-updates/:id',
      summary: 'Change a stored deployment update',
      access: { permission: 'deployment_update_update' },
      body: changeSchema,
      answer: single(deploymentUpdateShape),
      handle: async (call) => {
        const update = await updates.change(call.tenantCaller, idOf(call), reportOf(call.body as JsonObject));
        return ok(shapeOne(deploymentUpdateShape, update, call.query.include()));
      },
    },
    {
      method: 'post',
      path: '/deployment-updates',
      summary: 'Store deployment updates as given, for restores',
      access: { permission: 'deployment_update_create' },
      body: bulkSchema,
      answer: optional(none),
      handle: async ({ tenantCaller, body }) => {
        const { deployment_updates: items } = body as { deployment_updates: JsonObject[] };
        if (items.length === 0) {
          return noContent;
        }
        items.forEach((item) => checkBody(bulkItemSchema, item));
        await updates.put(
          tenantCaller,
          items.map((item) => recordOf(textOf(item['id']) ?? '', item)),
        );
        return created();
      },
    },
  ];
}
