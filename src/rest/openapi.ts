import { isDeepStrictEqual } from 'node:util';
import { errorCatalogue } from '../domain/errors.ts';
import type { AnswerDescription } from './answer.ts';
import type { Access, Route } from './route.ts';

type Document = Record<string, unknown>;

const listParameters = ['_include', '_size', '_offset', '_sort'];

const boolean = { type: 'boolean' };
const count = { type: 'integer', minimum: 0 };

/** Query parameters that are no texts. */
const parameterSchemas: Readonly<Record<string, Document>> = {
  ...Object.fromEntries(
    [
      ...['_all_tenants', '_get_all_results', '_get_data', '_common_only', '_evaluate_functions', '_include_metadata'],
      ...['_include_hash', '_include_system_workflows', '_reserved', '_skip_value', 'all_sub_deployments'],
      ...['async_create', 'async_upload', 'delete_deployments', 'delete_logs', 'desc', 'force', 'full_archive'],
      ...['private_resource', 'recursive', 'skip_execution', 'store_before', 'summary', 'update'],
    ].map((name) => [name, boolean]),
  ),
  _size: count,
  _offset: count,
  size: count,
  offset: count,
  _sort: { type: 'array', items: { type: 'string' } },
};

function describeAccess(access: Access | 'open'): string {
  if (access === 'open') {
    return 'Needs no authentication.';
  }
  const permission =
    access.permission === undefined ? 'Needs a user.' : `Needs the permission \`${access.permission}\`.`;
  const tenant = (access.tenant ?? 'required') === 'required' ? ' Needs a tenant.' : '';
  return permission + tenant;
}

function parametersOf(route: Route): Document[] {
  const inPath = [...route.path.matchAll(/[:*]([a-z_]+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const isList = route.method === 'get' && inPath.length === 0;
  const hasAllTenants = route.access !== 'open' && route.access.hasAllTenants === true;
  const names = new Set([
    ...(isList ? listParameters : []),
    ...(hasAllTenants ? ['_all_tenants', '_get_all_results'] : []),
    ...(route.query ?? []),
  ]);
  const inQuery = [...names].map((name) => ({
    name,
    in: 'query',
    required: false,
    schema: parameterSchemas[name] ?? { type: 'string' },
  }));
  const needsTenant = route.access !== 'open';
  return [
    ...inPath,
    ...inQuery,
    ...(needsTenant ? [{ name: 'Tenant', in: 'header', required: false, schema: { type: 'string' } }] : []),
  ];
}

/** The schema with every part that has a title replaced by a reference to the component of that name. */
function referring(schema: unknown, components: Document): unknown {
  if (Array.isArray(schema)) {
    return schema.map((item) => referring(item, components));
  }
  if (typeof schema !== 'object' || schema === null) {
    return schema;
  }
  const parts = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, referring(part, components)]));
  // a member of an object may be called title, too
  if (!('type' in schema) || !('title' in schema) || typeof schema.title !== 'string') {
    return parts;
  }
  const known = components[schema.title];
  if (known !== undefined && !isDeepStrictEqual(known, parts)) {
    throw new Error(`Two different schemas have the title ${schema.title}`);
  }
  components[schema.title] = parts;
  return { $ref: `#/components/schemas/${schema.title}` };
}

function responsesOf(answer: AnswerDescription, components: Document): Document {
  const { contentType, schema, isOptional } = answer;
  if (answer.isRedirect === true) {
    return {
      '302': { description: 'Redirects the browser', headers: { Location: { schema: { type: 'string' } } } },
    };
  }
  const empty = { '204': { description: 'Done, without content' } };
  if (contentType === undefined) {
    return empty;
  }
  const content = schema === undefined ? {} : { schema: referring(schema, components) };
  return {
    ...(isOptional === true ? empty : {}),
    '2XX': { description: 'Done', content: { [contentType]: content } },
  };
}

function operationOf(route: Route, components: Document): Document {
  const [, tag = ''] = route.path.split('/');
  return {
    summary: route.summary,
    description: describeAccess(route.access),
    tags: [tag],
    operationId: `${route.method}_${route.path.replaceAll(/[^a-z_]+/g, '_').replace(/^_/, '')}`,
    parameters: parametersOf(route),
    ...(route.body
      ? {
          requestBody: {
            required: route.isBodyOptional !== true,
            content: { 'application/json': { schema: route.body } },
          },
        }
      : {}),
    responses: {
      ...responsesOf(route.answer, components),
      default: {
        description: 'Refused',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
    ...(route.access === 'open' ? { security: [] } : {}),
  };
}

/** The OpenAPI description of routes, made of the schemas by which they check what they get. */
export function openApiDocument(routes: readonly Route[], version: string): Document {
  const paths: Record<string, Document> = {};
  const components: Document = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/[:*]([a-z_]+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operationOf(route, components) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Gantry', version, description: 'REST API of the Gantry orchestration manager.' },
    servers: [{ url: '/api/v3.1' }],
    security: [{ basic: [] }, { token: [] }, { executionToken: [] }],
    paths,
    components: {
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic' },
        token: { type: 'apiKey', in: 'header', name: 'Authentication-Token' },
        executionToken: { type: 'apiKey', in: 'header', name: 'Execution-Token' },
      },
      schemas: {
        ...components,
        Error: {
          type: 'object',
          required: ['message', 'error_code'],
          properties: {
            message: { type: 'string' },
            error_code: { type: 'string', enum: Object.keys(errorCatalogue) },
            server_traceback: { type: ['string', 'null'] },
          },
        },
      },
    },
  };
}
