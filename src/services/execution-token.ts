import { createHash, randomUUID } from 'node:crypto';

/** A new token of a running execution: 32 hex characters, and the hash that is stored. */
export function newExecutionToken(): { token: string; tokenHash: string } {
  const token = randomUUID().replaceAll('-', '');
  return { token, tokenHash: hashExecutionToken(token) };
}

/** The stored form of an execution token. */
export function hashExecutionToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
