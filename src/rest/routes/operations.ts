import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { operationStates } from '../../domain/states.ts';
import type { OperationService } from '../../services/operations.ts';
import type { NewOperation } from '../../store/tasks-graphs.ts';
import { json, nothing, pageOf, single } from '../answer.ts';
import { isObject, textMember } from '../body.ts';
import { envelope, listAnswer, parseList } from '../query.ts';
import type { QueryValues } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { project, selectFields, shapeOne } from '../shapes/field.ts';
import { operationShape, tasksGraphShape } from '../shapes/operation.ts';
import { readTime } from '../../domain/read-time.ts';

const graphSchema = {
  type: 'object',
  required: ['name', 'execution_id'],
  properties: {
    name: { type: 'string' },
    execution_id: { type: 'string' },
    operations: { type: ['array', 'null'], items: { type: 'object', required: ['id', 'type'] } },
    graph_id: { type: ['string', 'null'] },
    created_at: { type: ['string', 'null'] },
  },
};

const graphReportSchema = { type: 'object', required: ['state'], properties: { state: { type: 'string' } } };

const operationSchema = {
  type: 'object',
  required: ['name', 'graph_id', 'dependencies', 'parameters', 'type'],
  properties: {
    name: { type: ['string', 'null'] },
    graph_id: { type: 'string' },
    dependencies: { type: ['array', 'null'], items: { type: 'string' } },
    parameters: { type: ['object', 'null'] },
    type: { type: 'string' },
  },
};

const reportSchema = {
  type: 'object',
  properties: {
    state: { type: ['string', 'null'] },
    manager_name: { type: ['string', 'null'] },
    agent_name: { type: ['string', 'null'] },
  },
};

const actionSchema = { type: 'object', properties: { action: { type: ['string', 'null'] } } };

/** Types of operations that people see; the others are the engine's own. */
const remoteTypes = ['SubgraphTask', 'RemoteWorkflowTask'];

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function stateOf(value: Json | undefined): (typeof operationStates)[number] | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  const state = operationStates.find((known) => known === value);
  if (!state) {
    throw new GantryError('bad_parameters_error', `Invalid operation state: ${JSON.stringify(value)}`);
  }
  return state;
}

function newOperation(item: JsonObject): NewOperation {
  const { dependencies, parameters, created_at: createdAt } = item;
  const state = stateOf(item['state']);
  return {
    id: textMember(item, 'id'),
    name: textOf(item['name']),
    type: textMember(item, 'type'),
    dependencies: Array.isArray(dependencies) ? dependencies.map(String) : [],
    parameters: isObject(parameters) ? parameters : {},
    ...(state ? { state } : {}),
    createdAt: typeof createdAt === 'string' ? readTime(createdAt, 'created_at') : undefined,
    managerName: textOf(item['manager_name']),
    agentName: textOf(item['agent_name']),
  };
}

/** A page of what was read whole: graphs and operations belong to one execution. */
function page<Item>(query: QueryValues, items: readonly Item[], show: (item: Item) => unknown): unknown {
  const size = query.count('_size') ?? 1000;
  const offset = query.count('_offset') ?? 0;
  const shown = query.flag('_get_all_results') ? items : items.slice(offset, offset + size);
  return envelope(shown.map(show), { total: items.length, size, offset });
}

function graphRoutes(operations: OperationService): Route[] {
  return [
    {
      method: 'get',
      path: '/tasks_graphs',
      summary: 'List the tasks graphs of an execution',
      access: { permission: 'operations' },
      query: ['execution_id', 'name'],
      answer: pageOf(tasksGraphShape),
      handle: async ({ tenantCaller, query }) => {
        const fields = selectFields(tasksGraphShape, query.include());
        const graphs = await operations.listGraphs(tenantCaller, query.required('execution_id'), query.one('name'));
        return ok(page(query, graphs, (graph) => project(fields, graph)));
      },
    },
    {
      method: 'post',
      path: '/tasks_graphs/:tasks_graph_id',
      summary: 'Store a tasks graph with its operations',
      access: { permission: 'execution_start', isOpenToExecutions: true },
      body: graphSchema,
      answer: single(tasksGraphShape),
      handle: async ({ tenantCaller, query, body }) => {
        const request = body as JsonObject;
        const { operations: given, created_at: createdAt } = request;
        const graph = await operations.storeGraph(tenantCaller, textMember(request, 'execution_id'), {
          id: textOf(request['graph_id']),
          name: textMember(request, 'name'),
          createdAt: typeof createdAt === 'string' ? readTime(createdAt, 'created_at') : undefined,
          operations: Array.isArray(given) ? given.filter(isObject).map(newOperation) : [],
        });
        return created(shapeOne(tasksGraphShape, graph, query.include()));
      },
    },
    {
      method: 'patch',
      path: '/tasks_graphs/:tasks_graph_id',
      summary: 'Report the state of a tasks graph, which follows from its operations',
      access: { permission: 'execution_start', isOpenToExecutions: true },
      body: graphReportSchema,
      answer: single(tasksGraphShape),
      handle: async ({ tenantCaller, query, parameters }) => {
        const graph = await operations.ownGraph(tenantCaller, parameters['tasks_graph_id'] ?? '');
        return ok(shapeOne(tasksGraphShape, graph, query.include()));
      },
    },
  ];
}

