import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

/** Gives every request an id, which is in the log and in the answer's header. */
export const assignRequestId: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id');
  const id = given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
  response.setHeader('X-Request-Id', id);
  next();
};

/** The id of the request that `response` answers. */
export function requestId(response: Response): string {
  return response.get('X-Request-Id') ?? '';
}

/** Headers that keep browsers from doing more with an answer than showing it. */
export const hardenAnswers: RequestHandler = (request, response, next) => {
  if (request.secure) {
    response.set('Strict-Transport-Security', 'max-age=31536000; includeSubDomains');
  }
  // not set(), which looks at each of them in vain
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('X-Frame-Options', 'DENY');
  response.setHeader('Referrer-Policy', 'same-origin');
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
  response.setHeader('Cache-Control', 'no-store');
  next();
};
