import { createHash, randomUUID } from 'node:crypto';
import type { Request } from 'express';
import { GantryError } from '../domain/errors.ts';
import type { Caller } from '../services/caller.ts';
import type { Once } from '../store/session.ts';

/**
 * What makes a request the same one when it is sent again: the header `Idempotency-Key`, which nginx adds where the
 * client has none, of the same caller for the same thing.
 * @returns undefined without the header
 * @throws GantryError bad_parameters_error
 */
export function onceOf(request: Request, caller: Caller): Once | undefined {
  const given = request.get('idempotency-key');
  if (given === undefined || given === '') {
    return undefined;
  }
  if (!/^[\x21-\x7e]{1,255}$/.test(given)) {
    throw new GantryError(
      'bad_parameters_error',
      'The header Idempotency-Key must be 1 to 255 printable characters without spaces',
    );
  }
  const parts = [String(caller.user.id), caller.tenant?.name ?? '', request.method, request.originalUrl, given];
  const key = createHash('sha256').update(parts.join('\n')).digest('base64url');
  return { key, attempt: randomUUID() };
}
