import type { QueryValue, RequestOptions, Transport } from './transport.ts';
import type { Page } from './types.ts';

/** A rule of a filter as the manager takes it. */
export interface FilterRule {
  readonly type: 'label' | 'attribute';
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** Parameters that every list understands. */
export interface ListOptions {
  /** Fields to return; all when absent. */
  include?: readonly string[];
  /** `field` or `-field` for descending. */
  sort?: readonly string[];
  search?: string;
  size?: number;
  offset?: number;
  allTenants?: boolean;
  /** Stored filter to apply; blueprints, deployments and workflows only. */
  filterId?: string;
  /** Rules to apply, for lists that can be searched (`/searches/...`). */
  rules?: readonly FilterRule[];
  /** Equality filters by field, and list parameters of one resource such as `_get_data`. */
  filters?: Readonly<Record<string, QueryValue>>;
  signal?: AbortSignal;
}

/** Query parameters of a list request. */
function listQuery(options: ListOptions): Record<string, QueryValue> {
  return {
    ...options.filters,
    _include: options.include?.join(','),
    _sort: options.sort,
    _search: options.search,
    _filter_id: options.filterId,
    _size: options.size,
    _offset: options.offset,
    _all_tenants: options.allTenants === true ? true : undefined,
  };
}

/** Reads one page of a list; with rules it is a search. */
export async function fetchPage<Item>(transport: Transport, path: string, options: ListOptions): Promise<Page<Item>> {
  if (options.rules && options.rules.length > 0) {
    return searchPage(transport, path, options, options.rules);
  }
  const request: RequestOptions = { query: listQuery(options), ...(options.signal ? { signal: options.signal } : {}) };
  return transport.json<Page<Item>>('GET', path, request);
}

/** Searches take no filters by field, so these become rules. */
async function searchPage<Item>(
  transport: Transport,
  path: string,
  options: ListOptions,
  rules: readonly FilterRule[],
): Promise<Page<Item>> {
  const filters = Object.entries(options.filters ?? {}).filter(([, value]) => value !== undefined);
  const fields = filters.filter(([name]) => !name.startsWith('_'));
  const parameters = filters.filter(([name]) => name.startsWith('_'));
  const byField = fields.map(([key, value]): FilterRule => {
    const values = Array.isArray(value) ? (value as readonly string[]) : [String(value)];
    return { type: 'attribute', key, operator: 'any_of', values };
  });
  return transport.json<Page<Item>>('POST', `/searches${path}`, {
    query: listQuery({ ...options, filters: Object.fromEntries(parameters) }),
    body: { filter_rules: [...rules, ...byField] },
    isReading: true,
    ...(options.signal ? { signal: options.signal } : {}),
  });
}

/** Walks a whole list page by page; `size` is the page size (default 1000). */
export async function* eachItem<Item>(
  transport: Transport,
  path: string,
  options: ListOptions = {},
): AsyncGenerator<Item, void, undefined> {
  const size = options.size ?? 1000;
  let offset = options.offset ?? 0;
  for (;;) {
    const page = await fetchPage<Item>(transport, path, { ...options, size, offset });
    yield* page.items;
    offset += page.items.length;
    if (page.items.length === 0 || offset >= page.metadata.pagination.total) {
      return;
    }
  }
}
