import { defaultPageSize, envelope } from './query.ts';
import type { Envelope, QueryValues } from './query.ts';

/** A page of a list that is short enough to be read whole. */
export function wholeList(query: QueryValues, items: readonly unknown[]): Envelope {
  const size = query.count('_size') ?? defaultPageSize;
  const offset = query.count('_offset') ?? 0;
  return envelope(items.slice(offset, offset + size), { total: items.length, size, offset });
}
