import type { Json, JsonObject } from '../../domain/plan.ts';
import type { DeploymentGroupRequest, DeploymentGroupService } from '../../services/deployment-groups.ts';
import type { GroupDeployment } from '../../services/group-deployments.ts';
import type { MemberSelection } from '../../services/group-members.ts';
import { visibilityFor } from '../../services/identifiers.ts';
import { parseLabels } from '../../services/labels.ts';
import { json, optional, record, single } from '../answer.ts';
import { originOf, originProperties } from '../origin.ts';
import { noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import { deploymentGroupShape } from '../shapes/records.ts';
import { displayNameOf } from './deployments.ts';

const selectionProperties = {
  deployment_ids: { type: ['array', 'null'], items: { type: 'string' } },
  filter_id: { type: ['string', 'null'] },
  filter_rules: { type: ['array', 'null'] },
  deployments_from_group: { type: ['string', 'null'] },
};

const newDeploymentsSchema = {
  type: ['array', 'null'],
  items: {
    type: 'object',
    properties: {
      id: { type: ['string', 'null'] },
      inputs: { type: ['object', 'null'] },
      labels: { type: ['array', 'null'] },
      display_name: { type: ['string', 'null'] },
      site_name: { type: ['string', 'null'] },
      skip_plugins_validation: { type: ['boolean', 'null'] },
      runtime_only_evaluation: { type: ['boolean', 'null'] },
    },
  },
};

const putSchema = {
  type: 'object',
  properties: {
    description: { type: ['string', 'null'] },
    visibility: { type: ['string', 'null'] },
    labels: { type: ['array', 'null'] },
    blueprint_id: { type: ['string', 'null'] },
    default_inputs: { type: ['object', 'null'] },
    ...selectionProperties,
    new_deployments: newDeploymentsSchema,
    ...originProperties,
    creation_counter: { type: ['integer', 'null'], minimum: 0 },
  },
};

const patchSchema = {
  type: 'object',
  properties: {
    add: { type: ['object', 'null'], properties: { ...selectionProperties, new_deployments: newDeploymentsSchema } },
    remove: { type: ['object', 'null'], properties: selectionProperties },
  },
};

const idOf = ({ parameters }: ApiCall): string => parameters['id'] ?? '';

/** Texts that are empty count as not given. */
function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function selectionOf(body: JsonObject): MemberSelection {
  const { deployment_ids: ids, filter_rules: rules } = body;
  return {
    // the schema lets texts in only
    deploymentIds: Array.isArray(ids) ? (ids as string[]) : undefined,
    filterId: text(body['filter_id']),
    // clients send an empty list where they mean none; as rules it would choose every deployment there is
    filterRules: Array.isArray(rules) && rules.length > 0 ? rules : undefined,
    fromGroup: text(body['deployments_from_group']),
  };
}

function newDeploymentsOf(given: Json | undefined): GroupDeployment[] {
  return ((given ?? []) as JsonObject[]).map((one) => ({
    id: text(one['id']),
    displayName: displayNameOf(one['display_name']),
    inputs: (one['inputs'] ?? {}) as JsonObject,
    labels: parseLabels(one['labels'] ?? []),
    siteName: text(one['site_name']),
    runtimeOnlyEvaluation:
      typeof one['runtime_only_evaluation'] === 'boolean' ? one['runtime_only_evaluation'] : undefined,
    isSkippingPluginsValidation: one['skip_plugins_validation'] === true,
  }));
}

function putRequest(call: ApiCall): DeploymentGroupRequest {
  const body = call.body as JsonObject;
  const { labels, default_inputs: defaultInputs, creation_counter: counter } = body;
  const visibility = text(body['visibility']);
  return {
    visibility: visibility === undefined ? undefined : visibilityFor(call.tenantCaller, { visibility }),
    description: typeof body['description'] === 'string' ? body['description'] : undefined,
    blueprintId: text(body['blueprint_id']),
    defaultInputs: (defaultInputs ?? undefined) as JsonObject | undefined,
    labels: labels === undefined || labels === null ? undefined : parseLabels(labels),
    members: selectionOf(body),
    newDeployments: newDeploymentsOf(body['new_deployments']),
    origin: originOf(body),
    creationCounter: typeof counter === 'number' ? counter : undefined,
  };
}

/** Routes that change `/deployment-groups`. */
export function deploymentGroupRoutes(groups: DeploymentGroupService): Route[] {
  return [
    {
      method: 'put',
      path: '/deployment-groups/:id',
      summary: 'Create or change a deployment group',
      access: { permission: 'deployment_group_create' },
      body: putSchema,
      isRefusedWhileCancelling: true,
      answer: single(deploymentGroupShape),
      handle: async (call) =>
        ok(shapeOne(deploymentGroupShape, await groups.put(call.tenantCaller, idOf(call), putRequest(call)))),
    },
    {
      method: 'patch',
      path: '/deployment-groups/:id',
      summary: 'Add deployments to a group, or remove them',
      access: { permission: 'deployment_group_update' },
      body: patchSchema,
      isRefusedWhileCancelling: true,
      answer: single(deploymentGroupShape),
      handle: async (call) => {
        const { add, remove } = call.body as { add?: JsonObject | null; remove?: JsonObject | null };
        const group = await groups.changeMembers(call.tenantCaller, idOf(call), {
          add: add ? { ...selectionOf(add), newDeployments: newDeploymentsOf(add['new_deployments']) } : undefined,
          remove: remove ? selectionOf(remove) : undefined,
        });
        return ok(shapeOne(deploymentGroupShape, group));
      },
    },
    {
      method: 'delete',
      path: '/deployment-groups/:id',
      summary: 'Delete a deployment group, optionally with its deployments',
      access: { permission: 'deployment_group_delete' },
      query: ['delete_deployments', 'force', 'delete_logs', 'recursive'],
      answer: optional(json(record(undefined, { execution_group_id: 'text' }))),
      handle: async (call) => {
        const { query, tenantCaller } = call;
        if (!query.switch('delete_deployments')) {
          await groups.remove(tenantCaller, idOf(call));
          return noContent;
        }
        const executionGroupId = await groups.removeWithDeployments(tenantCaller, idOf(call), {
          isForced: query.switch('force'),
          isDeletingLogs: query.switch('delete_logs'),
          isRecursive: query.switch('recursive'),
        });
        return ok({ execution_group_id: executionGroupId });
      },
    },
  ];
}
