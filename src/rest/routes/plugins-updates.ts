import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { pluginsUpdateStates } from '../../domain/states.ts';
import type { PluginsUpdateOrder, PluginsUpdateRecord, PluginsUpdateService } from '../../services/plugins-updates.ts';
import type { PluginChoice, PluginMapping } from '../../topology/index.ts';
import { optional, single } from '../answer.ts';
import { isObject } from '../body.ts';
import { originOf, originProperties } from '../origin.ts';
import { noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import { pluginsUpdateShape } from '../shapes/records.ts';

const flag = { type: ['boolean', 'null'] };
const names = { type: ['array', 'null'], items: { type: 'string' }, maxItems: 10_000 };
const text = { type: ['string', 'null'] };
const mappingSchema = {
  type: 'object',
  properties: {
    updates: {
      type: ['array', 'null'],
      items: {
        type: 'object',
        additionalProperties: {
          type: 'object',
          properties: { plugin_name: { type: 'string' }, suggested_version: { type: ['string', 'null'] } },
        },
      },
    },
  },
};

const initiateSchema = {
  type: 'object',
  properties: {
    plugin_names: names,
    all_to_latest: flag,
    to_latest: names,
    all_to_minor: flag,
    to_minor: names,
    mapping: { anyOf: [mappingSchema, { type: 'null' }] },
    force: flag,
    auto_correct_types: flag,
    reevaluate_active_statuses: flag,
    all_tenants: flag,
    ...originProperties,
    update_id: text,
    execution_id: text,
    state: { enum: [...pluginsUpdateStates, '', null] },
    affected_deployments: names,
    deployments_per_tenant: {
      type: ['object', 'null'],
      additionalProperties: { type: 'array', items: { type: 'string' } },
    },
    temp_blueprint_id: text,
  },
};

/** What only an update has that is restored. */
const recordMembers = [
  ...['created_by', 'created_at', 'update_id', 'execution_id', 'state', 'affected_deployments'],
  ...['deployments_per_tenant', 'temp_blueprint_id'],
];

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function textsOf(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function mappingsOf(value: Json | undefined): PluginMapping[] {
  const updates = isObject(value) ? value['updates'] : undefined;
  return (Array.isArray(updates) ? updates.filter(isObject) : []).flatMap((update) =>
    Object.entries(update).flatMap(([importLine, mapping]) => {
      const pluginName = isObject(mapping) ? textOf(mapping['plugin_name']) : undefined;
      const version = isObject(mapping) ? textOf(mapping['suggested_version']) : undefined;
      return pluginName === undefined || version === undefined ? [] : [{ importLine, pluginName, version }];
    }),
  );
}

function choiceOf(body: JsonObject): PluginChoice {
  return {
    names: textsOf(body['plugin_names']),
    allToLatest: body['all_to_latest'] === true,
    toLatest: textsOf(body['to_latest']),
    allToMinor: body['all_to_minor'] === true,
    toMinor: textsOf(body['to_minor']),
    mappings: mappingsOf(body['mapping']),
  };
}

function orderOf(body: JsonObject): PluginsUpdateOrder {
  return {
    choice: choiceOf(body),
    isForced: body['force'] === true,
    autoCorrectTypes: body['auto_correct_types'] === true,
    reevaluatesStates: body['reevaluate_active_statuses'] === true,
    isAllTenants: body['all_tenants'] === true,
  };
}

/** @throws GantryError bad_parameters_error without the state */
function recordOf(body: JsonObject): PluginsUpdateRecord {
  const state = pluginsUpdateStates.find((known) => known === body['state']);
  if (!state) {
    throw new GantryError('bad_parameters_error', 'State must be supplied when overriding plugin update settings.');
  }
  return {
    state,
    id: textOf(body['update_id']),
    isForced: body['force'] === true,
    isAllTenants: body['all_tenants'] === true,
    executionId: textOf(body['execution_id']),
    temporaryBlueprintId: textOf(body['temp_blueprint_id']),
    deploymentsToUpdate: body['affected_deployments'] ?? undefined,
    deploymentsPerTenant: body['deployments_per_tenant'] ?? undefined,
    origin: originOf(body),
  };
}

const idOf = ({ parameters }: ApiCall): string => parameters['id'] ?? '';

/** Routes that change what is under `/plugins-updates`; reading is among the records. */
export function pluginsUpdateRoutes(updates: PluginsUpdateService): Route[] {
  return [
    {
      method: 'post',
      path: '/plugins-updates/:id/update/:phase',
      summary:
        'Bring the deployments of a blueprint to other versions of its plugins (phase initiate), or end such an update ' +
        '(phase finalize)',
      access: { permission: 'plugins_update_create' },
      body: initiateSchema,
      isBodyOptional: true,
      answer: optional(single(pluginsUpdateShape)),
      isRefusedWhileCancelling: true,
      handle: async (call) => {
        const { tenantCaller: caller, parameters, query, signal } = call;
        const body = call.body as JsonObject;
        const isRecord = recordMembers.some((name) => (body[name] ?? '') !== '');
        if (parameters['phase'] === 'finalize') {
          return ok(shapeOne(pluginsUpdateShape, await updates.finalize(caller, idOf(call)), query.include()));
        }
        if (parameters['phase'] !== 'initiate') {
          return noContent;
        }
        const update = isRecord
          ? await updates.record(caller, idOf(call), recordOf(body))
          : await updates.initiate(caller, idOf(call), orderOf(body), signal);
        return ok(shapeOne(pluginsUpdateShape, update, query.include()));
      },
    },
  ];
}
