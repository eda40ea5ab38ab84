import type { Json, JsonObject } from '../../domain/plan.ts';
import type { InterDeploymentDependency } from '../../domain/resources.ts';
import { visibilityFor } from '../../services/identifiers.ts';
import type {
  DependencyKeyRequest,
  DependencyRequest,
  InterDeploymentDependencyService,
} from '../../services/inter-deployment-dependencies.ts';
import { nothing, paged, record, single, textSchema } from '../answer.ts';
import { isObject } from '../body.ts';
import { originOf, originProperties } from '../origin.ts';
import { defaultPageSize } from '../query.ts';
import { noContent, ok } from '../route.ts';
import type { Answer, ApiCall, Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import { dependencyShape } from '../shapes/records.ts';

const path = '/deployments/inter-deployment-dependencies';

const dependencyProperties = {
  dependency_creator: { type: 'string' },
  target_deployment: { type: ['string', 'null'] },
  target_deployment_func: { type: ['object', 'null'] },
  external_source: { type: ['object', 'null'] },
  external_target: { type: ['object', 'null'] },
  id: { type: ['string', 'null'] },
  ...originProperties,
};

const idSchema = record(undefined, { id: textSchema });

const createSchema = {
  type: 'object',
  required: ['dependency_creator', 'source_deployment'],
  properties: {
    ...dependencyProperties,
    source_deployment: { type: ['string', 'null'] },
    visibility: { type: ['string', 'null'] },
  },
};

const listProperties = {
  inter_deployment_dependencies: {
    type: 'array',
    items: { type: 'object', required: ['dependency_creator'], properties: dependencyProperties },
  },
};

const manySchema = {
  type: 'object',
  required: ['source_deployment_id', 'inter_deployment_dependencies'],
  properties: { source_deployment_id: { type: 'string' }, ...listProperties },
};

const replaceSchema = { type: 'object', required: ['inter_deployment_dependencies'], properties: listProperties };

const removeSchema = {
  type: 'object',
  required: ['dependency_creator', 'source_deployment'],
  properties: {
    ...dependencyProperties,
    source_deployment: { type: ['string', 'null'] },
    is_component_deletion: { type: ['boolean', 'null'] },
  },
};

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function mapping(value: Json | undefined): JsonObject | undefined {
  return isObject(value) && Object.keys(value).length > 0 ? value : undefined;
}

function keyOf(body: JsonObject): DependencyKeyRequest {
  return {
    creator: text(body['dependency_creator']) ?? '',
    source: text(body['source_deployment']) ?? '',
    target: text(body['target_deployment']),
    externalSource: mapping(body['external_source']),
    externalTarget: mapping(body['external_target']),
  };
}

function requestOf(body: JsonObject): DependencyRequest & DependencyKeyRequest {
  return {
    ...keyOf(body),
    targetFunction: mapping(body['target_deployment_func']),
    id: text(body['id']),
    origin: originOf(body),
  };
}

function requestsOf(call: ApiCall): DependencyRequest[] {
  // the schema lets objects in only
  const { inter_deployment_dependencies: list } = call.body as { inter_deployment_dependencies: JsonObject[] };
  return list.map(requestOf);
}

/** Ids as a list. */
function idList(stored: readonly InterDeploymentDependency[]): Answer {
  return ok({
    items: stored.map(({ id }) => ({ id })),
    metadata: { pagination: { total: stored.length, size: defaultPageSize, offset: 0 } },
  });
}

/** Routes that change how deployments depend on each other. */
export function interDeploymentDependencyRoutes(dependencies: InterDeploymentDependencyService): Route[] {
  return [
    {
      method: 'put',
      path,
      summary: 'Add a dependency of a deployment on another',
      access: { permission: 'inter_deployment_dependency_create' },
      body: createSchema,
      answer: single(dependencyShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const visibility = text(body['visibility']);
        const stored = await dependencies.create(call.tenantCaller, {
          ...requestOf(body),
          visibility: visibility === undefined ? undefined : visibilityFor(call.tenantCaller, { visibility }),
        });
        return ok(shapeOne(dependencyShape, stored));
      },
    },
    {
      method: 'post',
      path,
      summary: 'Add dependencies of a deployment on others',
      access: { permission: 'inter_deployment_dependency_create' },
      body: manySchema,
      answer: paged(idSchema),
      handle: async (call) => {
        const { source_deployment_id: source } = call.body as { source_deployment_id: string };
        return idList(await dependencies.createMany(call.tenantCaller, source, requestsOf(call)));
      },
    },
    {
      method: 'delete',
      path,
      summary: 'Remove a dependency of a deployment on another',
      access: { permission: 'inter_deployment_dependency_delete' },
      body: removeSchema,
      answer: nothing,
      handle: async (call) => {
        await dependencies.remove(call.tenantCaller, keyOf(call.body as JsonObject));
        return noContent;
      },
    },
    {
      method: 'put',
      path: '/deployments/:deployment_id/inter-deployment-dependencies',
      summary: 'Replace the dependencies of a deployment on others',
      access: { permission: 'inter_deployment_dependency_create' },
      body: replaceSchema,
      answer: paged(idSchema),
      handle: async (call) => {
        const source = call.parameters['deployment_id'] ?? '';
        return idList(await dependencies.replace(call.tenantCaller, source, requestsOf(call)));
      },
    },
  ];
}
