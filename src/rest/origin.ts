import type { Json } from '../domain/plan.ts';
import type { Origin } from '../services/ownership.ts';
import { readTime } from '../domain/read-time.ts';

/** Schema of the members that tell the origin of a resource. */
export const originProperties = {
  created_by: { type: ['string', 'null'] },
  created_at: { type: ['string', 'null'] },
};

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * Who made something and when, as clients that restore it tell: `created_by` (or `creator`) and `created_at`.
 * @throws GantryError bad_parameters_error for a time that is none
 */
export function originOf(body: Readonly<Record<string, Json | undefined>>): Origin {
  const createdAt = textOf(body['created_at']);
  return {
    creator: textOf(body['created_by']) ?? textOf(body['creator']),
    createdAt: createdAt === undefined ? undefined : readTime(createdAt, 'created_at'),
  };
}
