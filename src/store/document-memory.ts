/** Documents of rows that were read before: as long as a row stays as it is, nobody has to send them again. */
import { LRUCache } from 'lru-cache';
import type { JsonText } from '../domain/json-text.ts';
import type { Session } from './session.ts';

/** The documents of one version of a row. */
export interface KnownDocuments {
  /** Of the row, another one after every change that was committed. */
  readonly version: string;
  readonly documents: Readonly<Record<string, JsonText | null>>;
}

/** Characters that are kept at most. */
const capacity = 16 * 1024 * 1024;

function sizeOf({ documents }: KnownDocuments): number {
  return Object.values(documents).reduce((size, document) => size + (document?.text.length ?? 0), 1);
}

const memories = new WeakMap<Session, LRUCache<string, KnownDocuments>>();

/** What is known of the rows of a database, by the statement and the values they were read with. */
export function documentMemory(session: Session): LRUCache<string, KnownDocuments> {
  const known = memories.get(session);
  if (known) {
    return known;
  }
  const memory = new LRUCache<string, KnownDocuments>({ maxSize: capacity, sizeCalculation: sizeOf });
  memories.set(session, memory);
  return memory;
}
