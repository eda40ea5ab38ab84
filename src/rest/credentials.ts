import type { Request } from 'express';
import type { Credentials } from '../services/authentication.ts';

function basicOf(header: string): Credentials['basic'] {
  const [scheme = '', encoded = ''] = header.trim().split(/\s+/, 2);
  if (scheme.toLowerCase() !== 'basic') {
    return undefined;
  }
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const username = colon < 0 ? text : text.slice(0, colon);
  // Clients send such names for other schemes that travel in the same header
  return /^[A-Za-z]/.test(username) ? { username, password: colon < 0 ? '' : text.slice(colon + 1) } : undefined;
}

/** What a request says about who sends it. */
export function credentialsOf(request: Request): Credentials {
  const authorization = request.get('authorization');
  return {
    executionToken: request.get('execution-token'),
    token: request.get('authentication-token'),
    basic: authorization === undefined ? undefined : basicOf(authorization),
    address: request.ip ?? '',
  };
}
