import { GantryError } from '../domain/errors.ts';
import type { SecretsProvider } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { isForeignKeyViolation } from './database-errors.ts';
import { listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import type { NewResource } from './resource-writes.ts';
import { createResource, deleteResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';

export interface SecretsProviderUpdate {
  type?: string | undefined;
  visibility?: Visibility | undefined;
  /** Encrypted. */
  connectionParameters?: string | null | undefined;
}

const secretsProviderResource: Resource<SecretsProvider> = {
  kind: 'SecretsProvider',
  table: 'secrets_providers',
  alias: 'provider',
  from: `secrets_providers provider ${resourceJoins('provider')}`,
  scope: scopeOf('provider'),
  fields: {
    ...resourceFields('provider'),
    createdAt: timestamp('provider.created_at'),
    updatedAt: timestamp('provider.updated_at'),
    type: text('provider.type'),
  },
  defaultOrder: 'provider.created_at, provider.storage_id',
};

function columnsOf(update: SecretsProviderUpdate): Record<string, unknown> {
  return { type: update.type, visibility: update.visibility, connection_parameters: update.connectionParameters };
}

/** @throws GantryError conflict_error when the name is taken in the tenant or by a global provider */
export async function createSecretsProvider(
  session: Session,
  provider: NewResource & SecretsProviderUpdate & { type: string },
): Promise<SecretsProvider> {
  return createResource(session, secretsProviderResource, provider, columnsOf(provider));
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getSecretsProvider(session: Session, scope: Scope, name: string): Promise<SecretsProvider> {
  return getResource(session, secretsProviderResource, scope, { id: name });
}

export async function listSecretsProviders(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<SecretsProvider>> {
  return listResources(session, secretsProviderResource, scope, query);
}

/** Encrypted connection parameters by storage id. */
export async function readConnectionParameters(
  session: Session,
  storageIds: readonly number[],
): Promise<Map<number, string>> {
  const rows = await session.prepared<{ storageId: number; parameters: string }>(
    `select storage_id as "storageId", connection_parameters as parameters from secrets_providers
     where storage_id = any($1) and connection_parameters is not null`,
    [[...storageIds]],
  );
  return new Map(rows.map(({ storageId, parameters }) => [storageId, parameters]));
}

/** Sets updated_at too. @throws GantryError not_found_error */
export async function updateSecretsProvider(
  session: Session,
  storageId: number,
  update: SecretsProviderUpdate,
): Promise<SecretsProvider> {
  return updateResource(session, secretsProviderResource, storageId, { ...columnsOf(update), updated_at: new Date() });
}

/** @throws GantryError conflict_error while secrets use it */
export async function deleteSecretsProvider(session: Session, storageId: number): Promise<boolean> {
  try {
    return await deleteResource(session, secretsProviderResource, storageId);
  } catch (error) {
    throw isForeignKeyViolation(error)
      ? new GantryError('conflict_error', 'The secrets provider is used by secrets; change or delete those first', {
          cause: error,
        })
      : error;
  }
}
