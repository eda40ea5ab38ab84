import type { Secret } from '../domain/entities.ts';
import { coerceError, GantryError, ifFound } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import { readTime } from '../domain/read-time.ts';
import type { RevealSecret } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { decryptFernet, encryptFernet, keyFromPassphrase } from '../security/fernet.ts';
import type { SecretBox } from '../security/secret-box.ts';
import type { ListQuery } from '../store/scope.ts';
import { getSecret, listSecrets, readSecretContents } from '../store/secrets.ts';
import { isAdministrator, listScopeOf, holdsIn } from './caller.ts';
import type { Caller } from './caller.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { isVisibility, visibilityFor } from './identifiers.ts';
import type { Origin } from './ownership.ts';
import type { SecretService } from './secrets.ts';
import type { TenantDirectory } from './tenant-directory.ts';

/** A secret on its way to another manager. */
export interface ExportedSecret {
  readonly secret: Secret;
  /** Clear, or encrypted with the passphrase. */
  readonly value: string;
  readonly isEncrypted: boolean;
  /** JSON. */
  readonly providerOptions: string | undefined;
}

export interface ImportRequest {
  readonly secrets: readonly Json[];
  /** Name of a tenant in the list -> name here. */
  readonly tenantMap: Readonly<Record<string, string>>;
  readonly passphrase: string | undefined;
  readonly isOverriding: boolean;
}

export interface ImportOutcome {
  /** Tenant -> keys that were there already. */
  readonly collisions: Record<string, string[]>;
  /** Place in the list -> what is wrong with that secret. */
  readonly errors: Record<string, JsonObject>;
}

export interface SecretExchange {
  /** Secrets with their values, as far as the caller may read them. */
  export(
    caller: Caller,
    query: ListQuery,
    isAllTenants: boolean,
    passphrase: string | undefined,
  ): Promise<ExportedSecret[]>;
  /** @throws GantryError bad_parameters_error for a mapping to a tenant that is not there */
  import(caller: Caller, request: ImportRequest): Promise<ImportOutcome>;
}

const requiredFields = ['key', 'value', 'tenant_name', 'visibility', 'is_hidden_value', 'encrypted'];

