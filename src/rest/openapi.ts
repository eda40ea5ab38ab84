import { errorCatalogue } from '../domain/errors.ts';
import type { Access, Route } from './route.ts';

type Document = Record<string, unknown>;

const listParameters = ['_include', '_size', '_offset', '_sort'];

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
  const inQuery = [...names].map((name) => ({ name, in: 'query', required: false, schema: { type: 'string' } }));
  const needsTenant = route.access !== 'open';
  return [
    ...inPath,
    ...inQuery,
    ...(needsTenant ? [{ name: 'Tenant', in: 'header', required: false, schema: { type: 'string' } }] : []),
  ];
}

function operationOf(route: Route): Document {
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
      '2XX': { description: 'Done', content: { 'application/json': { schema: {} } } },
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
  for (const route of routes) {
    const path = route.path.replaceAll(/[:*]([a-z_]+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operationOf(route) };
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
