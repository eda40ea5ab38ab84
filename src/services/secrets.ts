import { Ajv } from 'ajv';
import type { Secret } from '../domain/entities.ts';
import { coerceError, GantryError, ifFound } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { RevealSecret, SecretsProvider } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { isLocalProvider } from '../files/provided-secrets.ts';
import type { SecretBox } from '../security/secret-box.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import {
  createSecret,
  deleteSecret,
  getSecret,
  listSecrets,
  readSecretContents,
  updateSecret,
} from '../store/secrets.ts';
import { getSecretsProvider } from '../store/secrets-providers.ts';
import type { Session } from '../store/session.ts';
import { isAdministrator, listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { checkIdentifier, everywhere, requireFreeGlobally, requireOwnTenant, widerVisibility } from './identifiers.ts';
import { creationTime, newOwnerId, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';

export interface NewSecretRequest {
  readonly key: string;
  readonly value: Json;
  readonly schema: Json | undefined;
  readonly isHiddenValue: boolean;
  readonly visibility: Visibility;
  readonly isUpdateAllowed: boolean;
  readonly provider: SecretsProviderChoice;
  readonly origin: Origin;
}

/** Which provider has the value of a secret. */
export interface SecretsProviderChoice {
  readonly name: string | undefined;
  /** What the provider needs to know to find the value; undefined = leave. */
  readonly options: JsonObject | undefined;
}

export interface SecretChange {
  readonly value?: Json | undefined;
  readonly isHiddenValue?: boolean | undefined;
  readonly visibility?: unknown;
  readonly creator?: string | undefined;
  readonly provider?: SecretsProviderChoice | undefined;
}

/** A secret with what its reader may see of it. */
export interface ReadableSecret {
  readonly secret: Secret;
  /** Empty when the caller may not read it. */
  readonly value: Json;
  /** JSON; undefined when there are none or the caller may not see them. */
  readonly providerOptions: string | undefined;
}

export interface SecretService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<Secret>>;
  /** The secret and its value; an empty one when the caller may not read it. */
  get(caller: TenantCaller, key: string, isValueSkipped: boolean): Promise<ReadableSecret>;
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
      throw new GantryError('bad_parameters_error', 'The value of a secret without schema must be a non-empty text');
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

/** The value of a secret with a schema. @throws GantryError failed_dependency when a provider has no JSON for it */
function parseTyped(key: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new GantryError('failed_dependency', `The value of secret \`${key}\` is not JSON`, { cause: error });
  }
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
export function createSecretService(
  { database }: ServiceDependencies,
  box: SecretBox,
  reveal: RevealSecret,
): SecretService {
  const find = (session: Session, caller: TenantCaller, key: string): Promise<Secret | undefined> =>
    ifFound(getSecret(session, { tenantId: caller.tenant.id }, key));
  const providerOf = async (
    session: Session,
    caller: TenantCaller,
    name: string | undefined,
  ): Promise<SecretsProvider | undefined> =>
    name === undefined ? undefined : getSecretsProvider(session, scopeOf(caller), name);
  /** What is stored of a value; nothing when the provider keeps it. */
  const stored = (value: Json, schema: Json | undefined, provider: SecretsProvider | undefined): { value?: string } => {
    const isElsewhere = provider !== undefined && !isLocalProvider(provider.type);
    return isElsewhere ? {} : { value: box.encrypt(storedText(value, schema)) };
  };
  const encryptedOptions = (options: JsonObject | undefined): string | undefined =>
    options === undefined ? undefined : box.encrypt(JSON.stringify(options));
  return {
    list: (caller, query, isAllTenants) =>
      listSecrets(database, listScopeOf(caller, isAllTenants, 'secret_list'), query),

    async get(caller, key, isValueSkipped) {
      const secret = await getSecret(database, scopeOf(caller), key);
      if (!isReadable(caller, secret)) {
        return { secret, value: '', providerOptions: undefined };
      }
      const content = (await readSecretContents(database, [secret.storageId])).get(secret.storageId);
      const options = content?.providerOptions;
      const providerOptions = options === undefined ? undefined : box.decrypt(options);
      if (isValueSkipped || !content) {
        return { secret, value: '', providerOptions };
      }
      const text = await reveal(content);
      return { secret, value: secret.schema === undefined ? text : parseTyped(key, text), providerOptions };
    },

    put(caller, request) {
      checkIdentifier('key', request.key);
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const present = await find(transaction, caller, request.key);
        if (present && request.isUpdateAllowed) {
          requireChangeable(caller, present);
          const provider = await providerOf(transaction, caller, present.providerName);
          return updateSecret(transaction, present.storageId, {
            ...stored(request.value, present.schema, provider),
            providerOptions: encryptedOptions(request.provider.options),
          });
        }
        const provider = await providerOf(transaction, caller, request.provider.name);
        return createSecret(transaction, {
          id: request.key,
          tenantId: caller.tenant.id,
          creatorId: await ownerId(transaction, caller, request.origin.creator),
          createdAt: creationTime(caller, request.origin.createdAt),
          visibility: request.visibility,
          ...stored(request.value, request.schema, provider),
          isHiddenValue: request.isHiddenValue,
          schema: request.schema,
          providerStorageId: provider?.storageId,
          providerOptions: encryptedOptions(request.provider.options),
        });
      });
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
        const provider = await providerOf(transaction, caller, change.provider?.name ?? secret.providerName);
        return updateSecret(transaction, secret.storageId, {
          ...(change.value === undefined ? {} : stored(change.value, secret.schema, provider)),
          visibility,
          isHiddenValue: change.isHiddenValue,
          creatorId: await newOwnerId(transaction, caller, change.creator),
          providerStorageId: change.provider?.name === undefined ? undefined : provider?.storageId,
          providerOptions: encryptedOptions(change.provider?.options),
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