async function listOperations(operations: OperationService, { tenantCaller, query }: ApiCall): Promise<unknown> {
  const graphId = query.one('graph_id');
  const executionId = query.one('execution_id');
  if (graphId !== undefined && executionId !== undefined) {
    throw new GantryError('bad_parameters_error', 'Pass either graph_id or execution_id, not both');
  }
  if (graphId === undefined && executionId === undefined) {
    throw new GantryError('bad_parameters_error', 'Missing required param: graph_id or execution_id');
  }
  const of = graphId === undefined ? { executionId: executionId ?? '' } : { tasksGraphId: graphId };
  const isSkippingInternal = (query.one('skip_internal') ?? '') !== '';
  const parsed = parseList(query, operationShape, { reserved: ['graph_id', 'execution_id', 'skip_internal'] });
  const filters = { ...parsed.query.filters, ...(isSkippingInternal ? { type: remoteTypes } : {}) };
  return listAnswer(parsed, await operations.list(tenantCaller, of, { ...parsed.query, filters }));
}

/** Routes of `/operations` and `/tasks_graphs`. */
export function operationRoutes(operations: OperationService): Route[] {
  const idOf = ({ parameters }: ApiCall): string => parameters['operation_id'] ?? '';
  return [
    ...graphRoutes(operations),
    {
      method: 'get',
      path: '/operations',
      summary: 'List the operations of a tasks graph or an execution',
      access: { permission: 'operations' },
      query: ['graph_id', 'execution_id', 'state', 'skip_internal'],
      answer: pageOf(operationShape),
      handle: async (call) => ok(await listOperations(operations, call)),
    },
    {
      method: 'post',
      path: '/operations',
      summary: 'Act on stored operations',
      access: { permission: 'execution_start', isOpenToExecutions: true },
      body: actionSchema,
      // operations are rendered when they are sent, so nothing stored has to be rewritten
      answer: nothing,
      handle: () => noContent,
    },
    {
      method: 'get',
      path: '/operations/:operation_id',
      summary: 'Get an operation',
      access: { permission: 'operations' },
      answer: single(operationShape),
      handle: async (call) =>
        ok(shapeOne(operationShape, await operations.get(call.tenantCaller, idOf(call)), call.query.include())),
    },
    {
      method: 'put',
      path: '/operations/:operation_id',
      summary: 'Add an operation to a stored tasks graph',
      access: { permission: 'execution_start', isOpenToExecutions: true },
      body: operationSchema,
      answer: single(operationShape),
      handle: async (call) => {
        const request = call.body as JsonObject;
        const operation = await operations.add(call.tenantCaller, textMember(request, 'graph_id'), {
          ...newOperation({ ...request, id: idOf(call), state: 'pending' }),
        });
        return created(shapeOne(operationShape, operation, call.query.include()));
      },
    },
    {
      method: 'patch',
      path: '/operations/:operation_id',
      summary: 'Report the state of an operation',
      access: { permission: 'execution_start', isOpenToExecutions: true },
      body: reportSchema,
      answer: json({ type: 'object', properties: {} }),
      handle: async (call) => {
        const request = call.body as JsonObject;
        await operations.report(call.tenantCaller, idOf(call), {
          state: stateOf(request['state']),
          result: request['result'],
          exception: request['exception'],
          exceptionCauses: request['exception_causes'],
          managerName: textOf(request['manager_name']),
          agentName: textOf(request['agent_name']),
        });
        return ok({});
      },
    },
    {
      method: 'delete',
      path: '/operations/:operation_id',
      summary: 'Remove an operation from a stored tasks graph',
      access: { permission: 'execution_start', isOpenToExecutions: true },
      answer: single(operationShape),
      handle: async (call) =>
        ok(shapeOne(operationShape, await operations.remove(call.tenantCaller, idOf(call)), call.query.include())),
    },
  ];
}