interface Item {
  readonly key: string;
  readonly value: string;
  readonly tenantName: string;
  readonly visibility: Visibility;
  readonly isHiddenValue: boolean;
  readonly provider: string | undefined;
  readonly providerOptions: JsonObject | undefined;
  readonly origin: Origin;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The member of a secret that a refusal is about. */
function memberOf(error: GantryError): string {
  if (error.code === 'forbidden_error' && / set_(owner|timestamp)\b/.test(error.message)) {
    return error.message.includes(' set_owner') ? 'creator' : 'timestamp';
  }
  if (error.code !== 'not_found_error') {
    return 'secret';
  }
  if (error.message.includes('`User`')) {
    return 'creator_valid';
  }
  return error.message.includes('SecretsProvider') ? 'provider' : 'tenant_name';
}

/** Reads one secret of a list; undefined when `errors` says what is wrong. */
function readItem(given: Json, key: Buffer | undefined, errors: JsonObject): Item | undefined {
  const item = isObject(given) ? given : {};
  const missing = requiredFields.filter((name) => item[name] === undefined || item[name] === null);
  if (missing.length > 0) {
    errors['missing secret fields'] = missing;
    return undefined;
  }
  const { key: name, value, tenant_name: tenant, visibility, is_hidden_value: hidden, encrypted } = item;
  if (typeof hidden !== 'boolean') {
    errors['is_hidden_value'] = 'Not boolean';
  }
  if (typeof visibility !== 'string' || !isVisibility(visibility)) {
    errors['visibility'] = 'Not a valid visibility';
  }
  if (typeof encrypted !== 'boolean') {
    errors['encrypted'] = 'Not boolean';
  } else if (encrypted && !key) {
    errors['No passphrase'] = 'The secret is encrypted but no passphrase was given';
  }
  if (typeof name !== 'string' || typeof value !== 'string' || typeof tenant !== 'string') {
    errors['fields'] = 'key, value and tenant_name must be texts';
  }
  if (Object.keys(errors).length > 0) {
    return undefined;
  }
  let clear = value as string;
  if (encrypted === true && key) {
    try {
      clear = decryptFernet(key, clear);
    } catch (error) {
      errors['value'] = coerceError(error).message;
      return undefined;
    }
  }
  return {
    key: name as string,
    value: clear,
    tenantName: tenant as string,
    visibility: visibility as Visibility,
    isHiddenValue: hidden === true,
    provider: typeof item['provider'] === 'string' && item['provider'] !== '' ? item['provider'] : undefined,
    providerOptions: noteProviderOptions(item['provider_options'], errors),
    origin: readOrigin(item, errors),
  };
}

/** Who made a secret and when, where its list tells. */
function readOrigin({ creator, created_at: time }: JsonObject, errors: JsonObject): Origin {
  try {
    return {
      creator: typeof creator === 'string' && creator !== '' ? creator : undefined,
      createdAt: typeof time === 'string' && time !== '' ? readTime(time, 'created_at') : undefined,
    };
  } catch (error) {
    errors['timestamp'] = coerceError(error).message;
    return {};
  }
}

/**
 * Options of a provider, which clients send as an object or as its text.
 * @throws GantryError bad_parameters_error
 */
export function readProviderOptions(given: Json | undefined): JsonObject | undefined {
  if (given === undefined || given === null || given === '') {
    return undefined;
  }
  const options = typeof given === 'string' ? parsed(given) : given;
  if (options === undefined || !isObject(options)) {
    throw new GantryError('bad_parameters_error', 'provider_options must be a JSON object');
  }
  return options;
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function noteProviderOptions(given: Json | undefined, errors: JsonObject): JsonObject | undefined {
  try {
    return readProviderOptions(given);
  } catch {
    errors['provider_options'] = 'Not a JSON object';
    return undefined;
  }
}

export interface SecretExchangeDependencies {
  readonly box: SecretBox;
  readonly reveal: RevealSecret;
  readonly tenants: TenantDirectory;
}

/** Makes the exchange of secrets between managers. */
export function createSecretExchange(
  { database, clock }: ServiceDependencies,
  secrets: SecretService,
  { box, reveal, tenants }: SecretExchangeDependencies,
): SecretExchange {
  const store = async (caller: Caller, item: Item, isOverriding: boolean, outcome: ImportOutcome): Promise<void> => {
    const tenant = (await tenants.all()).get(item.tenantName);
    if (!tenant) {
      throw new GantryError('not_found_error', `The tenant \`${item.tenantName}\` was not found`);
    }
    const own = { ...caller, tenant };
    if (!holdsIn(caller, 'secret_create', tenant.name)) {
      throw new GantryError(
        'forbidden_error',
        `User \`${caller.user.username}\` is not permitted to perform the action secret_create in the tenant \`${tenant.name}\``,
      );
    }
    const present = await ifFound(getSecret(database, { tenantId: tenant.id }, item.key));
    if (present) {
      (outcome.collisions[tenant.name] ??= []).push(item.key);
      if (!isOverriding) {
        return;
      }
    }
    await secrets.put(own, {
      key: item.key,
      value: item.value,
      schema: undefined,
      isHiddenValue: item.isHiddenValue,
      visibility: visibilityFor(own, { visibility: item.visibility }),
      isUpdateAllowed: isOverriding,
      provider: { name: item.provider, options: item.providerOptions },
      origin: item.origin,
    });
  };

  return {
    async export(caller, query, isAllTenants, passphrase) {
      const scope = listScopeOf(caller, isAllTenants, 'secret_list');
      const { items } = await listSecrets(database, scope, { ...query, all: true });
      const readable = items.filter(
        ({ isHiddenValue, createdBy }) =>
          !isHiddenValue || createdBy === caller.user.username || isAdministrator(caller),
      );
      const contents = await readSecretContents(
        database,
        readable.map(({ storageId }) => storageId),
      );
      const key = passphrase === undefined ? undefined : await keyFromPassphrase(passphrase);
      return Promise.all(
        readable.map(async (secret) => {
          const content = contents.get(secret.storageId);
          const clear = content === undefined ? '' : await reveal(content);
          const options = content?.providerOptions;
          return {
            secret,
            value: key ? encryptFernet(key, clear, clock.now()) : clear,
            isEncrypted: key !== undefined,
            providerOptions: options === undefined ? undefined : box.decrypt(options),
          };
        }),
      );
    },

    async import(caller, request) {
      const known = await tenants.all();
      for (const target of Object.values(request.tenantMap)) {
        if (!known.has(target)) {
          throw new GantryError('bad_parameters_error', `The tenant \`${target}\` of the tenant map was not found`);
        }
      }
      const key = request.passphrase === undefined ? undefined : await keyFromPassphrase(request.passphrase);
      const outcome: ImportOutcome = { collisions: {}, errors: {} };
      for (const [index, given] of request.secrets.entries()) {
        const errors: JsonObject = {};
        const item = readItem(given, key, errors);
        if (item && Object.keys(errors).length === 0) {
          const tenantName = request.tenantMap[item.tenantName] ?? item.tenantName;
          try {
            await store(caller, { ...item, tenantName }, request.isOverriding, outcome);
          } catch (error) {
            if (!(error instanceof GantryError)) {
              throw error;
            }
            errors[memberOf(error)] = error.message;
          }
        }
        if (Object.keys(errors).length > 0) {
          outcome.errors[String(index)] = errors;
        }
      }
      return outcome;
    },
  };
}
