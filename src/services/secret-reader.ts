import type { RevealSecret } from '../domain/resources.ts';
import type { EvaluationAccess } from '../store/evaluation-storage.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';

/** Reads secrets where functions use them. */
export interface SecretReader {
  /** What functions may read on behalf of the caller. */
  accessOf(caller: TenantCaller): EvaluationAccess;
}

/** @param reveal reads a secret */
export function createSecretReader(reveal: RevealSecret): SecretReader {
  return {
    accessOf: (caller) => ({ viewer: scopeOf(caller).viewer, reveal }),
  };
}
