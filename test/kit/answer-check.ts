import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { loadConfig } from '../../src/config/config.ts';
import type { Route } from '../../src/rest/route.ts';
import { allRoutes } from '../../src/rest/routes/index.ts';
import type { Services } from '../../src/services/services.ts';

// the routes are data: their services are only looked at when one is called
const everyService = new Proxy({}, { get: () => ({}) }) as Services;

/** Every route, for looking at what it says of itself. */
export const everyRoute: readonly Route[] = allRoutes({ config: loadConfig({}), services: everyService });

function parameterCount({ path }: Route): number {
  return path.match(/[:*]/g)?.length ?? 0;
}

/** A path that names something stands before one that takes any name there. */
const patterns = everyRoute
  .map((route) => ({
    route,
    pattern: new RegExp(`^${route.path.replaceAll(/:[a-z_]+/g, '[^/]+').replaceAll(/\*[a-z_]+/g, '.+')}$`),
  }))
  .sort((one, other) => parameterCount(one.route) - parameterCount(other.route));

/** Members that are not described are a mistake of the description: clients may have more, ours do not. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) {
    return schema.map(strict);
  }
  if (typeof schema !== 'object' || schema === null) {
    return schema;
  }
  const parts = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, strict(part)]));
  return 'properties' in parts && 'type' in parts ? { additionalProperties: false, ...parts } : parts;
}

const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });
const validators = new Map<Route, ValidateFunction>();

function validatorOf(route: Route): ValidateFunction {
  const known = validators.get(route) ?? ajv.compile(strict(route.answer.schema ?? {}) as object);
  validators.set(route, known);
  return known;
}

/** The route that answers a request; undefined when there is none. */
export function routeOf(method: string, path: string): Route | undefined {
  const [plain = ''] = path.replace(/^\/api\/v[\d.]+/, '').split('?');
  return patterns.find(({ route, pattern }) => route.method === method.toLowerCase() && pattern.test(plain))?.route;
}

/** Checks that what a route answers when all is well is what the OpenAPI document says. */
export function checkAnswer(method: string, path: string, response: Response, text: string): void {
  const route = routeOf(method, path);
  if (!route || response.status < 200 || response.status > 299) {
    return;
  }
  const what = `${method} ${path}`;
  const { contentType, schema, isOptional } = route.answer;
  if (contentType === undefined || (isOptional === true && response.status === 204)) {
    expect(response.status, what).to.equal(204);
    expect(text, what).to.equal('');
  } else if (schema !== undefined) {
    expect(response.headers.get('content-type'), what).to.include(contentType);
    const validate = validatorOf(route);
    validate(JSON.parse(text));
    expect(validate.errors ?? [], `${what}: ${text.slice(0, 500)}`).to.deep.equal([]);
  }
}
