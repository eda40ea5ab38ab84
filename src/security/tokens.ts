import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { randomText } from './random.ts';

/** Parts of an API token: `ctok-<id>-<secret>`. */
export interface ApiToken {
  /** Public part, 10 characters; the key of the stored row. */
  id: string;
  /** 40 characters; only its hash is stored. */
  secret: string;
  /** What the client sends. */
  value: string;
  secretHash: string;
}

const form = /^ctok-([A-Za-z0-9]{10})-([A-Za-z0-9]{40})$/;

/** The stored form of a random secret. It has no structure to guess, so one round is enough. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** A new API token. */
export function createApiToken(): ApiToken {
  const id = randomText(10);
  const secret = randomText(40);
  return { id, secret, value: `ctok-${id}-${secret}`, secretHash: hashToken(secret) };
}

/** What is shown of a token after it was made. */
export function maskedToken(id: string): string {
  return `ctok-${id}-********`;
}

/** Takes an API token apart; undefined when it is none. */
export function parseApiToken(value: string): { id: string; secret: string } | undefined {
  const [, id, secret] = form.exec(value) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Compares a secret with its stored hash in constant time. */
export function isTokenSecret(secret: string, secretHash: string): boolean {
  const actual = Buffer.from(hashToken(secret));
  const expected = Buffer.from(secretHash);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** A new token of a running execution: 32 hex characters, and the hash that is stored. */
export function createExecutionToken(): { token: string; tokenHash: string } {
  const token = randomBytes(16).toString('hex');
  return { token, tokenHash: hashToken(token) };
}
