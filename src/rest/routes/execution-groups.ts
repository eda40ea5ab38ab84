import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { executionGroupActions } from '../../services/execution-groups.ts';
import type { ExecutionGroupService } from '../../services/execution-groups.ts';
import { pageOf, single } from '../answer.ts';
import { originOf, originProperties } from '../origin.ts';
import { listAnswer, parseList, readBoolean } from '../query.ts';
import { ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { isObject, textMember } from '../body.ts';
import { shapeOne } from '../shapes/field.ts';
import { executionGroupShape, withoutMembers } from '../shapes/records.ts';
import { pythonRepr } from '../../domain/python-text.ts';

const startSchema = {
  type: 'object',
  required: ['deployment_group_id', 'workflow_id'],
  properties: {
    // null in a group that is restored after its deployments' group has gone
    deployment_group_id: { type: ['string', 'null'] },
    workflow_id: { type: 'string' },
    default_parameters: { type: ['object', 'null'] },
    parameters: { type: ['object', 'null'], additionalProperties: { type: ['object', 'null'] } },
    force: { type: ['boolean', 'string', 'null'] },
    concurrency: { type: ['integer', 'null'] },
    id: { type: ['string', 'null'] },
    associated_executions: { type: ['array', 'null'], items: { type: 'string' } },
    ...originProperties,
  },
};

const actionSchema = { type: 'object', required: ['action'], properties: { action: { type: 'string' } } };

const changeSchema = {
  type: 'object',
  properties: {
    success_group_id: { type: ['string', 'null'] },
    failure_group_id: { type: ['string', 'null'] },
    concurrency: { type: ['integer', 'null'] },
  },
};

/** Compatibility: that of Cloudify 7. */
const defaultConcurrency = 5;

const idOf = ({ parameters }: ApiCall): string => parameters['group_id'] ?? '';

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function startRoute(groups: ExecutionGroupService): Route {
  return {
    method: 'post',
    path: '/execution-groups',
    summary: 'Start a workflow on every deployment of a group',
    access: { permission: 'execution_group_create' },
    body: startSchema,
    isRefusedWhileCancelling: true,
    answer: single(executionGroupShape),
    handle: async (call) => {
      const body = call.body as JsonObject;
      const { force, associated_executions: executions, parameters, default_parameters: defaults } = body;
      const deploymentGroupId = text(body['deployment_group_id']);
      const common = {
        id: text(body['id']),
        origin: originOf(body),
        workflowId: text(body['workflow_id']) ?? '',
        concurrency: typeof body['concurrency'] === 'number' ? body['concurrency'] : defaultConcurrency,
      };
      const group =
        Array.isArray(executions) && executions.length > 0
          ? await groups.restore(call.tenantCaller, {
              ...common,
              deploymentGroupId,
              executionIds: executions as string[],
            })
          : await groups.start(call.tenantCaller, {
              ...common,
              deploymentGroupId: textMember(body, 'deployment_group_id'),
              defaultParameters: (defaults ?? {}) as JsonObject,
              parameters: Object.fromEntries(
                Object.entries(parameters ?? {}).flatMap(([id, own]) => (isObject(own) ? [[id, own]] : [])),
              ),
              force: force === undefined || force === null ? false : readBoolean(force, 'force'),
            });
      return ok(shapeOne(executionGroupShape, group));
    },
  };
}

/** Routes of `/execution-groups`. */
export function executionGroupRoutes(groups: ExecutionGroupService): Route[] {
  return [
    {
      method: 'get',
      path: '/execution-groups',
      summary: 'List execution groups',
      access: { permission: 'execution_group_list', hasAllTenants: true },
      query: ['_get_data'],
      answer: pageOf(executionGroupShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, executionGroupShape);
        if (query.flag('_get_data')) {
          return ok(listAnswer(parsed, await groups.list(caller, parsed.query, parsed.isAllTenants)));
        }
        const page = await groups.list(caller, { ...parsed.query, fields: [] }, parsed.isAllTenants);
        return ok(listAnswer(parsed, { ...page, items: page.items.map(withoutMembers) }));
      },
    },
    {
      method: 'get',
      path: '/execution-groups/:group_id',
      summary: 'Get an execution group',
      access: { permission: 'execution_group_get', hasAllTenants: true },
      answer: single(executionGroupShape),
      handle: async (call) => {
        const { caller, query } = call;
        const group = await groups.get(caller, idOf(call), query.flag('_all_tenants'));
        return ok(shapeOne(executionGroupShape, group, query.include()));
      },
    },
    startRoute(groups),
    {
      method: 'post',
      path: '/execution-groups/:group_id',
      summary: 'Cancel or resume the executions of a group',
      access: { permission: 'execution_group_cancel' },
      query: ['_get_data'],
      body: actionSchema,
      answer: single(executionGroupShape),
      handle: async (call) => {
        const { action: given } = call.body as { action: string };
        const action = executionGroupActions.find((known) => known === given);
        if (!action) {
          throw new GantryError(
            'bad_parameters_error',
            `Invalid action: ${given}, Valid action values are: ${pythonRepr(executionGroupActions)}`,
          );
        }
        const group = await groups.act(call.tenantCaller, idOf(call), action);
        return ok(shapeOne(executionGroupShape, call.query.flag('_get_data') ? group : withoutMembers(group)));
      },
    },
    {
      method: 'patch',
      path: '/execution-groups/:group_id',
      summary: 'Change the concurrency of an execution group, and the target groups of its deployments',
      access: { permission: 'execution_group_update' },
      body: changeSchema,
      answer: single(executionGroupShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const group = await groups.change(call.tenantCaller, idOf(call), {
          successGroupId: text(body['success_group_id']),
          failureGroupId: text(body['failure_group_id']),
          concurrency: typeof body['concurrency'] === 'number' ? body['concurrency'] : undefined,
        });
        return ok(shapeOne(executionGroupShape, group));
      },
    },
  ];
}
