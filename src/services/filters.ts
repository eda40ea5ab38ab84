import type { Json } from '../domain/plan.ts';
import type { Filter, FilterKind, FilterRule } from '../domain/filter.ts';
import { GantryError } from '../domain/errors.ts';
import type { Visibility } from '../domain/states.ts';
import { createFilter, deleteFilter, getFilter, listFilters, updateFilter } from '../store/filters.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { parseFilterRules } from './filter-rules.ts';
import { checkIdentifier, everywhere, requireFreeGlobally, requireOwnTenant, widerVisibility } from './identifiers.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';

export interface NewFilterRequest {
  readonly rules: Json;
  readonly visibility: Visibility;
  readonly origin: Origin;
}

export interface FilterService {
  list(caller: Caller, kind: FilterKind, query: ListQuery, isAllTenants: boolean): Promise<Page<Filter>>;
  get(caller: TenantCaller, kind: FilterKind, id: string): Promise<Filter>;
  create(caller: TenantCaller, kind: FilterKind, id: string, filter: NewFilterRequest): Promise<Filter>;
  /** Rules of the types given replace those of the same types. */
  update(
    caller: TenantCaller,
    kind: FilterKind,
    id: string,
    change: { rules?: Json | undefined; visibility?: unknown },
  ): Promise<Filter>;
  remove(caller: TenantCaller, kind: FilterKind, id: string): Promise<void>;
  /** The rules of a stored filter joined with given ones; undefined when there are none of either. */
  rules(
    caller: TenantCaller,
    kind: FilterKind,
    filterId: string | undefined,
    given?: readonly FilterRule[],
  ): Promise<readonly FilterRule[] | undefined>;
}

const reservedPrefix = 'csys-';
const listPermissions = { blueprints: 'blueprint_list', deployments: 'deployment_list' } as const;

function requireChangeable(caller: TenantCaller, filter: Filter, verb: string): void {
  if (filter.isSystemFilter) {
    throw new GantryError('illegal_action_error', `Cannot ${verb} a system filter`);
  }
  requireOwnTenant(caller, filter);
}

/** Makes the use cases of stored filters. */
export function createFilterService({ database }: ServiceDependencies): FilterService {
  return {
    list: (caller, kind, query, isAllTenants) =>
      listFilters(database, listScopeOf(caller, isAllTenants, listPermissions[kind]), kind, query),

    get: (caller, kind, id) => getFilter(database, scopeOf(caller), kind, id),

    async create(caller, kind, id, { rules: given, visibility, origin }) {
      checkIdentifier('filter_id', id);
      if (id.toLowerCase().startsWith(reservedPrefix)) {
        throw new GantryError(
          'bad_parameters_error',
          'All filters with a `csys-` prefix are reserved for internal use.',
        );
      }
      const rules = parseFilterRules(given, kind);
      return database.transactionAs(actorOf(caller), async (transaction) =>
        createFilter(transaction, {
          kind,
          id,
          rules,
          visibility,
          tenantId: caller.tenant.id,
          creatorId: await ownerId(transaction, caller, origin.creator),
          createdAt: creationTime(caller, origin.createdAt),
        }),
      );
    },

    update: (caller, kind, id, change) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const filter = await getFilter(transaction, scopeOf(caller), kind, id);
        requireChangeable(caller, filter, 'update');
        const given = change.rules === undefined ? undefined : parseFilterRules(change.rules, kind);
        const types = new Set(given?.map(({ type }) => type));
        const rules = given && [...filter.rules.filter(({ type }) => !types.has(type)), ...given];
        const visibility =
          change.visibility === undefined ? undefined : widerVisibility(caller, filter, change.visibility);
        if (visibility) {
          await requireFreeGlobally(visibility, filter, (query) => listFilters(transaction, everywhere, kind, query));
        }
        return updateFilter(transaction, filter.storageId, { rules, visibility });
      }),

    remove: (caller, kind, id) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const filter = await getFilter(transaction, scopeOf(caller), kind, id);
        requireChangeable(caller, filter, 'delete');
        await deleteFilter(transaction, filter.storageId);
      }),

    async rules(caller, kind, filterId, given) {
      if (filterId === undefined || filterId === '') {
        return given && given.length > 0 ? given : undefined;
      }
      const stored = await getFilter(database, scopeOf(caller), kind, filterId);
      const rules = [...stored.rules, ...(given ?? [])];
      return rules.length > 0 ? rules : undefined;
    },
  };
}
