import { Ajv } from 'ajv';
import type { Secret } from '../domain/entities.ts';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { Json } from '../domain/plan.ts';
import type { Visibility } from '../domain/states.ts';
import type { SecretBox } from '../security/secret-box.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import { createSecret, deleteSecret, getSecret, listSecrets, readSecretValue, updateSecret } from '../store/secrets.ts';
import { isAdministrator, listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { checkIdentifier, everywhere, requireFreeGlobally, requireOwnTenant, widerVisibility } from './identifiers.ts';

export interface NewSecretRequest {
  readonly key: string;
  readonly value: Json;
  readonly schema: Json | undefined;
  readonly isHiddenValue: boolean;
  readonly visibility: Visibility;
  readonly isUpdateAllowed: boolean;
}

export interface SecretChange {
  readonly value?: Json | undefined;
  readonly isHiddenValue?: boolean | undefined;
  readonly visibility?: unknown;
}

export interface SecretService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<Secret>>;
  /** The secret and its value; an empty one when the caller may not read it. */
  get(caller: TenantCaller, key: string, isValueSkipped: boolean): Promise<{ secret: Secret; value: Json }>;
  /** @throws GantryError conflict_error, bad_parameters_error, forbidden_error for a hidden one of somebody else */
  put(caller: TenantCaller, request: NewSecretRequest): Promise<Secret>;
  update(caller: TenantCaller, key: string, change: SecretChange): Promise<Secret>;
  setVisibility(caller: TenantCaller, key: string, visibility: unknown): Promise<Secret>;
  remove(caller: TenantCaller, key: string): Promise<void>;
}

const ajv = new Ajv({ strict: false, allErrors: true });

/** The text that is stored for a value. @throws GantryError bad_parameters_error, conflict_error */
function storedText(value: Json, schema: Json | undefined): string {
  if (schema === undefined || schema === null) {
    if (typeof value !== 'string' || value === '') {
      throw new GantryError('bad_parameters_error', 'The value of a secret without schema must be a text, not empty');
    }
    return value;
  }
  let validate;
  try {
    validate = ajv.compile(schema as Record<string, unknown>);
  } catch (error) {
    throw new GantryError('bad_parameters_error', `Invalid secret JSON schema: ${coerceError(error).message}`);
  }
  if (!validate(value)) {
    throw new GantryError(
      'conflict_error',
      `Error validating secret value: ${ajv.errorsText(validate.errors, { dataVar: 'value' })}`,
    );
  }
  return JSON.stringify(value);
}

function isReadable(caller: Caller, secret: Secret): boolean {
  return !secret.isHiddenValue || secret.createdBy === caller.user.username || isAdministrator(caller);
}

function requireChangeable(caller: TenantCaller, secret: Secret): void {
  if (!isReadable(caller, secret)) {
    throw new GantryError(
      'forbidden_error',
      `User \`${caller.user.username}\` is not permitted to modify the hidden value secret \`${secret.id}\``,
    );
  }
  requireOwnTenant(caller, secret);
}

/** Makes the use cases of secrets. */
export function createSecretService({ database }: ServiceDependencies, box: SecretBox): SecretService {
  const find = async (caller: TenantCaller, key: string): Promise<Secret | undefined> => {
    try {
      return await getSecret(database, { tenantId: caller.tenant.id }, key);
    } catch (error) {
      if (error instanceof GantryError && error.code === 'not_found_error') {
        return undefined;
      }
      throw error;
    }
  };
  return {
    list: (caller, query, isAllTenants) =>
      listSecrets(database, listScopeOf(caller, isAllTenants, 'secret_list'), query),

    async get(caller, key, isValueSkipped) {
      const secret = await getSecret(database, scopeOf(caller), key);
      if (isValueSkipped || !isReadable(caller, secret)) {
        return { secret, value: '' };
      }
      const stored = await readSecretValue(database, secret.storageId);
      const text = stored === undefined ? '' : box.decrypt(stored);
      return { secret, value: secret.schema === undefined ? text : (JSON.parse(text) as Json) };
    },

    async put(caller, request) {
      checkIdentifier('key', request.key);
      const present = await find(caller, request.key);
      if (present && request.isUpdateAllowed) {
        requireChangeable(caller, present);
        const value = box.encrypt(storedText(request.value, present.schema));
        return database
          .actingAs(actorOf(caller))
          .transaction((transaction) => updateSecret(transaction, present.storageId, { value }));
      }
      const value = box.encrypt(storedText(request.value, request.schema));
      return database.transactionAs(actorOf(caller), (transaction) =>
        createSecret(transaction, {
          id: request.key,
          tenantId: caller.tenant.id,
          creatorId: caller.user.id,
          visibility: request.visibility,
          value,
          isHiddenValue: request.isHiddenValue,
          schema: request.schema,
        }),
      );
    },

    update: (caller, key, change) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const secret = await getSecret(transaction, scopeOf(caller), key);
        requireChangeable(caller, secret);
        const visibility =
          change.visibility === undefined ? undefined : widerVisibility(caller, secret, change.visibility);
        if (visibility) {
          await requireFreeGlobally(visibility, secret, (query) => listSecrets(transaction, everywhere, query));
        }
        const value = change.value === undefined ? undefined : box.encrypt(storedText(change.value, secret.schema));
        return updateSecret(transaction, secret.storageId, {
          value,
          visibility,
          isHiddenValue: change.isHiddenValue,
        });
      }),

    setVisibility(caller, key, visibility) {
      return this.update(caller, key, { visibility: visibility ?? null });
    },

    remove: (caller, key) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const secret = await getSecret(transaction, scopeOf(caller), key);
        requireChangeable(caller, secret);
        await deleteSecret(transaction, secret.storageId);
      }),
  };
}
