import { GantryError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/entities.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { visibilityFor } from '../../services/identifiers.ts';
import { readProviderOptions } from '../../services/secret-exchange.ts';
import type { ExportedSecret, SecretExchange } from '../../services/secret-exchange.ts';
import type { SecretService, SecretsProviderChoice } from '../../services/secrets.ts';
import { json, list, nothing, pageOf, partial, record, schemaOfShape } from '../answer.ts';
import type { Members } from '../answer.ts';
import { originOf } from '../origin.ts';
import { listAnswer, parseList, readBoolean } from '../query.ts';
import { noContent, ok } from '../route.ts';
import type { Answer, ApiCall, Route } from '../route.ts';
import { secretShape } from '../shapes/secret.ts';
import { project } from '../shapes/field.ts';

const newSecretSchema = {
  type: 'object',
  properties: {
    visibility: { type: ['string', 'null'] },
    provider_name: { type: ['string', 'null'] },
  },
};

const secretUpdateSchema = { type: 'object', properties: {} };
const visibilitySchema = { type: 'object', required: ['visibility'], properties: { visibility: {} } };

const secretSchema = record('SecretWithValue', {
  ...(schemaOfShape(secretShape)['properties'] as Members),
  value: 'json',
  schema: 'json',
  provider_options: 'json',
  private_resource: 'boolean',
});

function shapeSecret(secret: Secret, value: Json, providerOptions?: string): Record<string, unknown> {
  return {
    ...project(secretShape.fields, secret),
    value,
    schema: secret.schema ?? null,
    provider_options: providerOptions ?? null,
    private_resource: secret.visibility === 'private',
  };
}

function flag(body: JsonObject, name: string): boolean | undefined {
  const value = body[name];
  return value === undefined || value === null ? undefined : readBoolean(value, name);
}

function textOrNothing(body: JsonObject, name: string): string | undefined {
  const value = body[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The value of a new secret, which only a provider may have instead. @throws GantryError bad_parameters_error */
function requiredValue(body: JsonObject): Json {
  const { value } = body;
  if (value === undefined && textOrNothing(body, 'provider_name') === undefined) {
    throw new GantryError('bad_parameters_error', 'Missing value in json request body');
  }
  return value ?? null;
}

function providerOf(body: JsonObject): SecretsProviderChoice {
  return { name: textOrNothing(body, 'provider_name'), options: readProviderOptions(body['provider_options']) };
}

const importSchema = {
  type: 'object',
  required: ['secrets_list', 'override_collisions'],
  properties: {
    secrets_list: { type: 'array' },
    tenant_map: { type: ['object', 'null'], additionalProperties: { type: 'string' } },
    passphrase: { type: ['string', 'null'] },
    override_collisions: { type: 'boolean' },
  },
};

const exportedSchema = partial('ExportedSecret', {
  key: 'text',
  value: 'json',
  visibility: 'text',
  tenant_name: 'text',
  is_hidden_value: 'boolean',
  encrypted: 'boolean',
  provider: 'json',
  provider_options: 'json',
  creator: 'text',
  created_at: 'timestamp',
  updated_at: 'timestamp',
});
const importedSchema = record('ImportedSecrets', { colliding_secrets: 'json', secrets_errors: 'json' });

function shapeExported(
  { secret, value, isEncrypted, providerOptions }: ExportedSecret,
  hasMetadata: boolean,
): Record<string, unknown> {
  return {
    key: secret.id,
    value,
    visibility: secret.visibility,
    tenant_name: secret.tenantName,
    is_hidden_value: secret.isHiddenValue,
    encrypted: isEncrypted,
    provider: secret.providerName ?? null,
    provider_options: providerOptions ?? null,
    ...(hasMetadata
      ? {
          creator: secret.createdBy,
          created_at: secret.createdAt.toISOString(),
          updated_at: secret.updatedAt?.toISOString() ?? null,
        }
      : {}),
  };
}

/** The members of `_include`; all when there is none. Names that are not known are no mistake in an export. */
function membersOf(exported: Record<string, unknown>, names: readonly string[] | undefined): Record<string, unknown> {
  return names === undefined
    ? exported
    : Object.fromEntries(Object.entries(exported).filter(([name]) => names.includes(name)));
}

function exchangeRoutes(exchange: SecretExchange): Route[] {
  return [
    {
      method: 'get',
      path: '/secrets/share/export',
      summary: 'Export secrets with their values, encrypted when a passphrase is given',
      access: { permission: 'secret_export', hasAllTenants: true },
      query: ['_passphrase', '_include_metadata', '_include', '_search'],
      answer: json(list(exportedSchema)),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query.without('_include'), secretShape, { search: { _search: 'id' } });
        const passphrase = query.one('_passphrase');
        const found = await exchange.export(
          caller,
          parsed.query,
          parsed.isAllTenants,
          passphrase === '' ? undefined : passphrase,
        );
        const hasMetadata = query.flag('_include_metadata');
        const names = query.include();
        return ok(found.map((item) => membersOf(shapeExported(item, hasMetadata), names)));
      },
    },
    {
      method: 'post',
      path: '/secrets/share/import',
      summary: 'Import exported secrets',
      access: { permission: 'secret_import' },
      body: importSchema,
      answer: json(importedSchema),
      handle: async ({ caller, body }) => {
        const {
          secrets_list: list,
          tenant_map: map,
          passphrase,
          override_collisions: isOverriding,
        } = body as JsonObject;
        const { collisions, errors } = await exchange.import(caller, {
          secrets: Array.isArray(list) ? list : [],
          tenantMap: (map ?? {}) as Record<string, string>,
          passphrase: typeof passphrase === 'string' && passphrase !== '' ? passphrase : undefined,
          isOverriding: isOverriding === true,
        });
        return ok({ colliding_secrets: collisions, secrets_errors: errors });
      },
    },
  ];
}

/** Routes of `/secrets`. */
export function secretRoutes(secrets: SecretService, exchange: SecretExchange): Route[] {
  const keyOf = ({ parameters }: ApiCall): string => parameters['key'] ?? '';
  const showWithoutValue = async (call: ApiCall): Promise<Answer> =>
    ok(shapeSecret((await secrets.get(call.tenantCaller, keyOf(call), true)).secret, ''));
  return [
    ...exchangeRoutes(exchange),
    {
      method: 'get',
      path: '/secrets',
      summary: 'List secrets without their values',
      access: { permission: 'secret_list', hasAllTenants: true },
      answer: pageOf(secretShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, secretShape, { search: { _search: 'id' } });
        return ok(listAnswer(parsed, await secrets.list(caller, parsed.query, parsed.isAllTenants)));
      },
    },
    {
      method: 'get',
      path: '/secrets/:key',
      summary: 'Get a secret with its value',
      access: { permission: 'secret_get' },
      query: ['_skip_value'],
      answer: json(secretSchema),
      handle: async (call) => {
        const isSkipped = call.query.flag('_skip_value');
        const { secret, value, providerOptions } = await secrets.get(call.tenantCaller, keyOf(call), isSkipped);
        return ok(shapeSecret(secret, value, providerOptions));
      },
    },
    {
      method: 'put',
      path: '/secrets/:key',
      summary: 'Create a secret, or replace its value',
      access: { permission: 'secret_create' },
      body: newSecretSchema,
      answer: json(secretSchema),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const { visibility } = body;
        const secret = await secrets.put(call.tenantCaller, {
          key: keyOf(call),
          value: requiredValue(body),
          schema: body['schema'] ?? undefined,
          isHiddenValue: flag(body, 'is_hidden_value') ?? false,
          isUpdateAllowed: flag(body, 'update_if_exists') ?? false,
          visibility: visibilityFor(call.tenantCaller, {
            visibility: typeof visibility === 'string' ? visibility : undefined,
          }),
          provider: providerOf(body),
          origin: originOf(body),
        });
        return ok(shapeSecret(secret, ''));
      },
      replay: showWithoutValue,
    },
    {
      method: 'patch',
      path: '/secrets/:key',
      summary: 'Change a secret',
      access: { permission: 'secret_update' },
      body: secretUpdateSchema,
      answer: json(secretSchema),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const given = Object.entries(body).filter(([, value]) => value !== null);
        if (given.length === 0) {
          throw new GantryError(
            'illegal_action_error',
            'Update a secret request must include at least one parameter to update',
          );
        }
        const secret = await secrets.update(call.tenantCaller, keyOf(call), {
          value: body['value'] ?? undefined,
          visibility: body['visibility'] ?? undefined,
          isHiddenValue: flag(body, 'is_hidden_value'),
          creator: textOrNothing(body, 'creator'),
          provider: providerOf(body),
        });
        return ok(shapeSecret(secret, ''));
      },
      replay: showWithoutValue,
    },
    {
      method: 'delete',
      path: '/secrets/:key',
      summary: 'Delete a secret',
      access: { permission: 'secret_delete' },
      answer: nothing,
      handle: async (call) => {
        await secrets.remove(call.tenantCaller, keyOf(call));
        return noContent;
      },
      replay: () => noContent,
    },
    {
      method: 'patch',
      path: '/secrets/:key/set-visibility',
      summary: 'Widen the visibility of a secret',
      access: { permission: 'secret_update' },
      body: visibilitySchema,
      answer: json(secretSchema),
      handle: async (call) => {
        const { visibility } = call.body as JsonObject;
        return ok(shapeSecret(await secrets.setVisibility(call.tenantCaller, keyOf(call), visibility), ''));
      },
      replay: showWithoutValue,
    },
  ];
}
