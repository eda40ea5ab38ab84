import { GantryError } from '../domain/errors.ts';

/** Where a setting comes from besides the command line. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws GantryError bad_parameters_error */
export function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

/** A whole number within bounds, or `fallback` without one. @throws GantryError naming the setting */
export function integer(
  name: string,
  text: string | undefined,
  fallback: number,
  minimum: number,
  maximum: number,
): number {
  if (text === undefined || text === '') {
    return fallback;
  }
  const value = Number(text);
  if (!Number.isInteger(value) || value < minimum || value > maximum) {
    refuse(`${name} must be a whole number from ${minimum} to ${maximum}, got "${text}"`);
  }
  return value;
}

/** @throws GantryError naming the setting */
export function oneOf<Choice extends string>(name: string, text: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === text);
  return found ?? refuse(`${name} must be one of ${choices.join(', ')}, got "${text}"`);
}

/** @throws GantryError naming the setting; the text may hold a password, so it is not repeated */
export function url(name: string, text: string, protocols: readonly string[]): string {
  if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
    refuse(`${name} must be a URL starting with ${protocols.map((entry) => `${entry}//`).join(' or ')}`);
  }
  return text;
}

/** The text of a variable; one that is set to nothing counts as absent. */
export function textOf(environment: Environment, name: string): string | undefined {
  return environment[name] || undefined;
}

/** @throws GantryError naming the setting */
export function optionalUrl(name: string, environment: Environment, protocols: readonly string[]): string | undefined {
  const text = textOf(environment, name);
  return text === undefined ? undefined : url(name, text, protocols);
}
