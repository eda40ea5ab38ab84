import { listLabelWords } from '../store/labels.ts';
import type { Database } from '../store/database.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { checkIdentifier } from './identifiers.ts';
import { allowedReservedKeys } from './labels.ts';

export interface LabelListRequest {
  /** Lists the values of this key; undefined = lists keys. */
  readonly key: string | undefined;
  readonly search: string | undefined;
  readonly all: boolean;
  /** Lists the reserved keys that clients may use instead. */
  readonly isReserved: boolean;
  readonly size: number;
  readonly offset: number;
}

export interface LabelService {
  /** Keys or values of labels in use, sorted. */
  list(
    caller: TenantCaller,
    kind: 'blueprints' | 'deployments',
    request: LabelListRequest,
  ): Promise<{ items: string[]; total: number }>;
}

/** Makes the use cases of labels. */
export function createLabelService(database: Database): LabelService {
  return {
    async list(caller, kind, { key, isReserved, ...query }) {
      if (isReserved) {
        return { items: [...allowedReservedKeys], total: allowedReservedKeys.length };
      }
      if (key !== undefined) {
        checkIdentifier('label_key', key);
      }
      return listLabelWords(database, kind, scopeOf(caller), query, key?.toLowerCase());
    },
  };
}
