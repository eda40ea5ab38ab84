import type { QueryValue, RequestOptions, Transport } from './transport.ts';
import type { Page } from './types.ts';

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
  /** Equality filters by field, and list parameters of one resource such as `_get_data`. */
  filters?: Readonly<Record<string, QueryValue>>;
  signal?: AbortSignal;
}

/** Query parameters of a list request. */
export function listQuery(options: ListOptions): Record<string, QueryValue> {
  return {
    ...options.filters,
    _include: options.include?.join(','),
    _sort: options.sort,
    _search: options.search,
    _size: options.size,
    _offset: options.offset,
    _all_tenants: options.allTenants === true ? true : undefined,
  };
}

/** Reads one page of a list. */
export async function fetchPage<Item>(transport: Transport, path: string, options: ListOptions): Promise<Page<Item>> {
  const request: RequestOptions = { query: listQuery(options), ...(options.signal ? { signal: options.signal } : {}) };
  return transport.json<Page<Item>>('GET', path, request);
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
