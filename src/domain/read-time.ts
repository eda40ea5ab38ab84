import { GantryError } from './errors.ts';

/**
 * Reads a time in whatever usual form; without a zone it is UTC.
 * @throws GantryError bad_parameters_error
 */
export function readTime(text: string, name: string): Date {
  const hasZone = /(Z|[+-]\d{2}:?\d{2})$/i.test(text.trim());
  const hasTime = /\d{1,2}:\d{2}/.test(text);
  const iso = text.trim().replace(' ', 'T');
  const parsed = new Date(hasZone || !hasTime ? iso : `${iso}Z`);
  if (Number.isNaN(parsed.getTime())) {
    throw new GantryError(
      'bad_parameters_error',
      `${name}: ${JSON.stringify(text.slice(0, 100))} is not a legal time format`,
    );
  }
  return parsed;
}
