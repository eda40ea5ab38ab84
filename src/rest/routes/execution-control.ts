import { operationActions } from '../../domain/control.ts';
import type { Breakpoint, OperationAction } from '../../domain/control.ts';
import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import type { ExecutionControlService } from '../../services/execution-control.ts';
import { json, list, pageOf, record, schemaOfShape, single } from '../answer.ts';
import { isObject } from '../body.ts';
import { listAnswer, parseList, readBoolean } from '../query.ts';
import { ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { executionShape } from '../shapes/execution.ts';
import { shapeOne } from '../shapes/field.ts';
import { operationHistoryShape } from '../shapes/operation-history.ts';

const optionalText = { type: ['string', 'null'], minLength: 1 };

/** Schema of a list of breakpoints. */
export const breakpointsSchema = {
  type: 'array',
  maxItems: 100,
  items: {
    type: 'object',
    additionalProperties: false,
    properties: {
      operation: optionalText,
      node_id: optionalText,
      node_instance_id: optionalText,
      type: optionalText,
    },
  },
};

const setSchema = { type: 'object', required: ['breakpoints'], properties: { breakpoints: breakpointsSchema } };

const decisionSchema = {
  type: 'object',
  required: ['action'],
  additionalProperties: false,
  properties: {
    action: { type: 'string', enum: [...operationActions] },
    inputs: { type: ['object', 'null'] },
    result: {},
    reason: { type: ['string', 'null'], maxLength: 1000 },
    resume: { type: ['boolean', 'string', 'null'] },
  },
};

/** Reads breakpoints that passed `breakpointsSchema`. */
export function readBreakpoints(value: Json | undefined): Breakpoint[] {
  const text = (item: JsonObject, name: string): string | undefined => {
    const member = item[name];
    return typeof member === 'string' ? member : undefined;
  };
  return (Array.isArray(value) ? value : []).filter(isObject).map((item) => ({
    operation: text(item, 'operation'),
    nodeId: text(item, 'node_id'),
    nodeInstanceId: text(item, 'node_instance_id'),
    type: text(item, 'type'),
  }));
}

const breakpointList = record(undefined, {
  items: list(record('Breakpoint', { operation: 'text', node_id: 'text', node_instance_id: 'text', type: 'text' })),
});
const execution = schemaOfShape(executionShape);
const steppedSchema = {
  ...execution,
  title: 'SteppedExecution',
  properties: { ...(execution['properties'] as object), released_operations: { type: 'integer' } },
};

function shapeBreakpoint({ operation, nodeId, nodeInstanceId, type }: Breakpoint): Record<string, unknown> {
  return {
    operation: operation ?? null,
    node_id: nodeId ?? null,
    node_instance_id: nodeInstanceId ?? null,
    type: type ?? null,
  };
}

const idOf = ({ parameters }: ApiCall): string => parameters['execution_id'] ?? '';

/** Routes for steering executions and looking at their operations. */
export function executionControlRoutes(control: ExecutionControlService): Route[] {
  return [
    {
      method: 'put',
      path: '/executions/:execution_id/breakpoints',
      summary: 'Replace the breakpoints of an execution',
      access: { permission: 'execution_cancel' },
      body: setSchema,
      answer: json(breakpointList),
      handle: async (call) => {
        const breakpoints = readBreakpoints((call.body as JsonObject)['breakpoints']);
        const execution = await control.setBreakpoints(call.tenantCaller, idOf(call), breakpoints);
        return ok({ items: execution.breakpoints.map(shapeBreakpoint) });
      },
    },
    {
      method: 'get',
      path: '/executions/:execution_id/breakpoints',
      summary: 'List the breakpoints of an execution',
      access: { permission: 'execution_get' },
      answer: json(breakpointList),
      handle: async (call) => {
        const execution = await control.get(call.tenantCaller, idOf(call));
        return ok({ items: execution.breakpoints.map(shapeBreakpoint) });
      },
    },
    {
      method: 'post',
      path: '/executions/:execution_id/step',
      summary: 'Release the operations that are held now',
      access: { permission: 'execution_cancel' },
      answer: json(steppedSchema),
      handle: async (call) => {
        const count = await control.step(call.tenantCaller, idOf(call));
        const execution = await control.get(call.tenantCaller, idOf(call));
        return ok({ ...shapeOne(executionShape, execution), released_operations: count });
      },
    },
    {
      method: 'get',
      path: '/executions/:execution_id/operations',
      summary: 'List the operations of an execution, with every attempt',
      access: { permission: 'operations' },
      query: ['state'],
      answer: pageOf(operationHistoryShape),
      handle: async (call) => {
        const parsed = parseList(call.query, operationHistoryShape);
        return ok(listAnswer(parsed, await control.operations(call.tenantCaller, idOf(call), parsed.query)));
      },
    },
    {
      method: 'post',
      path: '/executions/:execution_id/operations/:operation_id',
      summary: 'Retry, skip, mark as done, edit or step one operation',
      access: { permission: 'execution_cancel' },
      body: decisionSchema,
      answer: single(operationHistoryShape),
      handle: async (call) => {
        const request = call.body as JsonObject;
        const { inputs, reason, resume } = request;
        const action = request['action'] as OperationAction;
        if (inputs && action !== 'edit' && action !== 'retry') {
          throw new GantryError('bad_parameters_error', `Inputs cannot be given with the action ${action}`);
        }
        const target = { executionId: idOf(call), operationId: call.parameters['operation_id'] ?? '' };
        const operation = await control.decide(call.tenantCaller, target, {
          action,
          inputs: isObject(inputs) ? inputs : undefined,
          result: request['result'],
          reason: typeof reason === 'string' && reason !== '' ? reason : undefined,
          isResumed: resume === undefined || resume === null ? true : readBoolean(resume, 'resume'),
        });
        return ok(shapeOne(operationHistoryShape, operation));
      },
    },
  ];
}
