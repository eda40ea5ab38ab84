import { GantryError } from '../domain/errors.ts';
import type { Json } from '../domain/plan.ts';
import { pythonTypeName } from '../domain/python-text.ts';
import { readTime } from '../domain/read-time.ts';
import type { Origin } from '../services/ownership.ts';

/** Schema of the members that tell the origin of a resource. */
export const originProperties = {
  created_by: { type: ['string', 'null'] },
  created_at: { type: ['string', 'null'] },
};

type Body = Readonly<Record<string, Json | undefined>>;

/** @throws GantryError bad_parameters_error for anything but a text */
function textOf(body: Body, name: string): string | undefined {
  const value = body[name] ?? '';
  if (typeof value !== 'string') {
    throw new GantryError(
      'bad_parameters_error',
      `${name} parameter is expected to be of type str but is of type ${pythonTypeName(value)}`,
    );
  }
  return value === '' ? undefined : value;
}

/**
 * Who made something and when, as clients that restore it tell: `created_by` (or `creator`) and `created_at`.
 * @throws GantryError bad_parameters_error for a time or a name that is none
 */
export function originOf(body: Body): Origin {
  const createdAt = textOf(body, 'created_at');
  return {
    creator: textOf(body, 'created_by') ?? textOf(body, 'creator'),
    createdAt: createdAt === undefined ? undefined : readTime(createdAt, 'created_at'),
  };
}
