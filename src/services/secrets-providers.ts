import type { JsonObject } from '../domain/plan.ts';
import type { SecretsProvider } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { checkProviderParameters, probeProvider } from '../files/provided-secrets.ts';
import type { SecretsProviderAccess } from '../files/provided-secrets.ts';
import type { SecretBox } from '../security/secret-box.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import {
  createSecretsProvider,
  deleteSecretsProvider,
  getSecretsProvider,
  listSecretsProviders,
  readConnectionParameters,
  updateSecretsProvider,
} from '../store/secrets-providers.ts';
import type { Session } from '../store/session.ts';
import { holdsIn, listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { checkIdentifier, everywhere, requireFreeGlobally, requireOwnTenant, widerVisibility } from './identifiers.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';

/** A provider with its connection parameters, where the caller may see them. */
export interface SecretsProviderView extends SecretsProvider {
  readonly connectionParameters: JsonObject | undefined;
}

export interface NewSecretsProvider extends SecretsProviderAccess {
  readonly name: string;
  readonly visibility: Visibility;
  readonly origin: Origin;
}

export interface SecretsProviderChange {
  readonly type: string | undefined;
  readonly connection: JsonObject | undefined;
  /** A visibility it has already is no change. */
  readonly visibility: unknown;
}

export interface SecretsProviderService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<SecretsProviderView>>;
  /** @throws GantryError not_found_error, ambiguous_name */
  get(caller: TenantCaller, name: string): Promise<SecretsProviderView>;
  /** @throws GantryError conflict_error, bad_parameters_error for an unknown type or missing parameters */
  create(caller: TenantCaller, provider: NewSecretsProvider): Promise<SecretsProviderView>;
  /** @throws GantryError not_found_error, bad_parameters_error */
  update(caller: TenantCaller, name: string, change: SecretsProviderChange): Promise<SecretsProviderView>;
  /** @throws GantryError not_found_error, conflict_error while secrets use it */
  remove(caller: TenantCaller, name: string): Promise<void>;
  /**
   * Tries to reach a provider; what is not given is taken from the stored one of that name. Nothing is stored.
   * @throws GantryError bad_parameters_error, failed_dependency
   */
  probe(
    caller: TenantCaller,
    provider: { name: string | undefined; type: string | undefined; connection: JsonObject | undefined },
  ): Promise<void>;
}

/** Makes the use cases of secrets providers. */
export function createSecretsProviderService(
  { database, config }: ServiceDependencies,
  box: SecretBox,
): SecretsProviderService {
  const encrypted = (connection: JsonObject): string => box.encrypt(JSON.stringify(connection));

  const connectionsOf = async (
    session: Session,
    providers: readonly SecretsProvider[],
  ): Promise<Map<number, JsonObject>> => {
    const stored = await readConnectionParameters(
      session,
      providers.map(({ storageId }) => storageId),
    );
    return new Map([...stored].map(([id, text]) => [id, JSON.parse(box.decrypt(text)) as JsonObject]));
  };

  const views = async (caller: Caller, providers: readonly SecretsProvider[]): Promise<SecretsProviderView[]> => {
    const isShown = holdsIn(caller, 'secrets_provider_credentials', undefined);
    const connections = isShown ? await connectionsOf(database, providers) : new Map<number, JsonObject>();
    return providers.map((provider) => ({
      ...provider,
      connectionParameters: connections.get(provider.storageId),
    }));
  };

  const view = async (caller: Caller, provider: SecretsProvider): Promise<SecretsProviderView> => {
    const [found] = await views(caller, [provider]);
    return found ?? { ...provider, connectionParameters: undefined };
  };

  return {
    async list(caller, query, isAllTenants) {
      const scope = listScopeOf(caller, isAllTenants, 'secrets_provider_list');
      const page = await listSecretsProviders(database, scope, query);
      return { ...page, items: await views(caller, page.items) };
    },

    get: async (caller, name) => view(caller, await getSecretsProvider(database, scopeOf(caller), name)),

    async create(caller, { name, type, connection, visibility, origin }) {
      checkIdentifier('name', name);
      checkProviderParameters({ type, connection });
      const provider = await database.transactionAs(actorOf(caller), async (transaction) =>
        createSecretsProvider(transaction, {
          id: name,
          tenantId: caller.tenant.id,
          creatorId: await ownerId(transaction, caller, origin.creator),
          createdAt: creationTime(caller, origin.createdAt),
          visibility,
          type,
          connectionParameters: encrypted(connection),
        }),
      );
      return view(caller, provider);
    },

    async update(caller, name, change) {
      const provider = await database.transactionAs(actorOf(caller), async (transaction) => {
        const present = await getSecretsProvider(transaction, scopeOf(caller), name);
        requireOwnTenant(caller, present);
        const type = change.type ?? present.type;
        const connection =
          change.connection ?? (await connectionsOf(transaction, [present])).get(present.storageId) ?? {};
        checkProviderParameters({ type, connection });
        const isWidened = change.visibility !== undefined && change.visibility !== present.visibility;
        const visibility = isWidened ? widerVisibility(caller, present, change.visibility) : present.visibility;
        await requireFreeGlobally(visibility, present, (query) => listSecretsProviders(transaction, everywhere, query));
        return updateSecretsProvider(transaction, present.storageId, {
          type,
          visibility,
          connectionParameters: encrypted(connection),
        });
      });
      return view(caller, provider);
    },

    remove: (caller, name) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const provider = await getSecretsProvider(transaction, scopeOf(caller), name);
        requireOwnTenant(caller, provider);
        await deleteSecretsProvider(transaction, provider.storageId);
      }),

    async probe(caller, { name, type, connection }) {
      if (type !== undefined && connection !== undefined) {
        await probeProvider({ type, connection }, config.secrets);
        return;
      }
      const stored = await getSecretsProvider(database, scopeOf(caller), name ?? '');
      const known = (await connectionsOf(database, [stored])).get(stored.storageId) ?? {};
      await probeProvider({ type: type ?? stored.type, connection: connection ?? known }, config.secrets);
    },
  };
}
