import type { JsonObject } from '../../domain/plan.ts';
import { visibilityFor } from '../../services/identifiers.ts';
import type { NewSecretsProvider, SecretsProviderService } from '../../services/secrets-providers.ts';
import { nothing, optional, pageOf, single } from '../answer.ts';
import { isObject, textMember } from '../body.ts';
import { originOf } from '../origin.ts';
import { listAnswer, parseList } from '../query.ts';
import { noContent, ok } from '../route.ts';
import type { Answer, ApiCall, Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import { secretsProviderShape } from '../shapes/secrets-provider.ts';

const optionalText = { type: ['string', 'null'] };
const properties = {
  name: optionalText,
  type: optionalText,
  connection_parameters: { type: ['object', 'null'] },
  visibility: optionalText,
};
const newSchema = {
  type: 'object',
  properties: {
    ...properties,
    test: { type: ['boolean', 'null'] },
    created_at: optionalText,
    created_by: optionalText,
  },
};
const changeSchema = { type: 'object', properties };

function textOrNothing(body: JsonObject, name: string): string | undefined {
  const value = body[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function connectionOf(body: JsonObject): JsonObject | undefined {
  const { connection_parameters: connection } = body;
  return isObject(connection) ? connection : undefined;
}

function newProvider({ tenantCaller }: ApiCall, body: JsonObject): NewSecretsProvider {
  return {
    name: textMember(body, 'name'),
    type: textMember(body, 'type'),
    connection: connectionOf(body) ?? {},
    visibility: visibilityFor(tenantCaller, { visibility: textOrNothing(body, 'visibility') }),
    origin: originOf(body),
  };
}

async function put(providers: SecretsProviderService, call: ApiCall): Promise<Answer> {
  const body = call.body as JsonObject;
  if (body['test'] === true) {
    await providers.probe(call.tenantCaller, {
      name: textOrNothing(body, 'name'),
      type: textOrNothing(body, 'type'),
      connection: connectionOf(body),
    });
    return noContent;
  }
  const created = await providers.create(call.tenantCaller, newProvider(call, body));
  return ok(shapeOne(secretsProviderShape, created, call.query.include()));
}

/** Routes of `/secrets-providers`: what keeps the values of secrets instead of this manager. */
export function secretsProviderRoutes(providers: SecretsProviderService): Route[] {
  const nameOf = ({ parameters }: ApiCall): string => parameters['name'] ?? '';
  return [
    {
      method: 'get',
      path: '/secrets-providers',
      summary: 'List secrets providers',
      access: { permission: 'secrets_provider_list', hasAllTenants: true },
      answer: pageOf(secretsProviderShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, secretsProviderShape, { search: { _search: 'id' } });
        return ok(listAnswer(parsed, await providers.list(caller, parsed.query, parsed.isAllTenants)));
      },
    },
    {
      method: 'put',
      path: '/secrets-providers',
      summary: 'Create a secrets provider, or only test the connection',
      access: { permission: 'secrets_provider_create' },
      body: newSchema,
      answer: optional(single(secretsProviderShape)),
      handle: (call) => put(providers, call),
    },
    {
      method: 'get',
      path: '/secrets-providers/:name',
      summary: 'Get a secrets provider',
      access: { permission: 'secrets_provider_get' },
      answer: single(secretsProviderShape),
      handle: async (call) =>
        ok(shapeOne(secretsProviderShape, await providers.get(call.tenantCaller, nameOf(call)), call.query.include())),
    },
    {
      method: 'patch',
      path: '/secrets-providers/:name',
      summary: 'Change the connection parameters or the visibility of a secrets provider',
      access: { permission: 'secrets_provider_update' },
      body: changeSchema,
      answer: single(secretsProviderShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const changed = await providers.update(call.tenantCaller, nameOf(call), {
          type: textOrNothing(body, 'type'),
          connection: connectionOf(body),
          visibility: textOrNothing(body, 'visibility'),
        });
        return ok(shapeOne(secretsProviderShape, changed, call.query.include()));
      },
    },
    {
      method: 'delete',
      path: '/secrets-providers/:name',
      summary: 'Delete a secrets provider that no secret uses',
      access: { permission: 'secrets_provider_delete' },
      answer: nothing,
      handle: async (call) => {
        await providers.remove(call.tenantCaller, nameOf(call));
        return noContent;
      },
    },
  ];
}
