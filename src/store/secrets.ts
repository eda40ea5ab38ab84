import type { Secret } from '../domain/entities.ts';
import type { Json } from '../domain/plan.ts';
import type { StoredSecret } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import type { ReadOptions } from './entity-rows.ts';
import { listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { boolean, json, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import { createResource, deleteResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { jsonChange } from './values.ts';

/** What is stored about a secret; values are encrypted by the caller. undefined = leave, null = clear. */
export interface SecretUpdate {
  value?: string | undefined;
  isHiddenValue?: boolean | undefined;
  visibility?: Visibility | undefined;
  schema?: Json | undefined;
  creatorId?: number | undefined;
  createdAt?: Date | undefined;
  updatedAt?: Date | undefined;
  providerStorageId?: number | null | undefined;
  /** Encrypted. */
  providerOptions?: string | null | undefined;
}

export interface NewSecret extends SecretUpdate {
  /** Its key. */
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
}

const secretResource: Resource<Secret> = {
  kind: 'Secret',
  table: 'secrets',
  alias: 'secret',
  from: `secrets secret ${resourceJoins('secret')} left join secrets_providers provider on provider.storage_id = secret.provider_id`,
  scope: scopeOf('secret'),
  fields: {
    ...resourceFields('secret'),
    createdAt: timestamp('secret.created_at'),
    updatedAt: timestamp('secret.updated_at'),
    isHiddenValue: boolean('secret.is_hidden_value'),
    schema: json('secret.schema'),
    providerName: text('provider.id'),
  },
  defaultOrder: 'secret.created_at, secret.storage_id',
  attributes: { key: 'secret.id', provider_name: 'provider.id' },
};

function columnsOf(update: SecretUpdate): Record<string, unknown> {
  return {
    value: update.value,
    is_hidden_value: update.isHiddenValue,
    schema: jsonChange(update.schema),
    provider_id: update.providerStorageId,
    provider_options: update.providerOptions,
  };
}

/** @throws GantryError conflict_error when the key is taken in the tenant or by a global secret */
export async function createSecret(session: Session, secret: NewSecret): Promise<Secret> {
  return createResource(session, secretResource, secret, columnsOf(secret));
}

/** The secret without its value. @throws GantryError not_found_error, ambiguous_name */
export async function getSecret(session: Session, scope: Scope, key: string, options?: ReadOptions): Promise<Secret> {
  return getResource(session, secretResource, scope, { id: key }, options);
}

/** Secrets without their values. */
export async function listSecrets(session: Session, scope: Scope, query: ListQuery): Promise<Page<Secret>> {
  return listResources(session, secretResource, scope, query);
}

/** A row of `secretContentColumns`. */
export interface SecretContentRow {
  storageId: number;
  key: string;
  value: string | null;
  options: string | null;
  type: string | null;
  connection: string | null;
}

/** Columns of `secrets secret` and, joined to it, `secrets_providers provider` that `toStoredSecret` reads. */
export const secretContentColumns = `secret.storage_id as "storageId", secret.id as key, secret.value,
  secret.provider_options as options, provider.type, provider.connection_parameters as connection`;
export const secretContentSource =
  'secrets secret left join secrets_providers provider on provider.storage_id = secret.provider_id';

export function toStoredSecret({ key, value, options, type, connection }: SecretContentRow): StoredSecret {
  return {
    key,
    value: value ?? undefined,
    providerOptions: options ?? undefined,
    provider: type === null ? undefined : { type, connectionParameters: connection ?? undefined },
  };
}

/** What is stored, for those who may read it: several secrets in one statement. */
export async function readSecretContents(
  session: Session,
  storageIds: readonly number[],
): Promise<Map<number, StoredSecret>> {
  const rows = await session.prepared<SecretContentRow>(
    `select ${secretContentColumns} from ${secretContentSource} where secret.storage_id = any($1)`,
    [[...storageIds]],
  );
  return new Map(rows.map((row) => [row.storageId, toStoredSecret(row)]));
}

/** Sets updated_at too. @throws GantryError not_found_error */
export async function updateSecret(session: Session, storageId: number, update: SecretUpdate): Promise<Secret> {
  return updateResource(session, secretResource, storageId, {
    ...columnsOf(update),
    visibility: update.visibility,
    creator_id: update.creatorId,
    created_at: update.createdAt,
    updated_at: update.updatedAt ?? new Date(),
  });
}

/** @returns whether it was there */
export async function deleteSecret(session: Session, storageId: number): Promise<boolean> {
  return deleteResource(session, secretResource, storageId);
}
